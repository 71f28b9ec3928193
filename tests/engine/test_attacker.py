"""Somebody who can write everything on the disk but holds nobody's key, act by act, beside a cockpit at work.

The same acts of honest people are done in a second record that nobody attacks: whatever is written to the first, it never comes
closer to GO than that one, opens no gate, signs nothing off, silences no trigger, sets no target, and is never found INTACT once
a line that was there is not.
"""

from __future__ import annotations

import contextlib
import os
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest
from support.records.attacked_night import Night, opened, shown
from support.records.attacks import ACTS, make_room
from support.small_disk import SmallDisk, mounted
from support.sources import NoSource

from cockpit.engine.ports import Refused
from cockpit.engine.recorded import record_in
from cockpit.engine.watch import Watch
from cockpit.journal.findings import BROKEN
from cockpit.journal.verify import verify_record

NIGHTS = int(os.environ.get("EXAMPLES", "8"))
"""`EXAMPLES=2000 pytest --timeout 0 tests/engine/test_attacker.py` for a longer look."""
HONEST = (
    *("ada votes go", "ada votes no-go", "bob votes go", "bob votes no-go", "ada signs vpn", "ada signs restore"),
    *("the right account", "the wrong account", "time passes"),
    *("bob waives", "bob takes the waiver back", "bob ends the step", "bob opens the step again"),
    *("bob uses the gate", "bob rolls back", "bob signs", "bob takes it back", "ada dismisses", "ada rolls back"),
)
TO_GO = ("the right account", "ada signs vpn", "ada signs restore", "bob signs", "ada votes go", "bob votes go")
"""All that the plan asks for: then GO and the open gate are there to be kept by whoever must not when something is taken back."""
DEPLOYED = (*TO_GO, "the deployment begins")


async def _attacked(luck: Random, root: Path, disk: SmallDisk | None) -> None:
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        night = await opened(stack, patch, root / "attacked", disk)
        honest = await opened(stack, patch, root / "honest")
        for _ in range(luck.randint(6, 16)):
            if luck.random() < 0.5:
                with contextlib.suppress(OSError):  # no room for a lie either
                    luck.choice(ACTS)(night, luck)
                continue
            for act in luck.choice([*((each,) for each in HONEST), TO_GO, TO_GO, DEPLOYED, DEPLOYED]):
                if act.startswith("bob"):
                    make_room(
                        night, luck
                    )  # what he says reaches no full disk, as where the share is away; that is shown
                # What cannot be kept does not count, and says so to whoever stated it: it is not done in the other night either.
                with contextlib.suppress(Refused):
                    await night.does(act)
                    await honest.does(act)
                _compare(night.shows(), honest.shows(), held=night.holds)
                night.publish()
        # Who looks at the record later sees nothing else, or that it is broken.
        if night.is_as_written:
            _compare(_later(night), _later(honest), held=night.holds)
        else:
            assert verify_record(night.to.kept.folder.path, night.anchors).outcome is BROKEN
    assert verify_record(honest.to.kept.folder.path).outcome is not BROKEN


def _later(night: Night) -> dict[str, object]:
    """As a command on this machine judges the record, without a reading."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", night.state)
        again = Watch(night.to.plan, NoSource(), night.to.clock, record_in(night.to.kept.folder))
    again.tick()
    return shown(again)


def _compare(attacked: dict[str, object], honest: dict[str, object], *, held: bool = False) -> None:
    """Yes or no: only what honest people said yes to. The rest: the same. `held`: it says that lines of others are missing, and
    holds for that; then nobody can know of a rollback that was decided in them, or a step that is open again.
    """
    for what, value in attacked.items():
        if held and (what == "not ROLLBACK" or what.endswith(" done")):
            continue
        if isinstance(value, bool):
            assert honest[what] or not value, what
        else:
            assert value == honest[what], what


@pytest.mark.parametrize("seed", range(NIGHTS))
async def test_whoever_holds_no_key_moves_nothing_toward_go(seed: int, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk:  # without one, all but full disks is tried
        await _attacked(Random(seed), tmp_path, disk)
