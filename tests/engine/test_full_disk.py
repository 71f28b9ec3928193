"""A full disk: what could not be kept does not count and is said; with room again it goes on by itself, and nothing is broken."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest
from support.plans.signing_plan import signing_plan
from support.records.short_record import START, change, make_folder, not_proven, open_journal
from support.small_disk import KB, SmallDisk, small_disk
from support.sources import NoSource
from support.waiting import until, wait_until

from cockpit.commands.farewell import farewell
from cockpit.decide.events import Change, PhaseBegan, SignOff
from cockpit.decide.states import Check, Word
from cockpit.engine.clock import SessionClock
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.engine.recording import CannotRecord, recording
from cockpit.engine.watch import Watch
from cockpit.journal.chain import read
from cockpit.journal.entry import Type
from cockpit.journal.readings import ReadingStore
from cockpit.journal.shared_store import DirectoryStore
from cockpit.journal.sharing import Sync
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Draft
from cockpit.journal.writer_thread import WriterThread
from cockpit.plan.model import Phase
from cockpit.replay.player import play_through
from cockpit.replay.trace import trace_of
from probes.reading import Reading

__all__ = ["small_disk"]


@pytest.mark.parametrize("leave", [0, 4 * KB, 8 * KB, 16 * KB])
def test_what_a_full_disk_took_half_of_is_cut_off_again(small_disk: SmallDisk, leave: int) -> None:
    folder = make_folder(small_disk.path)
    journal = open_journal(folder)
    small_disk.fill(leave)
    before, size = journal.head, journal.path.stat().st_size
    drafts = [Draft(Type.NOTE, {"text": "x" * 3 * KB}) for _ in range(10)]
    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            journal.extend(drafts)
        assert journal.path.stat().st_size == size
        assert journal.head == before
    small_disk.free()
    journal.extend(drafts)
    head = journal.close()
    assert not_proven(verify_record(folder.path, [head])) == {"time"}
    assert len(read(journal.path).lines) == 12


def test_entries_of_the_cockpit_wait_for_room_and_statements_are_refused(small_disk: SmallDisk) -> None:
    folder = make_folder(small_disk.path)
    thread = WriterThread(open_journal(folder))
    small_disk.fill()
    big = {"text": "x" * 5 * KB}
    with pytest.raises(OSError, match="No space"):
        thread.submit(Draft(Type.NOTE, big)).result()
    waiting = [thread.submit(Draft(Type.NOTE, big | {"n": n}), held=True) for n in range(3)]
    wait_until(lambda: "No space" in thread.trouble)
    assert not any(future.done() for future in waiting)
    small_disk.free()
    assert [future.result().entry.body["n"] for future in waiting] == [0, 1, 2], "without anything said anew"
    assert thread.trouble == ""
    head = thread.close()
    assert not_proven(verify_record(folder.path, [head])) == {"time"}


def test_who_closes_on_a_full_disk_waits_for_no_room(small_disk: SmallDisk) -> None:
    thread = WriterThread(open_journal(make_folder(small_disk.path)))
    small_disk.fill()
    waiting = [thread.submit(Draft(Type.NOTE, {"text": "x" * 5 * KB}), held=True) for _ in range(3)]
    wait_until(lambda: "No space" in thread.trouble)
    with pytest.raises(OSError, match=r"3 of the last entries were not kept: .*No space"):
        thread.close()
    assert read(thread.journal.path).lines[-1].entry.type is not Type.CLOSE
    for future in waiting:
        with pytest.raises(OSError, match="No space"):
            future.result()


def test_readings_that_were_not_kept_are_counted_and_those_kept_are_proven(small_disk: SmallDisk) -> None:
    folder = make_folder(small_disk.path)
    journal = open_journal(folder)
    store = ReadingStore(folder.readings, journal.writer)
    thread = WriterThread(journal, store)
    thread.submit(store.opening()).result()
    sent = 0

    def put(many: int) -> bool:
        """Whether the disk was full."""
        nonlocal sent
        for n in range(sent, sent + many):
            moment = START + timedelta(seconds=n)
            store.put("db", Reading(moment, moment, {"text": "x" * KB}))
        sent += many
        store.flush()
        return "full" in store.trouble

    put(5)
    small_disk.fill()
    wait_until(lambda: put(20))
    lost = store.lost
    assert lost > 0
    small_disk.free()
    put(5)
    assert (store.trouble, store.lost) == ("", lost)
    thread.submit(Draft.of(change(1))).result()
    head = thread.close()
    store.close()
    result = verify_record(folder.path, [head])
    assert not_proven(result) == {"time"}
    assert [remark for remark in result.remarks if f"{lost} readings were not kept" in remark]


def test_what_a_full_disk_took_back_was_never_shared(small_disk: SmallDisk, tmp_path: Path) -> None:
    folder = make_folder(small_disk.path)
    journal = open_journal(folder)
    sync = Sync(folder.journal, DirectoryStore(tmp_path / "share"), [journal.writer], lambda: journal.size)
    with journal.path.open("ab") as file:  # as it is while lines are on their way to the disk
        file.write(b'{"payload":"half","sigs":[]}\n')
    assert sync.once()
    shared = b"".join(path.read_bytes() for path in sorted((tmp_path / "share").rglob("*")) if path.is_file())
    assert b"half" not in shared
    assert shared == journal.path.read_bytes()[: journal.size]


async def test_a_statement_that_was_not_kept_does_not_count(small_disk: SmallDisk, tmp_path: Path) -> None:
    plan, clock = signing_plan(tmp_path), SessionClock()
    async with recording(plan, clock, who="ada", root=small_disk.path) as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.record.append(PhaseBegan(clock.now(), Phase.PRE_DEPLOY))
        kept.attach(watch)
        watch.tick()
        desk = Desk(watch, kept, "ada")

        def vpn() -> Check:
            watch.tick()
            return next(i.check for s in watch.situation.sections for i in s.items if i.id == "vpn")

        small_disk.fill()
        with pytest.raises(Refused, match="does not count"):
            await desk.sign("vpn", "100.64.0.7 answered " + "x" * 5 * KB)
        assert kept.record.all(SignOff) == []
        assert vpn() is not Check.PASS
        assert "No space" in watch.notices[0]()
        small_disk.free()
        await desk.sign("vpn", "100.64.0.7 answered")
        assert vpn() is Check.PASS
        await until(lambda: not kept.trouble)
        changes = kept.record.all(Change)
        path = kept.folder
    assert not verify_record(path.path).broken
    _, found, differences = play_through(trace_of(path))
    assert differences == []
    assert list(found) == changes


async def test_what_a_full_disk_left_out_is_named_when_the_screen_is_gone(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    plan, clock = signing_plan(tmp_path), SessionClock()
    async with recording(plan, clock, who="ada", root=small_disk.path) as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.attach(watch)
        watch.tick()
        small_disk.fill()
        kept.record.append(Change(clock.now(), "verdict", Word.HOLD, Word.ROLLBACK, "x" * 5 * KB))
        await until(lambda: "No space" in kept.trouble)
    # What the first look at the world left to be written may not have found its room either.
    assert [line for line in farewell(watch.situation, kept) if "NOT COMPLETE: the record was not closed:" in line]


@pytest.mark.parametrize("leave", [0, 4 * KB, 16 * KB, 32 * KB, 48 * KB])
async def test_a_record_that_finds_no_room_at_its_start_says_so_or_is_begun(
    small_disk: SmallDisk, tmp_path: Path, leave: int
) -> None:
    plan, begun = signing_plan(tmp_path), False
    small_disk.fill(leave)
    with contextlib.suppress(CannotRecord):
        async with recording(plan, SessionClock(), who="ada", root=small_disk.path / "records"):
            begun = True
    small_disk.free()
    async with recording(plan, SessionClock(), who="ada", root=small_disk.path / "records") as kept:
        assert not begun or kept.resumed, "with room again it begins, or goes on"
    assert verify_record(kept.folder.path).broken == []
