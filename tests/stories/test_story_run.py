"""A story: live, replayed from its record and tested it comes to the same; and what it does not come to is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cockpit.decide.events import Change, Record
from cockpit.engine.headless import watch_until
from cockpit.engine.recording import recording
from cockpit.journal.verify import verify_record
from cockpit.replay.player import play_through as replayed
from cockpit.replay.trace import trace_of
from cockpit.stories.story_clock import BEGINS, StoryClock
from cockpit.stories.story_file import Story, story_of
from cockpit.stories.story_run import play_through, run_with

CHECKLISTS = Path(__file__).parents[2] / "checklists"
SITE = """\
story: v1
plan: ../minimal.yaml
title: T
timeline:
  - {at: 12m, trip: site.down}
"""
EVERYTHING = """\
story: v1
plan: ../alarms.yaml
title: Everything that can happen
begin: 2m
timeline:
  - {at: 0s, set: {backlog.in_alarm: 1}}
  - {at: 1m, flap: site, every: 40s, for: 3m}
  - {at: 9m, blind: alarms, reason: ACCESS_DENIED, for: 2m}
  - {at: 12m, late: alarms, by: 4m, for: 1m}
  - {at: 14m, flap: site.ok, to: false, every: 2m}
  - {at: 17m, trip: alarms.firing}
  - {at: 19m, mend: alarms}
expect: [{by: 18m, verdict: ROLLBACK, because: alarms.firing}]
"""


def read(text: str) -> Story:
    return story_of(text, str(CHECKLISTS / "stories" / "s.yaml"))


def failures(expect: str) -> list[str]:
    return [str(each) for each in play_through(read(SITE + f"expect: [{expect}]\n")).failures]


def test_what_is_expected_and_comes_is_no_failure() -> None:
    expect = "{by: 12m, verdict: GO}, {at: 13m, verdict: HOLD, because: site.down}"
    expect += ", {by: 15m, verdict: ROLLBACK, because: site.down}"
    assert failures(f"{expect}, {{at: 16m, subject: site.down, state: TRIPPED}}, {{never: FIX FORWARD}}") == []


@pytest.mark.parametrize(
    ("expect", "parts"),
    [
        ("{by: 8m, verdict: GO}", ["s.yaml:6:10", "GO by 8m", "at 8m it was HOLD", "proven 7m"]),
        ("{at: 11m30s, verdict: HOLD}", ["HOLD at 11m30s", "it was GO", "2 criteria met"]),
        (
            "{by: 16m, verdict: ROLLBACK, because: tasks.dying}",
            ["because of tasks.dying", "it was ROLLBACK", "failed tasks 0"],
        ),
        ("{never: ROLLBACK}, {at: 15m, verdict: ROLLBACK}", ["never ROLLBACK", "at 14m", "site ok no"]),
        ("{at: 13m, subject: site.healthy, state: MET}", ["site.healthy was NOT MET", "site ok no"]),
    ],
)
def test_a_failure_shows_what_was_so_instead_and_why(expect: str, parts: Sequence[str]) -> None:
    (found,) = failures(expect)
    assert all(part in found for part in parts), found


def test_people_who_are_silent_sign_and_acknowledge_nothing() -> None:
    story = read(EVERYTHING)
    acknowledged = play_through(story)
    silent = play_through(replace(story, people_play=False, timeline=story.timeline[:1], lasts=timedelta(minutes=10)))
    assert silent.situation.verdict.word == "HOLD"
    assert any(change.after == "GO" for change in acknowledged.changes)


def changes_of(found: Sequence[Change]) -> list[tuple[str, ...]]:
    return [(str(each.at), each.subject, str(each.before), str(each.after), each.because) for each in found]


@pytest.mark.parametrize(
    "text",
    [pytest.param(SITE + "expect: [{never: FIX FORWARD}]\n", marks=pytest.mark.long), EVERYTHING],
    ids=["site", "everything"],
)
async def test_live_replayed_and_tested_it_comes_to_the_same_changes(text: str, tmp_path: Path) -> None:
    story = replace(read(text), lasts=timedelta(minutes=20))
    tested = play_through(story)
    clock = StoryClock(BEGINS, speed=1e7)
    async with recording(story.plan, clock, root=tmp_path, new=True, rehearsal=True) as kept:
        run = run_with(story, clock, kept.record)
        kept.attach(run.watch)
        run.director.begin()
        async with asyncio.timeout(120):
            while run.elapsed < story.lasts:
                run.watch.step()
                await asyncio.sleep(0)
        live = list(run.watch.changes())
    situation, again, differences = replayed(trace_of(kept.folder))
    assert len(live) > 10
    assert changes_of(live) == changes_of(tested.changes)
    assert changes_of(again) == changes_of(tested.changes)
    assert differences == []
    assert situation.verdict.word is tested.situation.verdict.word
    assert not verify_record(kept.folder.path).broken


async def test_a_watch_that_runs_by_itself_steps_as_a_test_does() -> None:
    story = replace(read(SITE + "expect: [{never: FIX FORWARD}]\n"), lasts=timedelta(minutes=13))
    tested = play_through(story)
    run = run_with(story, StoryClock(BEGINS, speed=1e7), Record(rehearsal=True))
    run.director.begin()
    await watch_until(run.watch, lambda _: run.elapsed >= story.lasts)
    seen = [each for each in run.watch.changes() if each.at - BEGINS <= story.lasts]
    assert changes_of(seen)[: len(tested.changes)] == changes_of(tested.changes)


def test_a_by_is_met_at_any_moment_up_to_it() -> None:
    story = read(SITE + "expect: [{by: 20m, verdict: GO}]\n")
    ended = play_through(story)
    assert ended.passed, "GO came and went before the twentieth minute"
    assert ended.situation.verdict.word == "ROLLBACK"
