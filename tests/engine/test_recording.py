"""The record while it is written: gone on with after a kill, shared by two, and never longer than what was kept."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.clock import HandClock
from support.plans.signing_plan import signing_plan
from support.sources import NoSource
from support.waiting import LAST_RESORT_S, at_last, turns, until

from cockpit.decide.events import Change, ObserverGap, PhaseBegan, SignOff
from cockpit.decide.states import Check, State
from cockpit.engine import recording as module
from cockpit.engine.clock import SessionClock
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recording import Recording, recording
from cockpit.engine.watch import Watch
from cockpit.journal.entry import Type
from cockpit.journal.readings import taken
from cockpit.journal.shared_store import DirectoryStore
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Draft
from cockpit.plan.model import Phase, Plan
from cockpit.replay.player import Player
from cockpit.replay.trace import trace_of
from probes.reading import Reading

DRIVER = textwrap.dedent(
    """
    import asyncio, os, sys
    from datetime import timedelta
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from support.sources import NoSource
    from cockpit.decide.events import PhaseBegan
    from cockpit.engine.clock import SessionClock
    from cockpit.engine.operator_desk import Desk
    from cockpit.engine.recording import recording
    from cockpit.engine.watch import Watch
    from cockpit.plan.load import load_plan
    from cockpit.plan.model import Phase
    from probes.reading import Reading

    async def main():
        plan, clock = load_plan(sys.argv[2]), SessionClock()
        async with recording(plan, clock, who="ada", root=Path(sys.argv[3])) as kept:
            watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
            kept.attach(watch)
            watch.record.append(PhaseBegan(clock.now(), Phase.POST_DEPLOY))
            for _ in range(3):
                now = clock.now()
                reading = Reading(now, now, {"account": "000000000000", "arn": "arn:x", "matches": True})
                watch.board.add("identity", reading)
                for take in watch.on_reading:
                    take("identity", reading, clock.now())
                watch.tick()
            await Desk(watch, kept, "ada").sign("vpn", "100.64.0.7 answered")
            watch.tick()
            await asyncio.to_thread(kept.readings.flush)
            kept.writer_thread.submit(__import__("cockpit.journal.writer", fromlist=["Draft"]).Draft("note", {})).result()
            print(watch.situation.verdict.word, watch.situation.verdict.since.isoformat(), kept.folder.path, flush=True)
            await asyncio.Event().wait()

    asyncio.run(main())
    """
)
TESTS = Path(__file__).parents[1]


def watch_of(plan: Plan, kept: Recording, clock: SessionClock | HandClock) -> Watch:
    watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
    kept.attach(watch)
    return watch


def state(watch: Watch, item: str) -> Check:
    return next(i.check for s in watch.situation.sections for i in s.items if i.id == item)


async def test_after_a_kill_everything_is_where_it_was(tmp_path: Path) -> None:
    plan = signing_plan(tmp_path)
    command = [sys.executable, "-c", DRIVER, str(TESTS), plan.path, str(tmp_path / "records")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220 - killed just below
        assert process.stdout is not None
        word, since, folder = (await asyncio.to_thread(process.stdout.readline)).split()
        os.kill(process.pid, signal.SIGKILL)
    clock = SessionClock()
    async with recording(plan, clock, who="ada", root=tmp_path / "records") as kept:
        assert str(kept.folder.path) == folder
        assert kept.resumed
        watch = watch_of(plan, kept, clock)
        watch.tick()
        assert watch.situation.verdict.word == word == "ROLLBACK"
        assert watch.situation.verdict.since.isoformat() == since, "the clock of the decision goes on"
        assert watch.situation.verdict.latch is not None
        assert watch.situation.criterion("wrong").state is State.TRIPPED
        assert state(watch, "vpn") is Check.PASS
        phases = watch.record.all(PhaseBegan)
        assert len(phases) == 1
        shown = [change for change in watch.record.all(Change) if change.subject == "verdict"]
        assert len(shown) == 1, "the verdict did not turn because somebody looked again"
    result = verify_record(Path(folder))
    assert result.broken == []


async def test_what_an_entry_rests_on_is_on_the_disk_before_it(tmp_path: Path) -> None:
    plan, clock = signing_plan(tmp_path), HandClock()
    async with recording(plan, clock, who="ada", root=tmp_path / "records") as kept:
        watch = watch_of(plan, kept, clock)
        reading = Reading(clock.now(), clock.now(), {"account": "000000000000", "arn": "a", "user": "u"})
        watch.take("identity", reading)
        await asyncio.wrap_future(kept.writer_thread.submit(Draft(Type.NOTE, {})))
        (found,) = taken(kept.folder.readings)
        assert (found.probe, found.reading, found.writer) == ("identity", reading, kept.journal.writer)


def test_no_two_decisions_share_a_moment(tmp_path: Path) -> None:
    plan, clock = signing_plan(tmp_path), HandClock()
    watch = Watch(plan, NoSource(), clock)
    moments = [watch.moment() for _ in range(3)]
    for back in (timedelta(milliseconds=5), timedelta(minutes=5)):
        clock.time -= back
        moments.append(watch.moment())
    assert moments == sorted(set(moments))


async def test_time_nobody_looked_is_a_gap(tmp_path: Path) -> None:
    plan, clock = signing_plan(tmp_path), HandClock()
    async with recording(plan, clock, who="ada", root=tmp_path / "records") as kept:
        watch = watch_of(plan, kept, clock)
        watch.record.append(PhaseBegan(clock.now(), Phase.POST_DEPLOY))
        watch.tick()
    clock.time += timedelta(minutes=20)
    async with recording(plan, clock, who="ada", root=tmp_path / "records") as kept:
        watch = watch_of(plan, kept, clock)
        watch.tick()
        (gap,) = watch.record.all(ObserverGap)
        assert gap.at - gap.since == timedelta(minutes=20)


async def test_a_new_record_is_begun_where_it_is_asked_for_or_the_old_one_is_of_last_month(tmp_path: Path) -> None:
    plan, clock, root = signing_plan(tmp_path), HandClock(), tmp_path / "records"
    names = []
    for new, days in ((False, 0), (False, 1), (True, 0), (False, 30)):
        clock.time += timedelta(days=days)
        async with recording(plan, clock, who="ada", root=root, new=new) as kept:
            names.append(kept.folder.path.name)
        clock.time += timedelta(seconds=1)
    assert names[0] == names[1]
    assert len(set(names)) == 3
    other = replace(plan, name="another")
    async with recording(other, clock, who="ada", root=root) as kept:
        assert kept.folder.path.name not in names


async def test_two_operators_see_each_other_within_three_seconds_and_offline_work_merges(tmp_path: Path) -> None:
    plan, clock = signing_plan(tmp_path), SessionClock()
    place = tmp_path / "shared"
    async with AsyncExitStack() as stack:
        desks = []
        for who in ("ada", "bob"):
            store = DirectoryStore(place)
            kept = await stack.enter_async_context(recording(plan, clock, who=who, root=tmp_path / who, store=store))
            if who == "ada":
                kept.record.append(PhaseBegan(clock.now(), Phase.PRE_DEPLOY))
                await asyncio.to_thread(kept.anchor, "bob")  # waits until all said before is on the disk
            await kept.sharing.share()
            watch = watch_of(plan, kept, clock)
            watch.tick()
            desks.append((watch, Desk(watch, kept, who), kept))
        (ada, ada_says, ada_keeps), (bob, bob_says, bob_keeps) = desks
        assert ada_keeps.folder.id == bob_keeps.folder.id, "one record"
        assert bob.counted().phase() is not None, "who joins is where the others are"
        await asyncio.gather(ada_says.sign("vpn", "100.64.0.7 answered"), bob_says.sign("seed", "Category Security"))
        await until(lambda: all(len(watch.record.all(SignOff)) == 2 for watch in (ada, bob)))
        for watch in (ada, bob):
            watch.tick()
            assert (state(watch, "vpn"), state(watch, "seed")) == (Check.PASS, Check.PASS)
        place.rename(tmp_path / "away")
        (tmp_path / "shared").write_text("no folder")
        await bob_says.retract("seed")
        await bob_keeps.sharing.share()
        assert "cannot be reached" in bob.notice
        assert len(ada.record.all(SignOff)) == 2
        (tmp_path / "shared").unlink()
        (tmp_path / "away").rename(place)
        await until(lambda: len(ada.record.all(SignOff)) >= 3)
        await asyncio.to_thread(lambda: None)
        assert bob_keeps.sharing.sync is not None
        ada.tick()
        assert state(ada, "seed") is Check.PENDING
    for who in ("ada", "bob"):
        (folder,) = (tmp_path / who).iterdir()
        assert verify_record(folder).broken == []


async def test_a_sign_off_that_nobody_signed_does_not_count_where_the_plan_asks_for_a_key(tmp_path: Path) -> None:
    """Somebody who writes to the shared place cannot speak with a key they do not have."""
    plan, clock = signing_plan(tmp_path), SessionClock()
    place = tmp_path / "shared"
    async with recording(plan, clock, who="ada", root=tmp_path / "ada", store=DirectoryStore(place)) as ada:
        await ada.sharing.share()
        async with recording(plan, clock, who="bob", root=tmp_path / "bob", store=DirectoryStore(place)) as bob:
            forged = SignOff(clock.now(), "restore", "ada", "on_call", "in 11 minutes", plan.digest)
            bob.record.append(forged)
            async with asyncio.timeout(LAST_RESORT_S):
                while not ada.record.all(SignOff):
                    await asyncio.gather(bob.sharing.share(), ada.sharing.share())
                    await turns()
        (taken,) = ada.record.all(SignOff)
        assert taken.key == ""
        watch = watch_of(plan, ada, clock)
        watch.tick()
        assert state(watch, "restore") is Check.STALE


async def test_readings_come_back_as_they_were(tmp_path: Path) -> None:
    plan, clock, root = signing_plan(tmp_path), HandClock(), tmp_path / "records"
    reading = Reading(clock.now(), clock.now(), {"account": "123456789012", "arn": "arn:x", "matches": True})
    async with recording(plan, clock, root=root) as kept:
        watch = watch_of(plan, kept, clock)
        kept.readings.put("identity", reading, clock.now())
    clock.time += timedelta(seconds=2)
    async with recording(plan, clock, root=root) as kept:
        watch = watch_of(plan, kept, clock)
        latest = watch.latest("identity")
        assert latest is not None
        assert latest.values == reading.values


@pytest.mark.parametrize("text", ["root:hunter2", "postgresql://u:hunter2@h/d"])
async def test_no_secret_of_a_variable_enters_the_record(tmp_path: Path, text: str) -> None:
    plan, clock, root = signing_plan(tmp_path), HandClock(), tmp_path / "records"
    async with recording(plan, clock, root=root, variables={"database_password": text, "dsn": text}) as kept:
        folder = kept.folder.path
    held = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"hunter2" not in held or text.startswith("root")
    assert b'"database_password":"root' not in held


async def test_of_two_answers_of_one_instant_the_one_that_came_later_counts_across_a_restart_too(
    tmp_path: Path,
) -> None:
    plan, clock, root = signing_plan(tmp_path), HandClock(), tmp_path / "records"
    right, wrong = (
        Reading(clock.now(), clock.now(), {"account": account * 12, "arn": "arn:x", "matches": True})
        for account in ("1", "0")
    )
    words = []
    for answers in ((right, wrong), (right,), (wrong, right)):
        async with recording(plan, clock, root=root) as kept:
            watch = watch_of(plan, kept, clock)
            for answer in answers:
                watch.take("identity", answer)
                watch.tick()
                latest = watch.latest("identity")
                assert latest is not None
                words.append(latest.values["account"] == answer.values["account"])
            writer, folder = kept.journal.writer, kept.folder
    assert all(words)
    assert [each.reading.values["account"][0] for each in taken(folder.readings)] == ["1", "0", "1", "0", "1"]  # type: ignore[index]
    player = Player(trace_of(folder, writer))
    player.play_to(len(player.trace.steps))
    assert player.differences == []
    assert player.board.readings.latest("identity") == watch.latest("identity")


ALTERED = {
    "cut off": "reading = '{'",
    "nested without end": f"reading = '{'[' * 5_000}'",
    "empty": "reading = '{}'",
    "without a time": """reading = '{"observed_at": "x"}'""",
    "a number of thousands of digits": f"reading = '{'9' * 5_000}'",
    "no text": "reading = CAST(x'ff00' AS TEXT)",
    "taken in at no time": "taken_us = 9000000000000000000",
    "of the last day there is": "reading = replace(reading, '1772402400000000', '253402300799000000')",
    "of the first": "reading = replace(reading, '1772402400000000', '-62135596800000000')",
    "of no day": "reading = replace(reading, '1772402400000000', '9000000000000000000')",
    "without end": "reading = replace(reading, '0.0', 'Infinity')",
    "of another probe": "probe = 'another'",
}


@pytest.mark.parametrize("how", ALTERED)
async def test_a_reading_that_was_altered_on_the_disk_keeps_no_session_from_beginning(how: str, tmp_path: Path) -> None:
    plan = signing_plan(tmp_path)
    clock = HandClock()
    async with recording(plan, clock, who="ada", root=tmp_path / "records") as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.attach(watch)
        for account in ("123456789012", "000000000000"):
            watch.take("identity", Reading(clock.now(), clock.now(), {"account": account}))
    with closing(sqlite3.connect(kept.folder.readings)) as database, database:
        assert database.execute(f"UPDATE readings SET {ALTERED[how]} WHERE id = 1").rowcount == 1
    async with recording(plan, clock, who="ada", root=tmp_path / "records") as again:
        watch = Watch(plan, NoSource(), clock, again.record, again.started_at)
        again.attach(watch)
        watch.tick()
        assert again.folder.id == kept.folder.id
        if watch.board.readings.histories["identity"].latest is None:
            assert "earlier readings are not restored" in again.trouble
    assert verify_record(kept.folder.path).broken


async def test_a_disk_that_does_not_answer_any_more_holds_nobody_up_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a network drive whose server is away; the next session goes on as after a crash."""
    monkeypatch.setattr(module, "CLOSES_WITHIN_S", 0.05)
    back, waits = threading.Event(), os.fsync
    plan, root = signing_plan(tmp_path), tmp_path / "records"

    def fsync(file: int) -> None:
        back.wait()
        waits(file)

    async def night() -> Recording:
        async with recording(plan, SessionClock(), who="ada", root=root) as kept:
            monkeypatch.setattr(os, "fsync", fsync)
        return kept

    kept = await at_last(night())
    assert any("its disk has not answered" in line for line in kept.not_kept)
    monkeypatch.setattr(os, "fsync", waits)
    back.set()
    async with recording(plan, SessionClock(), who="ada", root=root) as again:
        assert again.resumed
    assert not verify_record(again.folder.path).broken
