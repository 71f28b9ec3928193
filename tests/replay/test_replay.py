"""A replay decides everything again as it was decided, whatever happened; and says so where it cannot."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, example, given, settings
from support.clock import HandClock
from support.plans.signing_plan import signing_plan
from support.records.lived_night import ACCOUNTS, EVENTS, TURNS, Event, Night, words, written
from support.sources import NoSource

from cockpit.commands.replay import moment_of
from cockpit.decide.events import Change, PhaseBegan, SignOff
from cockpit.decide.settle import settle
from cockpit.decide.situation import Situation
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.codec import from_body
from cockpit.journal.entry import parse
from cockpit.journal.record_folder import find_record, list_records, writers
from cockpit.journal.shared_store import DirectoryStore
from cockpit.plan.load import load_plan
from cockpit.plan.model import Phase, Plan
from cockpit.replay import player
from cockpit.replay.player import Player, last_situation, play_through
from cockpit.replay.session import Replay
from cockpit.replay.trace import Decided, EntryAdded, NotReplayable, ReadingTaken, trace_of
from cockpit.report.load_record import account_of
from probes.reading import Reading, Reason, Unknown


@settings(max_examples=settings().max_examples // 3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS)
@example([("start", 1), ("right", 10), ("wrong", 0), ("right", 0)])
@example([("right", 0), ("right", 0), ("restart", 0), ("right", 0)])
@example([("blind", 0), ("retract", 0), ("restart", 0), ("blind", 0)])
@example([("blind", 0), ("retract", 0), ("restart", 0), ("right", 0)])
def test_every_state_and_verdict_is_reproduced(events: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as name:
        night = Night(signing_plan(Path(name)), Path(name) / "records")
        lived, situation = asyncio.run(night.live(events))
        assert night.folder is not None
        trace = trace_of(night.folder)
        _, replayed, differences = play_through(trace)
        assert [str(each) for each in differences] == []
        assert words(replayed) == words(lived)
        assert shown(Replay(trace, at=situation.now).situation) == shown(situation)


def shown(situation: Situation) -> str:
    """All of it, but for the name of the plan's file."""
    return re.sub(r"Position\(file='[^']*'", "Position(", repr(situation))


@pytest.fixture
async def night(tmp_path: Path) -> Night:
    plan = signing_plan(tmp_path)
    made = Night(plan, tmp_path / "records")
    made.clock.time += timedelta(seconds=1)
    await made.live(TURNS)
    return made


async def test_back_and_forth_shows_what_playing_through_shows(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    assert night.folder is not None
    monkeypatch.setattr(player, "MIN_STEPS", 3)
    trace = trace_of(night.folder)
    moments = [at for n in range(20) if (at := trace.started_at + timedelta(seconds=n * 13)) <= trace.ends_at]
    through = []
    playing = Player(trace)
    for at in moments:
        playing.play_to(bisect_right(trace.when, at))
        through.append(playing.shown(at))
    jumping = Replay(trace)
    for at, shown in sorted(zip(moments, through, strict=True), key=lambda pair: -pair[0].timestamp()):
        jumping.seek(at)
        assert jumping.situation == shown


async def test_replay_and_report_of_the_folder_records_are_kept_in_agree(night: Night) -> None:
    """`rehearse --keep F`, then `replay F` and `report F`: the newest record of F, with one ending and one thing to do next."""
    folder = find_record(str(night.root))
    assert night.folder is not None
    assert folder.path == night.folder.path
    trace = trace_of(folder)
    replayed, _, differences = play_through(trace)
    assert not differences
    last = last_situation(trace)
    assert shown(last) == shown(replayed)
    account = account_of(folder, last=last)
    assert account.verdict == replayed.verdict.word
    assert {each.id: each.state for each in account.items} == {
        item.id: str(item.check) for section in replayed.sections for item in section.items
    }
    assert account.next_actions
    assert f"Next is {account.next_actions[0]}"[:60] in account.summary[-1].text


async def test_the_deck(night: Night) -> None:
    assert night.folder is not None
    trace = trace_of(night.folder)
    replay = Replay(trace, speed=10)
    turned = [step for step in trace.steps if isinstance(step, Decided) and step.changes and step.at > trace.started_at]
    verdicts = [c.after for step in turned for c in step.changes if c.subject == "verdict"]
    assert len(set(verdicts)) > 1
    seen = []
    for _ in verdicts:
        replay.turn(1)
        seen.append(str(replay.situation.verdict.word))
        assert not replay.playing
    assert seen == verdicts
    replay.turn(1)
    assert replay.clock.now() == trace.ends_at
    for verdict in reversed(verdicts):
        replay.turn(-1)
        assert str(replay.situation.verdict.word) == verdict
    replay.step(1)
    assert replay.clock.now() in [step.at for step in turned]
    replay.toggle()
    assert replay.playing
    before = replay.clock.now()
    replay.move(timedelta(seconds=5))
    assert replay.clock.now() - before == timedelta(seconds=5)
    replay.faster(1)
    assert replay.clock.speed == 30
    assert "playing at 30x" in replay.notice


async def test_what_is_said_last_was_not_decided_on(tmp_path: Path) -> None:
    plan, clock = signing_plan(tmp_path), HandClock()
    async with recording(plan, clock, who="ada", root=tmp_path / "records") as ada:
        watch = Watch(plan, NoSource(), clock, ada.record, ada.started_at)
        ada.attach(watch)
        watch.record.append(PhaseBegan(clock.now(), Phase.PRE_DEPLOY))
        for _ in range(3):
            clock.time += timedelta(seconds=1)
            watch.tick()
        await Desk(watch, ada, "ada").sign("vpn", "100.64.0.7 answered")
    trace = trace_of(ada.folder)
    assert [str(each) for each in play_through(trace)[2]] == []
    assert any(isinstance(step, EntryAdded) and isinstance(step.entry, SignOff) for step in trace.steps)


async def test_readings_that_were_changed_are_told(night: Night) -> None:
    assert night.folder is not None
    database = sqlite3.connect(night.folder.readings)
    with database:
        database.execute("UPDATE readings SET reading = replace(reading, '000000000000', '123456789012')")
    database.close()
    _, _, differences = play_through(trace_of(night.folder))
    assert differences
    assert "the record says" in str(differences[0])


async def test_a_changed_reading_after_the_last_change_is_told(night: Night) -> None:
    """Nothing turned after it then; that was noted, and is not so any more."""
    assert night.folder is not None
    await night.live([("right", 90), ("right", 90)])
    assert not play_through(trace_of(night.folder))[2]
    database = sqlite3.connect(night.folder.readings)
    with database:
        database.execute(
            "UPDATE readings SET reading = replace(reading, '123456789012', '000000000000') "
            "WHERE id = (SELECT max(id) FROM readings)"
        )
    database.close()
    (difference,) = play_through(trace_of(night.folder))[2]
    assert not difference.recorded
    assert "wrong" in {change.subject for change in difference.decided}


async def test_without_its_readings_it_is_not_reproduced_and_without_a_journal_not_played(night: Night) -> None:
    assert night.folder is not None
    night.folder.readings.unlink()
    _, _, differences = play_through(trace_of(night.folder))
    assert differences
    for chain in night.folder.journal.iterdir():
        chain.write_bytes(b"")
    with pytest.raises(NotReplayable):
        trace_of(night.folder)


async def test_what_came_from_another_machine_comes_when_it_was_taken_in(tmp_path: Path) -> None:
    plan, clock = signing_plan(tmp_path), HandClock()
    place, ahead = DirectoryStore(tmp_path / "shared"), HandClock()
    ahead.time += timedelta(minutes=10)
    async with recording(plan, clock, who="ada", root=tmp_path / "ada", store=place) as ada:
        ada.record.append(PhaseBegan(clock.now(), Phase.PRE_DEPLOY))
        watch = Watch(plan, NoSource(), clock, ada.record, ada.started_at)
        ada.attach(watch)
        watch.tick()
        await written(ada)
        await ada.sharing.share()
        async with recording(plan, ahead, who="bob", root=tmp_path / "bob", store=place) as bob:
            clock.time += timedelta(seconds=5)
            far = Watch(plan, NoSource(), ahead, bob.record, bob.started_at)
            bob.attach(far)
            await Desk(far, bob, "bob").sign("seed", "Category Security")
            clock.time += timedelta(seconds=30)
            await Desk(watch, ada, "ada").sign("vpn", "100.64.0.7 answered")
            watch.tick()
            clock.time += timedelta(seconds=30)
            for _ in range(100):
                await asyncio.gather(bob.sharing.share(), ada.sharing.share())
                if len(ada.record.all(SignOff)) == 2:
                    break
            watch.tick()
            lived = list(watch.record.all(Change))
        folder = ada.folder
    trace = trace_of(folder, ada.journal.writer)
    _, replayed, differences = play_through(trace)
    assert [str(each) for each in differences] == []
    assert words(replayed) == words(lived)
    # What the other machine's clock says of it is later than the decision that looked at it.
    replay = Replay(trace, at=lived[-1].at)
    assert {change.subject for change in replay.changes()} == {change.subject for change in lived}


async def one_after_another(plan: Plan, root: Path, clock: HandClock, names: Sequence[str]) -> list[list[Change]]:
    """Cockpits on one folder at once, each with a probe of its own that sees something else; what each saw turn."""
    lived = []
    async with AsyncExitStack() as stack:
        watches = []
        for name in names:
            kept = await stack.enter_async_context(recording(plan, clock, who=name, root=root))
            watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
            if watch.counted().phase() is None:
                watch.record.append(PhaseBegan(clock.now(), Phase.POST_DEPLOY))
            kept.attach(watch)
            watch.tick()
            watches.append((kept, watch))
            await written(kept)
        for n, account in enumerate(["right", "wrong", "wrong", "right"] * 2):
            for m, (_, watch) in enumerate(watches):
                clock.time += timedelta(seconds=7)
                now = clock.now()
                held = ACCOUNTS[account if (n + m) % 3 else "other"]
                watch.take("identity", Reading(now, now, {"account": held, "arn": "arn:x", "user": "u"}))
                clock.time += timedelta(seconds=1)
                watch.tick()
        for _, watch in watches:
            lived.append(list(watch.record.all(Change)))
    return lived


async def test_two_cockpits_in_one_folder_are_played_each_as_it_saw(tmp_path: Path) -> None:
    plan, clock = signing_plan(tmp_path), HandClock()
    root = tmp_path / "records"
    lived = await one_after_another(plan, root, clock, ["ada", "bob"])
    folder = next(list_records(root))
    for name, changes in zip(sorted(writers(folder)), lived, strict=True):
        _, replayed, differences = play_through(trace_of(folder, name))
        assert [str(each) for each in differences] == []
        assert words(replayed) == words(changes)


async def test_who_joins_later_knows_when_nobody_looked(tmp_path: Path) -> None:
    plan, clock = signing_plan(tmp_path), HandClock()
    root = tmp_path / "records"
    gap = Night(plan, root)
    await gap.live([("begin", 1), ("right", 30), ("gap", 200), ("right", 5)])
    clock.time = gap.clock.time + timedelta(seconds=10)
    await one_after_another(plan, root, clock, ["bob"])
    folder = next(list_records(root))
    trace = trace_of(folder, next(name for name in writers(folder) if name.startswith("bob")))
    playing = Player(trace)
    playing.play_to(len(trace.steps))
    assert len(playing.board.readings.gaps) == 2  # while ada was away, and until bob came
    assert playing.differences == []


async def test_each_session_is_decided_by_the_plan_it_had(tmp_path: Path) -> None:
    first, night = signing_plan(tmp_path), Night(signing_plan(tmp_path), tmp_path / "records")
    await night.live([("begin", 1), ("right", 30), ("wrong", 30)])
    path = Path(first.path)
    path.write_text(path.read_text().replace("== '000000000000'", "== '999999999999'"))
    night.plan = load_plan(path)
    night.clock.time += timedelta(seconds=2)
    lived, situation = await night.live([("wrong", 30), ("other", 30)])
    assert night.folder is not None
    trace = trace_of(night.folder)
    _, replayed, differences = play_through(trace)
    assert [str(each) for each in differences] == []
    assert words(replayed) == words(lived)
    replay = Replay(trace)
    assert replay.plan.digest == first.digest
    replay.seek(situation.now)
    assert replay.situation.plan_digest == night.plan.digest == replay.plan.digest
    night.folder.plan.unlink()
    with pytest.raises(NotReplayable, match="no copy of the plan it was made with"):
        trace_of(night.folder)


async def test_a_decision_of_which_a_kill_left_the_half_is_no_difference(night: Night) -> None:
    assert night.folder is not None
    (path,) = night.folder.journal.iterdir()
    lines = path.read_bytes().splitlines(keepends=True)
    changes = [n for n, raw in enumerate(lines) if (e := from_body(parse(raw).entry.body)) and isinstance(e, Change)]
    last = trace_of(night.folder)
    group = next(step for step in reversed(last.steps) if isinstance(step, Decided) and len(step.changes) > 1)
    inside = next(n for n in changes if from_body(parse(lines[n]).entry.body) == group.changes[-1])
    path.write_bytes(b"".join(lines[:inside]))
    assert play_through(trace_of(night.folder))[2] == []
    closed = lines[-1]
    path.write_bytes(b"".join([*lines[:inside], closed]))
    assert len(play_through(trace_of(night.folder))[2]) == 1


async def test_a_probe_that_was_throttled_is_shown_slowed(night: Night) -> None:
    assert night.folder is not None
    refused = Reading(night.clock.now(), night.clock.now(), {}, {"account": Unknown(Reason.THROTTLED, "slow down")})
    trace = trace_of(night.folder)
    longer = replace(
        trace, steps=[*trace.steps, *(ReadingTaken(refused.observed_at, "identity", refused) for _ in range(2))]
    )
    player = Player(longer)
    player.play_to(len(longer.steps))
    assert player.slowed == {"identity": 4}


@pytest.mark.parametrize(
    ("text", "seconds"), [("+15m", 900), ("22:10", 600), ("2026-03-01T22:10:30Z", 630), ("2026-03-01T22:10:30", 630)]
)
async def test_where_to_begin(night: Night, text: str, seconds: int) -> None:
    assert night.folder is not None
    trace = trace_of(night.folder)
    found = moment_of(text, trace)
    wanted = timedelta(seconds=seconds)
    assert found - trace.started_at == (wanted if text.startswith("+") else wanted - timedelta(seconds=1))


async def test_a_jump_waits_for_no_decision_on_the_way_and_shows_what_deciding_it_all_again_shows(night: Night) -> None:
    assert night.folder is not None
    trace = trace_of(night.folder)
    settled = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal settled
        settled += event == "call" and frame.f_code is settle.__code__

    sys.setprofile(count)
    try:
        jumped = Replay(trace, at=trace.ends_at)
    finally:
        sys.setprofile(None)
    assert settled == 0
    situation, _, differences = play_through(trace)
    assert (jumped.situation, differences) == (situation, [])
    while not jumped.ahead:
        jumped.play_ahead(1.0)
    jumped.seek(trace.started_at)
    jumped.seek(trace.ends_at)
    assert jumped.situation == situation
