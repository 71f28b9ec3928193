"""Whoever can write to a share may keep lines from arriving. That holds: it never leaves standing what those lines took back."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from support.records.victim import Victim, forge, victim
from support.sources import NoSource

from cockpit.decide.events import LinesMissing, SignOff, Vote
from cockpit.decide.states import Check, Word
from cockpit.engine.recorded import record_in
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.entry import Type
from cockpit.journal.findings import Result
from cockpit.journal.shared_store import DirectoryStore
from cockpit.journal.sharing import Sync
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Draft, Journal, writer_name
from probes.reading import Reading


class Bob:
    """His cockpit, on a machine of his own."""

    def __init__(self, to: Victim, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.to, self.share = to, folder / "share"
        with patch.context() as other:
            other.setenv("XDG_STATE_HOME", str(folder / "bob's machine"))
            body = {"plan": to.plan.name, "plan_digest": to.plan.digest}
            name, record = writer_name("bob", "there"), to.kept.folder.id
            self.journal = Journal.open(folder / "his", name, record, body=body, clock=to.clock.now)
        self.sync = Sync(folder / "his", DirectoryStore(self.share), [name], lambda: self.journal.size, record)

    def states(self, *, taken_back: bool = False) -> None:
        at, plan = self.to.clock.now(), self.to.plan.digest
        forge(self.journal, SignOff(at, "seed", "bob", "dba", "Security", plan, retracted=taken_back), self.to.bob)
        choice = "no-go" if taken_back else "go"
        forge(self.journal, Vote(at, "deploy", "bob", "dba", choice, why="as I see it", plan_digest=plan), self.to.bob)
        assert self.sync.once()

    @property
    def objects(self) -> list[Path]:
        """Of his in the share, in the order of his lines."""
        return sorted((self.share / self.journal.writer).iterdir())


def looks(to: Victim) -> None:
    """Ada's cockpit, once."""
    assert to.kept.sharing.sync is not None
    to.kept.sharing.sync.once()
    to.takes_in()


def reads(watch: Watch, now: datetime) -> None:
    watch.take("identity", Reading(now, now, {"account": "123456789012", "arn": "arn:x", "principal": "x"}))


async def all_go(to: Victim) -> None:
    await to.desk.sign("vpn", "203.0.113.7 answered")
    await to.desk.sign("restore", "eleven minutes")
    await to.desk.vote("deploy", "go", "as I see it")
    reads(to.watch, to.clock.now())
    to.tick()
    to.clock.time += to.plan.verdict_dwell
    to.tick()


def altered(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"{", b"[", 1))


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def standing(to: Victim) -> tuple[bool, bool, bool]:
    return to.watch.situation.verdict.word is Word.GO, to.gate_open, to.item("seed") is Check.PASS


def verified(to: Victim) -> Result:
    """Once all that was noted so far is on the disk."""
    to.kept.writer_thread.submit(Draft(Type.NOTE, {"kind": "nothing"})).result()
    return verify_record(to.kept.folder.path)


@pytest.mark.parametrize("done", [altered, emptied, a_pipe, a_folder])
async def test_what_is_kept_from_arriving_holds_and_what_it_took_back_does_not_stand(
    done: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob = Bob(to, tmp_path, monkeypatch)
        bob.states()
        looks(to)
        await all_go(to)
        assert standing(to) == (True, True, True)
        bob.states(taken_back=True)
        done(bob.objects[-1])
        looks(to)
        assert standing(to) == (False, False, False)
        reasons = to.watch.situation.verdict.reasons
        assert any("are missing" in line and bob.journal.writer in line for line in reasons), reasons
        found = verified(to)
        assert any("are missing" in line for line in found.row("completeness").unproven)
        for _ in range(len(bob.objects) + 1):  # his cockpit reads one of its objects a round
            bob.sync.once()
        looks(to)
        assert to.watch.record.missing == (), "his cockpit put them there again"
        assert standing(to) == (False, False, False), "he took it back"
        assert not any("are missing" in line for line in verified(to).row("completeness").unproven)


async def test_a_copy_that_another_process_keeps_locked_is_named_and_holds_until_it_lets_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that was stopped just then."""
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob = Bob(to, tmp_path, monkeypatch)
        bob.states()
        looks(to)
        await all_go(to)
        with (to.kept.folder.journal / bob.journal.path.name).open("rb") as copy:
            fcntl.flock(copy, fcntl.LOCK_EX)
            bob.states(taken_back=True)
            looks(to)
            assert standing(to) == (False, False, False)
            assert any("locked: is one stopped?" in line for line in to.watch.record.missing)
        looks(to)
        assert to.watch.record.missing == ()
        assert standing(to) == (False, False, False), "he took it back"


async def test_a_copy_cut_here_while_its_object_is_altered_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob = Bob(to, tmp_path, monkeypatch)
        bob.states()
        looks(to)
        await all_go(to)
        here = to.kept.folder.journal / bob.journal.path.name
        os.truncate(here, here.stat().st_size - 10)
        altered(bob.objects[-1])
        bob.states(taken_back=True)
        looks(to)
        assert standing(to) == (False, False, False)


async def test_what_this_machine_had_seen_and_was_cut_off_holds_for_who_looks_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob = Bob(to, tmp_path, monkeypatch)
        bob.states()
        looks(to)
        here = to.kept.folder.journal / bob.journal.path.name
        before = here.stat().st_size
        await all_go(to)
        bob.states(taken_back=True)
        looks(to)
        await all_go(to)  # her lines after his: they name what she had seen
    os.truncate(here, before)
    later = Watch(to.plan, NoSource(), to.clock, record_in(to.kept.folder))
    reads(later, to.clock.time)
    later.tick()
    assert later.situation.verdict.word is not Word.GO
    assert not later.situation.gates[0].passed
    assert any("had seen more of them" in line for line in later.situation.verdict.reasons)
    async with recording(
        to.plan, to.clock, who="ada", root=to.kept.folder.path.parent, name=to.kept.folder.id
    ) as again:
        again.sharing.take_in(reached=False)
        assert any("had seen more of them" in line for line in again.record.missing)


async def test_nobody_elses_note_says_that_lines_are_missing_or_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob = Bob(to, tmp_path, monkeypatch)
        forge(bob.journal, LinesMissing(to.clock.now(), ("of ada",)))
        bob.sync.once()
        looks(to)
        assert to.watch.record.missing == ()
