"""A night at a cockpit whose disk and share others can write to: what honest people do in it, and what is shown of it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from support.clock import Machine, SetClock
from support.records.victim import Victim, elsewhere, forge, victim
from support.small_disk import SmallDisk

from cockpit.decide.events import (
    Acknowledgement,
    Decision,
    Entry,
    GateUsed,
    PointOfNoReturn,
    ReleaseSeen,
    SignOff,
    StepEnded,
    Vote,
    Waiver,
)
from cockpit.decide.states import Check, Word
from cockpit.engine.watch import Watch
from cockpit.journal.entry import Type
from cockpit.journal.shared_store import DirectoryStore
from cockpit.journal.sharing import Sync
from cockpit.journal.writer import Draft, Journal, writer_name
from cockpit.plan.model import Phase
from probes.reading import Reading

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
        if to.kept.sharing.sync is not None:
            to.kept.sharing.sync.once()
        to.takes_in()

    def publish(self) -> None:
        """Where everything is as it was written, its heads are posted."""
        with contextlib.suppress(OSError):  # until all of it is on the disk
            self.to.kept.writer_thread.submit(Draft(Type.NOTE, {"kind": "nothing"})).result()
        if self.is_as_written:
            self.anchors = (self.to.kept.journal.head, self.bobs.head)
            self.written = whole_lines(self.to.kept.journal.path)
            self.taken_in = whole_lines(self.bobs_here)

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
        own = whole_lines(self.to.kept.journal.path)
        return (
            own.startswith(self.written)
            and len(own) <= self.to.kept.journal.size
            and self.bobs.path.read_bytes().startswith(whole_lines(self.bobs_here))
            and whole_lines(self.bobs_here).startswith(self.taken_in)
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

    @property
    def holds(self) -> bool:
        """Whether it holds because lines of others are missing."""
        return bool(self.to.watch.record.missing)

    def shows(self) -> dict[str, object]:
        return shown(self.to.watch)


def whole_lines(path: Path) -> bytes:
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
        # One that was used is passed, and opens nothing any more: its votes are spent.
        **{f"gate {gate.id} open": gate.passed and gate.used_at is None for gate in situation.gates},
        **{f"{id_} signed": check is Check.PASS for id_, check in items.items()},
        **{f"{each.id} quiet": each.state for each in situation.criteria},
        "waived": situation.verdict.waivers > 0,
        "acknowledged": len(counts.all(Acknowledgement)),
        "phase": situation.verdict.phase,
        "target": len(counts.all(ReleaseSeen)),
        "no return": len(counts.all(PointOfNoReturn)),
        **{f"{step.id} done": step.progress.meaning.done for step in (*situation.runbook, *situation.rollback_plan)},
    }


async def opened(
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
