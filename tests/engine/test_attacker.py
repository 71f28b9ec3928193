"""Somebody who can write everything on the disk but holds nobody's key, act by act, beside a cockpit at work.

The same acts of honest people are done in a second record that nobody attacks: whatever is written to the first, it never comes
closer to GO than that one, opens no gate, signs nothing off, silences no trigger, sets no target, and is never found INTACT once
a line that was there is not.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Literal

import pytest
from support.clock import Machine, SetClock
from support.records.victim import Victim, elsewhere, forge, victim
from support.small_disk import KB, SmallDisk, mounted
from support.sources import NoSource

from cockpit.decide.events import (
    Acknowledgement,
    Change,
    Decision,
    Entry,
    GateUsed,
    ObserverGap,
    PhaseBegan,
    PointOfNoReturn,
    ReleaseSeen,
    SignOff,
    StepEnded,
    Vote,
    Waiver,
)
from cockpit.decide.states import Check, Word
from cockpit.engine.ports import Refused
from cockpit.engine.recording import record_in
from cockpit.engine.watch import Watch
from cockpit.journal.codec import type_of
from cockpit.journal.entry import PERSONAL, Type
from cockpit.journal.findings import BROKEN
from cockpit.journal.shared_store import DirectoryStore, Part
from cockpit.journal.sharing import Sync
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Draft, Journal, writer_name
from cockpit.plan.model import Phase
from probes.reading import Reading

NIGHTS = int(os.environ.get("EXAMPLES", "8"))
"""`EXAMPLES=2000 pytest --timeout 0 tests/engine/test_attacker.py` for a longer look."""
RIGHT, WRONG = "123456789012", "000000000000"


@dataclass
class Night:
    """A cockpit, and Bob's on another machine, whose lines come in through what they share."""

    to: Victim
    bobs: Journal
    from_bob: Sync
    eves: Journal
    share: Path
    state: str
    """Where this machine keeps its key: what it wrote itself is its own there alone."""
    machine: Machine
    """Whose clock others set."""
    bobs_clock_is_off: list[timedelta]
    """By how much the clock of his machine is ahead of the true time."""
    disk: SmallDisk | None
    """What this machine has, where somebody else fills it."""
    written: bytes = b""
    """The chain of this machine when it was last as written."""
    taken_in: bytes = b""
    """What had come of Bob's by then."""
    anchors: Sequence[str] = ()
    """The heads then, as a gate's message posts them."""
    plan_file: bytes = b""
    """The operator's plan as it was when the cockpit was opened."""

    async def does(self, act: str) -> None:
        """What honest people and the world do; the same in both nights."""
        to = self.to
        match act:
            case "ada votes go" | "ada votes no-go":
                await to.desk.vote("deploy", act.rsplit(maxsplit=1)[-1], "as I see it")
            case "ada signs vpn" | "ada signs restore":
                await to.desk.sign(act.rsplit(maxsplit=1)[-1], "203.0.113.7 answered")
            case "the deployment begins":
                await to.desk.begin(Phase.POST_DEPLOY, "as it was voted on")
            case "ada dismisses" | "ada rolls back":
                await to.desk.decide("dismiss" if "dismisses" in act else "execute", "as I see it")
            case "bob votes go" | "bob votes no-go":
                made = self.bobs_vote("no-go" if "no-go" in act else "go")
                forge(self.bobs, made, to.bob)
            case _ if act.startswith("bob "):
                forge(self.bobs, self.bobs_statement(act), to.bob)
            case "the right account" | "the wrong account":
                self.reads(RIGHT if "right" in act else WRONG)
            case "time passes":
                to.clock.time += timedelta(minutes=1)
        to.clock.time += timedelta(seconds=1)
        assert self.from_bob.once()
        if to.kept.sync is not None:
            to.kept.sync.once()
        to.takes_in()

    def publish(self) -> None:
        """Where everything is as it was written, its heads are posted."""
        with contextlib.suppress(OSError):  # until all of it is on the disk
            self.to.kept.writer_thread.submit(Draft(Type.NOTE, {"kind": "nothing"})).result()
        if self.is_as_written:
            self.anchors = (self.to.kept.journal.head, self.bobs.head)
            self.written = _whole_lines(self.to.kept.journal.path)
            self.taken_in = _whole_lines(self.bobs_here)

    def bobs_vote(self, choice: Literal["go", "no-go"]) -> Vote:
        return Vote(
            self.to.clock.time + self.bobs_clock_is_off[-1],
            "deploy",
            "bob",
            "dba",
            choice,
            why="as I see it",
            plan_digest=self.to.plan.digest,
        )

    def bobs_statement(self, act: str) -> Entry:
        """By the clock of his machine."""
        at, plan = self.to.clock.time + self.bobs_clock_is_off[-1], self.to.plan.digest
        ended = StepEnded(at, "back.revision", "bob", "done", "both tasks run", "dba", plan)
        made: dict[str, Entry] = {
            "bob signs": SignOff(at, "seed", "bob", "dba", "Category Security", plan),
            "bob takes it back": SignOff(at, "seed", "bob", "dba", "withdrawn", plan, retracted=True),
            "bob waives": Waiver(at, "right", "bob", "known", at + timedelta(hours=1), "dba", plan),
            "bob takes the waiver back": Waiver(at, "right", "bob", "withdrawn", at, "dba", plan),
            "bob ends the step": ended,
            "bob opens the step again": replace(ended, outcome="open"),
            "bob uses the gate": GateUsed(at, "deploy", "deploy", "bob", "dba", plan),
            "bob rolls back": Decision(at, "execute", "bob", "orders fail", "", "dba", plan, ()),
        }
        return made[act]

    @property
    def is_as_written(self) -> bool:
        """Whether what honest people wrote is on this machine's disk, and nothing in its place."""
        folder = self.to.kept.folder
        own = _whole_lines(self.to.kept.journal.path)
        return (
            own.startswith(self.written)
            and len(own) <= self.to.kept.journal.size
            and self.bobs.path.read_bytes().startswith(_whole_lines(self.bobs_here))
            and _whole_lines(self.bobs_here).startswith(self.taken_in)
            and all(path.read_bytes() == self.plan_file for path in folder.path.glob("plan*.yaml"))
        )

    @property
    def bobs_here(self) -> Path:
        """What this machine has of Bob's chain."""
        return self.to.kept.folder.journal / self.bobs.path.name

    def reads(self, account: str) -> None:
        now = self.to.clock.now()
        self.to.watch.take("identity", Reading(now, now, {"account": account, "arn": "arn:x", "principal": "x"}))

    @property
    def word(self) -> Word:
        return self.to.watch.situation.verdict.word

    def shows(self) -> dict[str, object]:
        return shown(self.to.watch)


def _whole_lines(path: Path) -> bytes:
    """Without what is torn at its end, which is nobody's line."""
    text = path.read_bytes()
    return text[: text.rfind(b"\n") + 1]


def shown(watch: Watch) -> dict[str, object]:
    """What nobody may move who has no key."""
    situation = watch.situation
    counts = watch.counted()
    items = {item.id: item.check for section in situation.sections for item in section.items}
    return {
        "GO": situation.verdict.word is Word.GO,
        "not ROLLBACK": situation.verdict.word is not Word.ROLLBACK,
        **{f"gate {gate.id} open": gate.passed for gate in situation.gates},
        **{f"{id_} signed": check is Check.PASS for id_, check in items.items()},
        **{f"{each.id} quiet": each.state for each in situation.criteria},
        "waived": situation.verdict.waivers > 0,
        "acknowledged": len(counts.all(Acknowledgement)),
        "phase": situation.verdict.phase,
        "target": len(counts.all(ReleaseSeen)),
        "no return": len(counts.all(PointOfNoReturn)),
        **{f"{step.id} done": step.progress.meaning.done for step in (*situation.runbook, *situation.rollback_plan)},
    }


HONEST = (
    *("ada votes go", "ada votes no-go", "bob votes go", "bob votes no-go", "ada signs vpn", "ada signs restore"),
    *("the right account", "the wrong account", "time passes"),
    *("bob waives", "bob takes the waiver back", "bob ends the step", "bob opens the step again"),
    *("bob uses the gate", "bob rolls back", "bob signs", "bob takes it back", "ada dismisses", "ada rolls back"),
)
TO_GO = ("the right account", "ada signs vpn", "ada signs restore", "bob signs", "ada votes go", "bob votes go")
"""All that the plan asks for: then GO and the open gate are there to be kept by whoever must not when something is taken back."""
DEPLOYED = (*TO_GO, "the deployment begins")


def lies(to: Victim) -> Sequence[Entry]:
    """In the name of people whose keys the attacker does not have, of nobody, and of a cockpit."""
    now, plan = to.clock.now(), to.plan.digest
    return (
        Vote(now, "deploy", "bob", "dba", "go", plan_digest=plan),
        Vote(now, "deploy", "ada", "on_call", "go", plan_digest=plan),
        SignOff(now, "seed", "bob", "dba", "Category Security", plan),
        SignOff(now, "restore", "ada", "on_call", "11 minutes", plan),
        Waiver(now, "right", "ada", "known", now + timedelta(hours=1), "on_call", plan),
        Acknowledgement(now, "wrong", "bob", "known", "dba", plan),
        Decision(now, "dismiss", "bob", "it is fine", "", "dba", plan),
        Decision(now, "fix-forward", "ada", "it is fine", "", "on_call", plan),
        PhaseBegan(now, Phase.POST_DEPLOY, "bob", "go", "dba", plan),
        PhaseBegan(now, Phase.POST_DEPLOY),
        GateUsed(now, "deploy", "deploy", "bob", "dba", plan),
        PointOfNoReturn(now, "everything"),
        ReleaseSeen(now, "prod", "web", "arn:aws:ecs:us-east-1:1:task-definition/evil:1", "x", "sha256:evil"),
        Change(now, "verdict", Word.ROLLBACK, Word.GO, "all is well"),
        ObserverGap(now, now - timedelta(hours=1)),
        StepEnded(now, "run.deploy", "", "done", "trust me"),
        StepEnded(now, "back.revision", "bob", "done", "trust me", "dba", plan),
    )


Act = Callable[[Night, Random], None]


def lie(night: Night, luck: Random) -> None:
    entry = luck.choice(lies(night.to))
    at = entry.at + luck.choice([timedelta(0), timedelta(hours=-6), timedelta(days=3650)])
    signed = type_of(entry) in PERSONAL and bool(getattr(entry, "by", "")) and luck.random() < 0.5
    forge(night.eves, replace(entry, at=at), night.to.eve if signed else None)


def copy_a_line(night: Night, luck: Random) -> None:
    """With its person's signature, which is a real one."""
    found = [line for _, line in night.to.kept.folder.lines() if len(line.sigs) == 2]
    if found:
        line = luck.choice(found)
        with contextlib.suppress(
            ValueError
        ):  # it was altered before: her own cockpit does not write what nobody signed
            night.eves.append(Draft(line.entry.type, line.entry.body, line.entry.actor, line.sigs[1]))


def _chain(night: Night, luck: Random) -> Path:
    """A chain on this machine: its own, or what it has of Bob's."""
    return luck.choice([night.to.kept.journal.path, night.bobs_here])


def write_into_a_chain(night: Night, luck: Random) -> None:
    """A line that was there once more, at the end of a chain or of another."""
    lines = _chain(night, luck).read_bytes().splitlines(keepends=True)
    with _chain(night, luck).open("ab") as file:
        file.write(luck.choice(lines))


def change_a_line(night: Night, luck: Random) -> None:
    path = _chain(night, luck)
    text = path.read_bytes()
    old, new = luck.choice(((b"no-go", b"go   "), (b'"ada', b'"bob'), (b"deploy", b"depley"), (b"203.", b"204.")))
    with path.open("r+b") as file:  # the same file: its writer has it open
        if len(old) == len(new) and old in text:
            file.seek(text.index(old))
            file.write(new)


def cut_off_the_end(night: Night, luck: Random) -> None:
    path = _chain(night, luck)
    size = path.stat().st_size
    os.truncate(path, size - luck.randint(1, min(size - 1, 900)))


def write_into_the_share(night: Night, luck: Random) -> None:
    """An object in the next place of a chain, of somebody else's lines; or one that is there, changed, or gone."""
    found = sorted(night.share.glob("*/*.jsonl"))
    path = luck.choice(found)
    match luck.choice(["next", "changed", "gone"]):
        case "next":
            writer = luck.choice([night.bobs.writer, night.to.kept.journal.writer])
            text = night.eves.path.read_bytes()
            size = (night.bobs if writer == night.bobs.writer else night.to.kept.journal).size
            DirectoryStore(night.share).put(Part.of(writer, size, text), text)
        case "changed":
            path.write_bytes(path.read_bytes().replace(b"no-go", b"go!!!").replace(b"deploy", b"depley"))
        case "gone":
            path.unlink()


def claim_the_share(night: Night, luck: Random) -> None:
    """For another record, or for none."""
    (night.share / f"record-{luck.randint(1, 3)}.claim").write_text(luck.choice(["20260301T220000Z-evil", "../..", ""]))


def change_the_plan(night: Night, luck: Random) -> None:
    folder = night.to.kept.folder.path
    path = luck.choice(sorted(folder.glob("plan*.yaml")))
    text = path.read_text()
    path.chmod(0o600)
    path.write_text(text.replace("required: 2", "required: 1"))


def edit_the_plan_file(night: Night, luck: Random) -> None:
    """The operator's own, beside the record: fewer votes, another person's key, or nothing of it left."""
    path = Path(night.to.plan.path)
    text = luck.choice(
        [night.plan_file.replace(b"required: 2", b"required: 1"), night.plan_file[:200], b"", b"\xff\x00"]
    )
    path.chmod(0o600)
    path.write_bytes(text)


OFF = tuple(timedelta(seconds=s) for s in (-7 * 3600, -600, -45, 0, 45, 600, 7 * 3600))
"""How far a clock may be off: within what two clocks may differ, minutes, hours."""


def set_the_machines_clock(night: Night, luck: Random) -> None:
    night.machine.off = luck.choice(OFF).total_seconds()


def say_a_wrong_time(night: Night, luck: Random) -> None:
    """One of the three that are asked for it: a database, which others run."""
    night.machine.ask_the_time("PostgreSQL", "1", wrong=luck.choice(OFF).total_seconds(), took=0)


def set_bobs_clock(night: Night, luck: Random) -> None:
    night.bobs_clock_is_off.append(luck.choice(OFF))


def fill_the_disk(night: Night, luck: Random) -> None:
    if night.disk is not None:
        night.disk.fill(luck.choice([0, 4 * KB, 16 * KB]))


def make_room(night: Night, _: Random) -> None:
    if night.disk is not None:
        night.disk.free()


ACTS: tuple[Act, ...] = (
    lie,
    lie,
    copy_a_line,
    write_into_a_chain,
    change_a_line,
    cut_off_the_end,
    write_into_the_share,
    claim_the_share,
    change_the_plan,
    edit_the_plan_file,
    set_the_machines_clock,
    say_a_wrong_time,
    set_bobs_clock,
    fill_the_disk,
    make_room,
)


async def _night(
    stack: AsyncExitStack, patch: pytest.MonkeyPatch, folder: Path, disk: SmallDisk | None = None
) -> Night:
    folder.mkdir()
    own = folder if disk is None else disk.path
    patch.setenv("XDG_STATE_HOME", str(own / "state"))
    share = folder / "share"
    machine, off = Machine(), [timedelta(0)]
    for service in ("sts", "ecs"):
        machine.ask_the_time("AWS", service, took=0)
    to = await stack.enter_async_context(victim(own, DirectoryStore(share), SetClock(machine)))
    with pytest.MonkeyPatch.context() as other:
        other.setenv("XDG_STATE_HOME", str(folder / "bob's machine"))
        theirs, name = folder / "bob's record", writer_name("bob", "there")
        body = {"plan": to.plan.name, "plan_digest": to.plan.digest, "rehearsal": False}
        bobs = Journal.open(theirs, name, to.kept.folder.id, body=body, clock=lambda: machine.true + off[-1])
    from_bob = Sync(theirs, DirectoryStore(share), [name], lambda: bobs.size, bobs.record)
    eves = elsewhere(patch, folder / "eve", to, "eve")
    state, plan_file = str(own / "state"), Path(to.plan.path).read_bytes()
    night = Night(to, bobs, from_bob, eves, share, state, machine, off, disk, plan_file=plan_file)
    await night.does("time passes")
    night.publish()
    return night


async def _attacked(luck: Random, root: Path, disk: SmallDisk | None) -> None:
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        night = await _night(stack, patch, root / "attacked", disk)
        honest = await _night(stack, patch, root / "honest")
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
                _compare(night.shows(), honest.shows())
                night.publish()
        # Who looks at the record later sees nothing else, or that it is broken.
        if night.is_as_written:
            _compare(_later(night), _later(honest))
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


def _compare(attacked: dict[str, object], honest: dict[str, object]) -> None:
    """Yes or no: only what honest people said yes to. The rest: the same."""
    for what, value in attacked.items():
        if isinstance(value, bool):
            assert honest[what] or not value, what
        else:
            assert value == honest[what], what


@pytest.mark.parametrize("seed", range(NIGHTS))
async def test_whoever_holds_no_key_moves_nothing_toward_go(seed: int, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk") as disk:  # without one, all but full disks is tried
        await _attacked(Random(seed), tmp_path, disk)
