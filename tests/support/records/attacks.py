"""What somebody does who can write everything on the disk and in the share, and holds nobody's key."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

from support.records.attacked_night import Night
from support.records.victim import Victim, forge
from support.small_disk import KB

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
from cockpit.decide.states import Word
from cockpit.journal.codec import type_of
from cockpit.journal.entry import PERSONAL
from cockpit.journal.shared_store import DirectoryStore, Part
from cockpit.journal.writer import Draft
from cockpit.plan.model import Phase


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
