"""A command that keeps no session goes by the record as a session does, and holds for the same things."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from engine.test_hung_share import NetworkDrive
from support.clock import HandClock
from support.plans.signing_plan import signing_plan
from support.sources import NoSource

from cockpit.commands.live_session import migration_controller
from cockpit.commands.migrate.confirmation import PhaseOptions
from cockpit.commands.migrate.migration_context import MigrationContext
from cockpit.commands.migrate.statement import begins_by, looked_at, opening
from cockpit.commands.options import LiveOptions
from cockpit.decide.events import Record
from cockpit.engine import share_at_start
from cockpit.engine.gate_approval import missing, missing_to_resume
from cockpit.engine.operator_desk import Desk
from cockpit.engine.record_look import look_at_record
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.shared_store import DirectoryStore
from cockpit.migration.phase_proposal import PhaseProposal
from cockpit.migration.states import PhaseName
from cockpit.plan.model import Gate, Migration, Plan, Poll
from probes.clients.clients import AwsOptions, Clients

UNREAD = "the share is not read"


@dataclass
class Machine:
    """Ada's, with the record's share, in which Bob has his cockpit on another machine."""

    folder: Path
    plan: Plan
    clock: HandClock

    def place(self, name: str) -> str:
        return str(self.folder / name)

    def hung(self) -> NetworkDrive:
        """The share, whose server is away."""
        drive = NetworkDrive(self.folder / "share")
        drive.there.clear()
        return drive

    async def session(self, share: str, *, goes_on: bool = False, votes: bool = False) -> None:
        """Ada runs the cockpit."""
        store = DirectoryStore(Path(share)) if share else None
        async with recording(self.plan, self.clock, who="ada", store=store) as kept:
            watch = Watch(self.plan, NoSource(), self.clock, kept.record, kept.started_at)
            kept.attach(watch)
            desk = Desk(watch, kept, "ada")
            await kept.sharing.share()
            watch.tick()
            if goes_on:
                await desk.go_without(desk.missing_lines(), "rang bob: he stated nothing")
            if votes:
                await desk.vote("purge", "go")
            await kept.sharing.share()
            await kept.sharing.share()
        self.clock.time += timedelta(minutes=5)

    async def lacks(self, share: str = "") -> tuple[Sequence[str], Sequence[str]]:
        """What a purge lacks to begin by a command, and to go on."""
        context = MigrationContext(self.plan, Migration("", "docs", "", ()), LiveOptions(), "ada@here", self.clock)
        options = await looked_at(context, PhaseOptions(PhaseName.PURGE, who="ada", share=share))
        now = self.clock.now()
        return missing(self.plan, "purge", now, options.look, "ada"), missing_to_resume(
            self.plan, "purge", now, options.look
        )


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_at_start, "ANSWERS_WITHIN_S", 0.05)


@pytest.fixture
async def ada(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    signing = signing_plan(tmp_path)
    gate = Gate("purge", "Purge", "purge", Poll(("on_call",), 1), signing.gates[0].position)
    made = Machine(tmp_path, replace(signing, gates=(gate,)), HandClock())
    await made.session(made.place("share"), votes=True)
    return made


def holds(found: Sequence[str]) -> bool:
    """It holds, says why, and what to do."""
    if not found:
        return False
    assert any(UNREAD in line or "are missing" in line for line in found), found
    assert any("go on without" in line and "A in the cockpit" in line for line in found), found
    return True


async def test_without_the_share_of_a_record_it_holds_and_with_it_it_does_not(ada: Machine) -> None:
    begin, go_on = await ada.lacks()
    assert (holds(begin), holds(go_on)) == (True, True)
    assert any("--share" in line for line in begin)
    assert await ada.lacks(ada.place("share")) == ([], [])


async def test_in_another_share_it_holds_until_somebody_goes_on_by_name(ada: Machine) -> None:
    for _ in range(2):
        assert all(map(holds, await ada.lacks(ada.place("empty"))))
    await ada.session(ada.place("empty"))
    assert all(map(holds, await ada.lacks(ada.place("empty"))))
    await ada.session(ada.place("empty"), goes_on=True)
    assert await ada.lacks(ada.place("empty")) == ([], [])
    assert all(map(holds, await ada.lacks()))


async def test_what_a_session_without_the_share_went_on_without_holds_no_command(ada: Machine) -> None:
    await ada.session("", goes_on=True)
    assert await ada.lacks() == ([], [])


async def test_a_share_that_does_not_answer_holds_as_one_that_is_not_named(ada: Machine, short_patience: None) -> None:
    look = await look_at_record(ada.plan, ada.clock, "", ada.hung())
    assert "no answer" in look.trouble
    assert holds(missing(ada.plan, "purge", ada.clock.now(), look, "ada"))


async def test_a_record_that_was_never_read_by_a_cockpit_here_holds_likewise(
    ada: Machine, monkeypatch: pytest.MonkeyPatch, short_patience: None
) -> None:
    """Another machine, where a command has fetched the votes before and no cockpit ever ran."""
    monkeypatch.setenv("XDG_STATE_HOME", str(ada.folder / "other"))
    look = await look_at_record(ada.plan, ada.clock, "", DirectoryStore(Path(ada.place("share"))))
    assert look.folder
    assert missing(ada.plan, "purge", ada.clock.now(), look, "ada") == []
    look = await look_at_record(ada.plan, ada.clock, str(look.folder.path), ada.hung())
    assert holds(missing(ada.plan, "purge", ada.clock.now(), look, "ada"))


@pytest.mark.parametrize("done", ["altered", "gone"])
async def test_lines_of_others_that_the_share_announces_and_are_not_here_hold(
    done: str, ada: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as his:
        his.setenv("XDG_STATE_HOME", str(ada.folder / "bob"))
        async with recording(ada.plan, ada.clock, who="bob", store=DirectoryStore(Path(ada.place("share")))) as bobs:
            await bobs.sharing.share()
            bob = bobs.journal.writer
    objects = sorted((ada.folder / "share" / bob).iterdir())
    if done == "altered":
        objects[-1].write_bytes(objects[-1].read_bytes().replace(b"{", b"[", 1))
    else:
        await ada.session(ada.place("share"))
        shutil.rmtree(ada.folder / "share" / bob)
        for chain in (ada.folder / "state").rglob(f"{bob}.jsonl"):
            chain.unlink()
    begin, go_on = await ada.lacks(ada.place("share"))
    assert (holds(begin), holds(go_on)) == (True, True)
    assert any(bob in line for line in begin)


async def test_it_is_looked_at_again_after_it_was_confirmed(ada: Machine) -> None:
    context = MigrationContext(ada.plan, Migration("", "docs", "", ()), LiveOptions(), "ada@here", ada.clock)
    options = await looked_at(context, PhaseOptions(PhaseName.PURGE, who="ada", share=ada.place("share")))
    shown = PhaseProposal(
        *(PhaseName.PURGE, "123456789012", "us-east-1", "arn:x", "db/app", "s3://docs/", "2 processes", "", 3, ()),
        ada.clock.now(),
    )
    session = Clients(AwsOptions("us-east-1"))
    made, options = await begins_by(context, options, shown, "the soak is over", session, None)
    assert opening(context, options, shown).stands
    (ada.folder / "share").rename(ada.folder / "unmounted")
    _, options = await begins_by(context, options, shown, "", session, made)
    await session.close()
    assert not opening(context, options, shown).stands


async def test_a_phase_that_ends_nothing_is_not_held(ada: Machine) -> None:
    context = MigrationContext(ada.plan, Migration("", "docs", "", ()), LiveOptions(), "ada@here", ada.clock)
    options = await looked_at(context, PhaseOptions(PhaseName.RESTORE, who="ada"))
    assert missing(ada.plan, "restore", ada.clock.now(), options.look, "ada") == []


async def test_what_the_terminal_starts_looks_at_its_share(ada: Machine) -> None:
    moving = replace(ada.plan, migration=Migration("postgresql://me@127.0.0.1:1/app", "docs", "", ()))
    watch = Watch(moving, NoSource(), ada.clock, Record())
    async with migration_controller(watch, LiveOptions(), Path("r"), ada.place("share")) as controller:
        assert controller
        started = controller.command(PhaseName.PURGE, "ada").words
    assert ("--share", ada.place("share")) in pairwise(started)
