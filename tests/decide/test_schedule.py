"""The night as a schedule: critical path, slack, what is late, when it ends, and what estimates rest on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from decide.rolling_back import rolled_back
from decide.scene import CALM, HERE, gate, plan, probe, reading
from decide.test_last_safe_moment import ways_back
from hypothesis import given, settings

from cockpit.decide.board import Board
from cockpit.decide.decide import changes, decide
from cockpit.decide.events import Entry, PhaseBegan, Record, StepBegan, StepEnded, StepMeasured, Vote
from cockpit.decide.states import StepState
from cockpit.decide.timing import Schedule, StepTime
from cockpit.plan.change_window import ChangeWindow, Opening
from cockpit.plan.model import Phase, Plan, Step
from cockpit.plan.step_graph import critical_path

TEN = datetime(2026, 6, 6, 22, tzinfo=UTC)
WINDOW = ChangeWindow("UTC", days=("sat",), opens=time(22), closes=time(4))


def minutes(value: float) -> timedelta:
    return timedelta(minutes=value)


def step(id_: str, expected: float | None, *after: str, **more: object) -> Step:
    """`after`: none given: after the one before it; "-" alone: after none."""
    waits = None if not after else tuple(each for each in after if each != "-")
    lasts = None if expected is None else minutes(expected)
    return Step(id_, id_.title(), HERE, duration=lasts, after=waits, **more)  # type: ignore[arg-type]


DIAMOND = (step("bucket", 30), step("image", 60, "-"), step("rows", 45, "bucket"), step("deploy", 30, "rows", "image"))


def of(*runbook: Step, window: ChangeWindow | None = WINDOW) -> Plan:
    return replace(plan(*CALM, gates=(gate(),)), runbook=runbook, window=window)


def began(id_: str, at: float, by: str = "ann") -> StepBegan:
    return StepBegan(TEN + minutes(at), id_, by, "on_call", "d1")


def ended(id_: str, at: float, outcome: str = "done") -> StepEnded:
    return StepEnded(TEN + minutes(at), id_, "ann", outcome, "", "on_call", "d1")


def at(at_minutes: float, made: Plan, *entries: Entry) -> Schedule:
    now = TEN + minutes(at_minutes)
    found = decide(made, Board(made, TEN), Record([each for each in entries if each.at <= now]), now).schedule
    assert found is not None
    return found


def of_step(found: Schedule, id_: str) -> StepTime:
    time = found.of(id_)
    assert time is not None
    return time


def test_the_longest_way_through_the_steps_is_critical_and_the_others_have_slack() -> None:
    found = at(0, of(*DIAMOND))
    assert {each.id: each.slack for each in found.runbook} == {
        "bucket": minutes(0),
        "image": minutes(15),
        "rows": minutes(0),
        "deploy": minutes(0),
    }
    assert [each.id for each in found.runbook if each.critical] == ["bucket", "rows", "deploy"]
    assert found.end is not None
    assert (found.end.likely, found.end.without, found.end.over) == (TEN + minutes(105), (), False)
    assert critical_path(DIAMOND) == minutes(105)


def test_what_slips_past_its_slack_becomes_critical_and_late() -> None:
    entries = (began("bucket", 0), ended("bucket", 30), began("rows", 30), began("image", 50))
    found = at(55, of(*DIAMOND), *entries)
    assert of_step(found, "image").critical
    assert of_step(found, "rows").slack == minutes(35)
    assert of_step(found, "image").late == minutes(50)
    assert of_step(found, "bucket").late == minutes(0)
    assert of_step(found, "deploy").starts == TEN + minutes(110)
    assert of_step(found, "deploy").late == minutes(35)


def test_a_step_that_takes_too_long_ends_now_at_the_earliest() -> None:
    found = at(50, of(*DIAMOND), began("bucket", 0))
    assert of_step(found, "bucket").ends == TEN + minutes(50)
    again = at(50, of(*DIAMOND), began("bucket", 0), ended("bucket", 20, "failed"))
    assert of_step(again, "bucket").ends == TEN + minutes(80)


def test_a_step_that_has_begun_waits_no_longer_for_those_before_it() -> None:
    found = at(65, of(*DIAMOND), began("bucket", 0), ended("bucket", 30), began("deploy", 40))
    assert of_step(found, "image").slack == minutes(0)  # an hour from now, and nothing ends later
    assert of_step(found, "rows").slack == minutes(15)


def test_before_the_window_the_night_begins_with_it() -> None:
    found = at(-90, of(*DIAMOND), PhaseBegan(TEN - minutes(95), Phase.PRE_DEPLOY))
    assert of_step(found, "bucket").starts == TEN
    assert found.window == Opening(TEN, TEN + timedelta(hours=6))


def test_what_is_prepared_before_the_window_is_no_part_of_the_night() -> None:
    made = of(step("today", 480, in_window=False), *DIAMOND)
    found = at(20, made, began("bucket", 0))
    assert found.end == at(20, of(*DIAMOND), began("bucket", 0)).end
    assert (of_step(found, "today").starts, of_step(found, "today").late) == (None, minutes(20))
    assert of_step(at(-20, made), "today").late is None
    assert of_step(at(0, made), "today").late is None


def test_a_step_without_an_estimate_makes_the_end_a_lower_bound() -> None:
    end = at(0, of(*DIAMOND, step("watch", None))).end
    assert end is not None
    assert end.without == ("Watch",)
    assert end.line(None) == "ends 23:45 or later"


def test_the_night_has_ended_when_every_step_is_over() -> None:
    steps: list[Entry] = [began("bucket", 0), ended("bucket", 30), ended("image", 40), ended("rows", 50, "skipped")]
    steps += [began("deploy", 50), ended("deploy", 55)]
    ends = [at(minute, of(*DIAMOND), *steps).end for minute in (54, 55)]
    assert [end.line(None) for end in ends if end is not None] == ["ends 23:20", "ended 22:55"]


def test_earlier_records_come_before_what_was_planned() -> None:
    measured = StepMeasured(TEN, "deploy", 3, 2, 600, 1200, 2400)
    found = at(1, of(*DIAMOND), measured)
    deploy = of_step(found, "deploy")
    assert deploy.rests_on == "done 3 times before, 2 rehearsed, 10m to 40m"
    assert found.end is not None
    assert [
        each - deploy.starts for each in (found.end.earliest, found.end.likely, found.end.latest) if deploy.starts
    ] == [
        minutes(10),
        minutes(20),
        minutes(40),
    ]
    assert found.end.line(found.window) == "ends 23:36 (23:26 to 23:56), 4h24m before the window ends"


def test_people_and_gates_stand_beside_their_steps() -> None:
    made = of(step("a", 5, owner="cid"), step("b", 5, roles=("db_owner",)), step("c", 5, gate="go_no_go"))
    found = at(0, made)
    assert [each.owner for each in found.runbook] == ["cid", "primary", ""]
    assert [each.gate for each in found.runbook] == ["", "", "Go / no-go"]
    votes = [Vote(TEN, "go_no_go", who, "backup", "go", plan_digest="d1") for who in ("bob", "cid")]
    assert of_step(at(1, made, *votes), "c").gate == ""


@pytest.mark.parametrize(
    ("shares", "ends", "rests_on"),
    [
        ((0.0, 0.1, 0.2, 0.3, 0.4), 100, "40 % done"),
        ((0.5, 0.5, 0.5, 0.5, 0.51), 30, "expected 30m"),
        ((0.0, 0.3, 0.6, 0.9, 1.0), 40, "100 % done"),
    ],
)
def test_work_under_way_is_estimated_by_how_far_it_is(shares: tuple[float, ...], ends: float, rests_on: str) -> None:
    """A point every ten minutes, at minute 0 to 40."""
    made = replace(of(step("copy", 30, progress=("m.rate",))), probes={n: probe(n, interval=600) for n in ("m", "n")})
    board = Board(made, TEN)
    for number, share in enumerate(shares):
        board.add("m", reading(TEN + minutes(10 * number), {"rate": share}))
    now = TEN + minutes(40)
    found = decide(made, board, Record([began("copy", 0)]), now).schedule
    assert found is not None
    time = of_step(found, "copy")
    assert time.rests_on == rests_on
    assert time.ends is not None
    assert abs(time.ends - TEN - minutes(max(ends, 40))) < timedelta(seconds=1)


def test_work_of_two_parts_is_as_far_as_their_mean_where_both_are_known() -> None:
    """One is read two minutes after the other, and first when the other was read twice."""
    both = step("copy", 30, progress=("m.rate", "n.rate"))
    made = replace(of(both), probes={n: probe(n, interval=600) for n in ("m", "n")})
    board = Board(made, TEN)
    for name, at_minute, share in (
        ("m", 0, 0.0), ("m", 10, 0.2), ("n", 12, 0.1), ("m", 20, 0.5), ("n", 32, 0.3), ("m", 40, 0.7),
    ):  # fmt: skip
        board.add(name, reading(TEN + minutes(at_minute), {"rate": share}))
    found = decide(made, board, Record([began("copy", 0)]), TEN + minutes(40)).schedule
    assert found is not None
    time = of_step(found, "copy")
    assert time.rests_on == "50 % done"
    # from 15 % at minute 12 to 50 % at minute 40: 80 seconds a percent
    assert time.ends is not None
    assert abs(time.ends - TEN - minutes(80)) < timedelta(seconds=1)


@settings(max_examples=20, deadline=None)
@given(ways_back())
def test_every_step_ends_as_when_it_is_played(steps: tuple[Step, ...]) -> None:
    """No step ends before it could, and one with slack may take so much longer and change nothing."""
    takes = {each.id: each.duration or timedelta(0) for each in steps}
    found = at(0, of(*steps))
    played = {each.step: each.ended for each in rolled_back(steps, takes, TEN)}
    assert {each.id: each.ends for each in found.runbook} == played
    end = max(played.values())
    for each in found.runbook:
        assert each.slack is not None
        stretched = takes | {each.id: takes[each.id] + each.slack}
        assert max(one.ended for one in rolled_back(steps, stretched, TEN)) == end
        longer = takes | {each.id: takes[each.id] + each.slack + minutes(1)}
        assert max(one.ended for one in rolled_back(steps, longer, TEN)) == end + minutes(1)


def test_a_deployment_just_after_the_window_is_held_against_that_one_and_not_the_next() -> None:
    made = replace(of(*DIAMOND), rollback_plan=(step("back", 30),))
    late = PhaseBegan(TEN + timedelta(hours=6, minutes=10), Phase.POST_DEPLOY)
    found = at(390, made, late)
    assert found.window == Opening(TEN, TEN + timedelta(hours=6))
    assert found.back is not None
    assert found.back.word == "a rollback now would end at 05:00, 1h after the window"


def test_a_night_that_outlasts_its_window_is_held_against_the_one_its_first_step_began_in() -> None:
    """Not against next week's; what was prepared days before says nothing of it."""
    made, monday = of(step("today", 480, in_window=False), *DIAMOND), -5 * 24 * 60
    before = PhaseBegan(TEN + minutes(monday), Phase.PRE_DEPLOY)
    this, next_week = (Opening(TEN + week, TEN + week + timedelta(hours=6)) for week in (minutes(0), timedelta(days=7)))
    assert at(390, made, before, began("image", 45), began("bucket", 30)).window == this
    assert at(390, made, before).window == next_week
    assert at(monday + 5, made, before, began("today", monday)).window == this


def test_a_step_is_of_who_did_the_last_thing_to_it() -> None:
    made = of(*DIAMOND)
    by_another = StepEnded(TEN + minutes(20), "bucket", "bob", "done", "made", "backup", "d1")
    record = Record([began("bucket", 0), began("image", 5), by_another])
    steps = decide(made, Board(made, TEN), record, TEN + minutes(30)).runbook
    assert [(each.id, each.by, each.seen) for each in steps] == [
        ("bucket", "bob", "made"),
        ("image", "ann", ""),
        ("rows", "", ""),
        ("deploy", "", ""),
    ]
    assert [(each.began, each.ended) for each in steps[:2]] == [
        (TEN, TEN + minutes(20)),
        (TEN + minutes(5), None),
    ]


@pytest.mark.parametrize("clock_off", [-5, 0, 5])
def test_a_step_that_is_begun_again_is_under_way_whatever_either_clock_says(clock_off: float) -> None:
    made = of(*DIAMOND)
    record = Record([began("bucket", 0), ended("bucket", 20), began("bucket", 20 + clock_off, "primary")])
    bucket = decide(made, Board(made, TEN), record, TEN + minutes(30)).runbook[0]
    assert (bucket.progress, bucket.by, bucket.ended) == (StepState.STARTED, "primary", None)


def test_every_turn_of_the_way_back_is_a_change_once() -> None:
    made = replace(of(*DIAMOND), rollback_plan=(step("back", 30),))
    board, record = Board(made, TEN), Record([PhaseBegan(TEN, Phase.PRE_DEPLOY)])
    before, seen = decide(made, board, record, TEN), []
    for minute in range(0, 400, 5):
        if minute == 60:
            record.append(PhaseBegan(TEN + minutes(60), Phase.POST_DEPLOY))
        after = decide(made, board, record, TEN + minutes(minute))
        seen += [(minute, each.after) for each in changes(before, after) if each.subject == "last safe moment"]
        before = after
    again = decide(made, board, Record([PhaseBegan(TEN, Phase.PRE_DEPLOY)]), TEN)
    assert [each for each in changes(before, again) if each.subject == "last safe moment"] == []
    assert seen == [(60, "fits"), (300, "30m left"), (320, "10m left"), (335, "too late")]
