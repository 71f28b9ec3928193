"""The last safe moment to go back agrees with a rollback that is begun then, and played out step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from decide.rolling_back import MINUTE, rolled_back, shows
from decide.scene import CALM, HERE, plan, probe
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import (
    Decision,
    Entry,
    PhaseBegan,
    PointOfNoReturn,
    Record,
    StepBegan,
    StepEnded,
    StepMeasured,
)
from cockpit.decide.situation import Situation
from cockpit.decide.states import RollbackFit
from cockpit.decide.timing import WayBack
from cockpit.plan.change_window import ChangeWindow, Opening
from cockpit.plan.model import Phase, Plan, Step

NEW_YORK = "America/New_York"
STILL_FITS = (RollbackFit.FITS, RollbackFit.SOON, RollbackFit.LAST)
NIGHTS = (
    datetime(2026, 6, 6),  # an ordinary Saturday
    datetime(2026, 3, 7),  # in the night to Sunday the clocks skip 02:00 to 03:00
    datetime(2026, 10, 31),  # and here they show 01:00 to 02:00 twice
)


@st.composite
def ways_back(draw: st.DrawFn) -> tuple[Step, ...]:
    """Up to six steps; each follows the one before it, or waits for some of those before, or for none."""
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 6))):
        earlier = st.sampled_from([each.id for each in steps]) if steps else st.nothing()
        after = draw(st.none() | st.lists(earlier, max_size=min(3, len(steps)), unique=True))
        named = None if after is None else tuple(after)
        expected = timedelta(minutes=draw(st.integers(1, 40)))
        steps.append(Step(f"back.{number}", f"Step {number}", HERE, duration=expected, after=named))
    return tuple(steps)


@st.composite
def nights(draw: st.DrawFn) -> tuple[datetime, ChangeWindow]:
    """The evening, and a window of Saturdays that closes in the small hours, by a clock that may be put forward or back."""
    closes = time(draw(st.integers(1, 5)), draw(st.sampled_from((0, 15, 30, 59))))
    evening = draw(st.sampled_from(NIGHTS))
    return evening, ChangeWindow(NEW_YORK, days=("sat",), opens=time(20), closes=closes)


def planned(back: tuple[Step, ...], window: ChangeWindow | None, reserve: timedelta = timedelta(0)) -> Plan:
    return replace(plan(*CALM), rollback_plan=back, window=window, rollback_reserve=reserve)


def seen(of: Plan, now: datetime, *entries: Entry) -> Situation:
    return decide(of, Board(of, now), Record(list(entries)), now)


def way_back(of: Plan, now: datetime, *entries: Entry) -> WayBack:
    found = seen(of, now, *entries).back
    assert found is not None
    return found


def closes_at(evening: datetime, window: ChangeWindow) -> datetime:
    tomorrow = datetime.combine(evening.date() + timedelta(days=1), window.closes)
    opened = shows(NEW_YORK, evening.replace(hour=23, tzinfo=UTC), datetime.combine(evening.date(), window.opens))
    return shows(NEW_YORK, opened, tomorrow)


@settings(max_examples=30, deadline=None)
@given(ways_back(), nights(), st.integers(0, 30), st.sets(st.integers(0, 5)), st.integers(-200, 200))
def test_a_rollback_begun_at_the_last_safe_moment_ends_with_the_window(
    back: tuple[Step, ...], night: tuple[datetime, ChangeWindow], reserve: int, rehearsed: set[int], off: int
) -> None:
    evening, window = night
    deployed = PhaseBegan(evening.replace(hour=23, minute=59, tzinfo=UTC) + timedelta(minutes=30), Phase.POST_DEPLOY)
    worst = [StepMeasured(deployed.at, f"back.{n}", 2, 2, 30, 60, 60 * (n + 3)) for n in rehearsed]
    takes = {step.id: step.duration or timedelta(0) for step in back}
    takes |= {each.subject: timedelta(seconds=each.longest_s) for each in worst if each.subject in takes}
    of = planned(back, window, timedelta(minutes=reserve))
    ends = closes_at(evening, window)
    moment = way_back(of, deployed.at, deployed, *worst).moment
    assert moment is not None
    assert max(each.ended for each in rolled_back(back, takes, moment)) + timedelta(minutes=reserve) == ends
    now = max(moment + off * MINUTE, deployed.at)
    at_that_time = way_back(of, now, deployed, *worst)
    in_time = max(each.ended for each in rolled_back(back, takes, now)) + timedelta(minutes=reserve) <= ends
    assert (at_that_time.fit in STILL_FITS) == in_time
    assert at_that_time.moment == moment
    assert at_that_time.ends == max(each.ended for each in rolled_back(back, takes, now))


@settings(max_examples=10, deadline=None)
@given(ways_back(), nights(), st.integers(0, 60))
def test_a_rollback_under_way_ends_as_it_is_played(
    back: tuple[Step, ...], night: tuple[datetime, ChangeWindow], early: int
) -> None:
    evening, window = night
    deployed = PhaseBegan(evening.replace(hour=23, minute=59, tzinfo=UTC), Phase.POST_DEPLOY)
    of = planned(back, window)
    moment = way_back(of, deployed.at, deployed).moment
    assert moment is not None
    begins = max(moment - early * MINUTE, deployed.at + MINUTE)
    played = rolled_back(back, {step.id: step.duration or timedelta(0) for step in back}, begins)
    decided = Decision(begins, "execute", "primary", "it burns", role="on_call", plan_digest=of.digest, answers=())
    steps: list[StepBegan | StepEnded] = [
        StepBegan(each.began, each.step, "primary", "on_call", of.digest) for each in played
    ]
    steps += [StepEnded(each.ended, each.step, "primary", "done", "", "on_call", of.digest) for each in played]
    steps.sort(key=lambda each: (each.at, isinstance(each, StepBegan)))
    last = max(each.ended for each in played)
    for until in sorted({each.at for each in steps if each.at < last}):
        kept: list[Entry] = [deployed, decided, *(each for each in steps if each.at <= until)]
        now = way_back(of, until, *kept)
        assert (now.fit, now.ends) == (RollbackFit.UNDER_WAY, last)


@settings(max_examples=10, deadline=None)
@given(ways_back(), nights(), st.integers(0, 600))
def test_past_the_point_of_no_return_only_forward_is_left(
    back: tuple[Step, ...], night: tuple[datetime, ChangeWindow], later: int
) -> None:
    evening, window = night
    deployed = PhaseBegan(evening.replace(hour=23, tzinfo=UTC), Phase.POST_DEPLOY)
    gone = PointOfNoReturn(deployed.at + MINUTE, "12 files")
    now = way_back(planned(back, window), gone.at + later * MINUTE, deployed, gone)
    assert now.fit is RollbackFit.FIX_FORWARD
    assert now.word == "past the point of no return: fix forward"
    assert "decide by" not in now.line
    assert "12 files" in now.line


# -- what it says, and when ------------------------------------------------------------------------------------------

UTC_WINDOW = ChangeWindow("UTC", days=("sat",), opens=time(22), closes=time(4))
DEPLOYED = PhaseBegan(datetime(2026, 6, 6, 23, tzinfo=UTC), Phase.POST_DEPLOY)
BACK = (
    Step("back.a", "Revert", HERE, duration=timedelta(minutes=30)),
    Step("back.b", "Look", HERE, duration=5 * MINUTE),
)
NIGHT = planned(BACK, UTC_WINDOW, timedelta(minutes=15))  # the last safe moment is 03:10


def at_clock(clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 6, 7 if hour < 20 else 6, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("clock", "fit", "word"),
    [
        ("23:30", "fits", "decide by 03:10 (in 3h40m)"),
        ("01:58", "fits", "decide by 03:10 (in 1h12m)"),
        ("02:40", "30m left", "decide by 03:10 (in 30m)"),
        ("02:59", "30m left", "decide by 03:10 (in 11m)"),
        ("03:00", "10m left", "decide by 03:10 (in 10m)"),
        ("03:10", "10m left", "decide by 03:10 (in 0s)"),
        ("03:11", "too late", "a rollback now would end at 03:46, 1m into the reserve of 15m"),
        ("03:25", "too late", "a rollback now would end at 04:00, 15m into the reserve of 15m"),
        ("03:50", "too late", "a rollback now would end at 04:25, 25m after the window"),
    ],
)
def test_the_word_of_the_banner(clock: str, fit: str, word: str) -> None:
    found = way_back(NIGHT, at_clock(clock), DEPLOYED)
    assert (str(found.fit), found.word) == (fit, word)


def test_before_the_deployment_there_is_nothing_to_decide_by() -> None:
    found = way_back(NIGHT, at_clock("22:30"), PhaseBegan(at_clock("22:00"), Phase.PRE_DEPLOY))
    assert (found.fit, found.word) == (RollbackFit.NOT_DEPLOYED, "")
    assert found.moment == at_clock("03:10")
    assert found.line.startswith("the last safe moment to go back will be 03:10")
    once = ChangeWindow("UTC", Opening(at_clock("22:00"), at_clock("22:00") + timedelta(hours=6)))
    of = planned(NIGHT.rollback_plan, once)
    late = way_back(of, at_clock("22:00") + timedelta(days=2), PhaseBegan(at_clock("22:00"), Phase.PRE_DEPLOY))
    assert late.moment is not None
    just = way_back(of, late.moment, PhaseBegan(at_clock("22:00"), Phase.PRE_DEPLOY))
    assert just.line.startswith("the last safe moment to go back will be 03:25")
    assert late.moment < late.now
    assert "the last safe moment to go back was" in late.line
    assert "ago: begin in another window" in late.line


def test_a_step_without_a_duration_makes_it_the_latest_moment_and_is_named() -> None:
    bare = Step("back.c", "Post it", HERE)
    found = way_back(planned((*BACK, bare), UTC_WINDOW), at_clock("01:00"), DEPLOYED)
    assert found.word == "decide by 03:25 at the latest (in 2h25m)"
    assert "no duration is known of Post it" in found.line
    none = way_back(planned((bare,), UTC_WINDOW), at_clock("01:00"), DEPLOYED)
    assert (none.fit, none.moment, none.ends) == (RollbackFit.UNTIMED, None, None)
    assert none.line.startswith(f"{none.word}: no step of the rollback plan has a duration")
    before = way_back(planned((bare,), UTC_WINDOW), at_clock("22:30"), PhaseBegan(at_clock("22:00"), Phase.PRE_DEPLOY))
    assert (before.fit, before.word, before.line) == (RollbackFit.NOT_DEPLOYED, "", none.line)


@pytest.mark.parametrize(
    ("held", "path"),
    [
        (timedelta(minutes=5), "GO is possible at 02:55 at the earliest, 15m before"),
        (timedelta(minutes=50), "GO cannot come before the last safe moment: decide now"),
    ],
)
def test_within_thirty_minutes_the_path_to_go_is_held_against_it(held: timedelta, path: str) -> None:
    slow = replace(CALM[0], hold_for=held, min_samples=2, gap_tolerance=held, stale_after=held)
    of = replace(planned(BACK, UTC_WINDOW, timedelta(minutes=15)), success_criteria=(slow,))
    of = replace(of, verdict_dwell=timedelta(minutes=5), probes={name: probe(name) for name in of.probes})
    now = at_clock("02:45")
    board = Board(of, now - 2 * MINUTE)
    from decide.scene import reading

    for back in (75, 60, 45, 30, 15, 0):
        for name in of.probes:
            board.add(name, reading(now - timedelta(seconds=back)))
    began = replace(DEPLOYED, at=now - timedelta(seconds=75))
    found = decide(of, board, Record([began]), now).back
    assert found is not None
    ready = now - timedelta(seconds=75) + held + timedelta(minutes=5)
    assert found.go == ready
    assert found.path == path.replace("02:55", f"{ready:%H:%M}").replace("15m", "16m15s")


def test_it_changes_nothing_of_the_verdict() -> None:
    with_window, without = (seen(of, at_clock("03:50"), DEPLOYED) for of in (NIGHT, planned(BACK, None)))
    assert with_window.verdict == without.verdict
    assert with_window.path_to_go == without.path_to_go
    assert without.back is None


def begun_step(id_: str, begins: str) -> list[Entry]:
    return [StepBegan(at_clock(begins), id_, "primary", "on_call", NIGHT.digest)]


def done_step(id_: str, begins: str, ends: str) -> list[Entry]:
    ended = StepEnded(at_clock(ends), id_, "primary", "done", "", "on_call", NIGHT.digest)
    return [*begun_step(id_, begins), ended]


@pytest.mark.parametrize(
    ("steps", "fit"),
    [
        ([], RollbackFit.FITS),
        (begun_step("back.a", "22:59"), RollbackFit.FITS),
        (begun_step("back.a", "23:00"), RollbackFit.UNDER_WAY),
        (done_step("back.a", "23:30", "23:40"), RollbackFit.UNDER_WAY),
        (done_step("back.a", "23:30", "23:40") + done_step("back.b", "23:40", "23:45"), RollbackFit.FITS),
    ],
)
def test_a_rollback_that_nobody_decided_on_is_under_way_from_its_first_step_since_the_deployment_to_its_last(
    steps: list[Entry], fit: RollbackFit
) -> None:
    assert way_back(NIGHT, at_clock("23:50"), DEPLOYED, *steps).fit is fit


def facts(found: WayBack) -> Mapping[str, object]:
    return {"fit": found.fit, "moment": found.moment}


def test_after_a_rollback_and_another_deployment_the_steps_of_the_first_do_not_count() -> None:
    done: list[Entry] = [DEPLOYED]
    for step in BACK:
        done += done_step(step.id, "23:30", "23:31")
    again = replace(DEPLOYED, at=at_clock("00:30"))
    fresh = way_back(NIGHT, at_clock("01:00"), DEPLOYED)
    assert facts(way_back(NIGHT, at_clock("01:00"), *done, again)) == facts(fresh)
