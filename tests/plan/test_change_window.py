"""The change window, the order of steps and who does them: what a plan may say, and what is refused, with its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.plans.written_plan import marked, own_probes, plan, problem, problems

from cockpit.plan.change_window import Opening

__all__ = ["own_probes"]
GATE = "gates: [{id: go_no_go, before: deploy, poll: {roles: [on_call], required: 1}}]\n"


def window(begins: str, ends: str, more: str = "", zone: str = "America/New_York") -> str:
    return f'window: {{from: "{begins}", to: "{ends}", time_zone: {zone}{more}}}\n'


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_window_is_resolved_by_the_clocks_of_its_zone() -> None:
    loaded = plan(window("2026-11-30T22:00", "2026-12-01T04:00") + "rollback_reserve: 15m\n")
    assert loaded.window is not None
    assert loaded.window.once == Opening(moment("2026-12-01T03:00"), moment("2026-12-01T09:00"))
    assert loaded.rollback_reserve == timedelta(minutes=15)
    assert not loaded.window.changes_clocks(loaded.window.once)


@pytest.mark.parametrize(
    ("begins", "ends", "opened", "closed"),
    [
        ("22:00", "04:00", "2026-03-08T03:00", "2026-03-08T08:00"),  # 02:00 to 03:00 is skipped: five hours
        ("22:00", "02:30", "2026-03-08T03:00", "2026-03-08T07:00"),  # its end is skipped: as the clocks go forward
        ("02:30", "06:00", "2026-03-08T07:00", "2026-03-08T10:00"),
    ],
)
def test_a_weekly_window_over_the_night_in_spring(begins: str, ends: str, opened: str, closed: str) -> None:
    loaded = plan(window(begins, ends, ", days: [sat, sun]"))
    assert loaded.window is not None
    assert loaded.window.near(moment(closed) - timedelta(minutes=1)) == Opening(moment(opened), moment(closed))


def test_a_weekly_window_over_the_night_in_autumn_closes_the_first_time_its_end_is_shown() -> None:
    loaded = plan(window("22:00", "01:30", ", days: [sat]"))
    assert loaded.window is not None
    assert loaded.window.near(moment("2026-11-01T03:00")) == Opening(
        moment("2026-11-01T02:00"), moment("2026-11-01T05:30")
    )


def test_of_a_weekly_window_the_nearest_opening_and_the_next() -> None:
    loaded = plan(window("22:00", "04:00", ", days: [sat]", "UTC"))
    assert loaded.window is not None
    this = Opening(moment("2026-06-06T22:00"), moment("2026-06-07T04:00"))
    week = timedelta(days=7)
    for at in ("2026-06-06T21:50", "2026-06-06T22:00", "2026-06-07T04:10"):
        assert loaded.window.near(moment(at)) == this
    assert loaded.window.next_after(moment("2026-06-07T04:10")) == Opening(this.begins + week, this.ends + week)


@pytest.mark.parametrize(
    ("text", "said", "at"),
    [
        (window("2026-11-30T22:00", "2026-12-01T04:00", zone="Mars/Base"), "is no time zone", "Mars/Base"),
        (window("22:00", "04:00"), "need their dates", ""),
        (window("2026-11-30T22:00", "04:00", ", days: [sat]"), "with days", ""),
        (window("04:00", "04:00", ", days: [sat]"), "never be open", ""),
        (window("2026-11-31T22:00", "2026-12-01T04:00"), "no such day", '"2026-11-31T22:00"'),
        (window("2026-12-01T04:00", "2026-11-30T22:00"), "not after", '"2026-11-30T22:00"'),
        (window("2026-03-08T02:30", "2026-03-08T06:00"), "write 03:30", '"2026-03-08T02:30"'),
        (window("2026-10-31T22:00", "2026-11-01T01:30"), "write 2026-11-01T01:30-04:00 or 2026-11-01T01:30-05:00", ""),
        (window("tonight", "2026-12-01T04:00"), "right form", '"tonight"'),
        (window("22:00", "04:00", ", days: [caturday]"), "'mon'", "caturday"),
        ("window: {from: '22:00', to: '04:00', days: [sat]}\n", "'time_zone' is missing", ""),
        ("rollback_reserve: soon\n", "is not a duration", "soon"),
    ],
)
def test_a_window_that_cannot_be_is_refused_where_it_stands(text: str, said: str, at: str) -> None:
    found = problem(text)
    assert said in found.message
    assert not at or marked(found) == at


def test_steps_say_what_they_wait_for_who_does_them_and_what_shows_their_progress() -> None:
    loaded = plan(
        GATE + "runbook:\n  - {id: a, title: A, expected: 30m}\n"
        "  - {id: b, title: B, duration: 5m, after: [], roles: [backup]}\n"
        "  - {id: c, title: C, after: [a, b, a], gate: deploy, owner: ann, progress: [live.rate], in_window: false}\n"
    )
    a, b, c = loaded.runbook
    assert (a.after, a.duration, b.after, b.duration, b.roles) == (
        None, timedelta(minutes=30), (), timedelta(minutes=5), ("backup",),
    )  # fmt: skip
    assert (c.after, c.gate, c.owner, c.progress, c.in_window) == (("a", "b"), "go_no_go", "ann", ("live.rate",), False)


@pytest.mark.parametrize(
    ("more", "said", "at"),
    [
        ("after: [two]", "there is no step 'two' in runbook; runbook has one", "two"),
        ("after: [oen]", "did you mean 'one'?", "oen"),
        ("after: [back]", "there is no step 'back' in runbook", "back"),
        ("after: [this]", "steps wait for each other: this waits for this", ""),
        ("gate: deplo", "there is no gate 'deplo'; did you mean 'deploy'?", "deplo"),
        ("gate: purge", "there is no gate 'purge'", "purge"),
        ("owner: an", "there is no person 'an'; did you mean 'ann'?", "an"),
        ("roles: [intern]", "nobody holds the role 'intern'", "intern"),
        ("progress: [live.rte]", "has no field 'rte'; did you mean 'rate'?", "live.rte"),
        ("progress: [lve.rate]", "there is no probe 'lve' in this plan; did you mean 'live'?", "lve.rate"),
        ("progress: [live.running]", "is no share from 0 to 1; this probe has rate", "live.running"),
        ("progress: [rate]", "right form", "rate"),
        ("expected: 1h, duration: 2h", "expected and duration are one thing: write expected", ""),
        ("expected: 0s", "at least 1s", "0s"),
        ("in_window: perhaps", "must be true or false", "perhaps"),
    ],
)
def test_a_step_that_names_what_is_not_there_is_refused_where_it_stands(more: str, said: str, at: str) -> None:
    text = GATE + "runbook:\n  - {id: one, title: One}\n  - {id: this, title: This, " + more + "}\n"
    found = problem(text + "rollback_plan: [{id: back, title: Back}]\n")
    assert said in found.message
    assert not at or marked(found) == at


def test_steps_in_a_circle_are_named_with_every_other_problem() -> None:
    text = "  - {id: a, title: A, after: [c]}\n  - {id: b, title: B}\n  - {id: c, title: C, owner: nobody}\n"
    found = [each.message for each in problems("runbook:\n" + text)]
    assert found[0].startswith("steps wait for each other: ")
    assert sorted(found[0].removeprefix("steps wait for each other: ").split(" waits for ")[:-1]) == ["a", "b", "c"]
    assert "there is no person 'nobody'" in found[1]


def test_a_rollback_is_not_prepared_before_the_window() -> None:
    found = problem("rollback_plan: [{id: back, title: Back, in_window: false}]\n")
    assert "never prepared before the window" in found.message
