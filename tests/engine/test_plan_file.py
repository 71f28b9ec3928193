"""The plan's file edited while the cockpit runs: shown with what would change, kept in the record, never used."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.clock import HandClock
from support.plans.signing_plan import signing_plan
from support.sources import NoSource

from cockpit.decide.events import Happened
from cockpit.engine.plan_file import PlanFile, difference, differences, watching_plan_file
from cockpit.engine.watch import Watch
from cockpit.formatting import duration
from cockpit.plan.model import Plan, Severity


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return signing_plan(tmp_path)


def edit(plan: Plan, old: str, new: str) -> None:
    text = Path(plan.path).read_text()
    assert old in text
    Path(plan.path).write_text(text.replace(old, new))


def test_a_plan_that_was_not_touched_says_nothing(plan: Plan) -> None:
    assert difference(plan, {}) == ""


def test_an_edit_names_what_it_adds_changes_and_leaves_out(plan: Plan) -> None:
    first = plan.people[0]
    edit(plan, f"id: {first.id}", "id: zoe")
    text = difference(plan, {})
    assert "person zoe added" in text
    assert f"person {first.id} left out" in text
    assert "goes on with what it was opened with" in text


def test_an_edit_says_by_the_plans_own_word_what_a_window_is_and_would_be(plan: Plan) -> None:
    trigger = plan.rollback_triggers[0]
    longer = replace(trigger, hold_for=trigger.hold_for + timedelta(minutes=4), severity=Severity.INFO)
    (line,) = differences(plan, replace(plan, rollback_triggers=(longer, *plan.rollback_triggers[1:])))
    was, would_be = duration(trigger.hold_for), duration(longer.hold_for)
    assert line == f"trigger {trigger.id} changed (for {was}, would be {would_be}; severity critical, would be info)"


def test_an_edit_of_the_wording_alone_says_so(plan: Plan) -> None:
    Path(plan.path).write_text(Path(plan.path).read_text() + "# a remark\n")
    assert "nothing but its wording would change" in difference(plan, {})


def test_a_file_that_is_no_plan_any_more_is_shown_with_its_problem(plan: Plan) -> None:
    Path(plan.path).write_text("plan: v1\nnam: x\n")
    assert "cannot be used now" in difference(plan, {})
    Path(plan.path).unlink()
    assert "cannot be used now" in difference(plan, {})


async def test_it_is_shown_and_kept_once_and_the_plan_in_use_stays(plan: Plan) -> None:
    watch = Watch(plan, NoSource(), HandClock())
    held = PlanFile(watch, {})
    await held.look()
    assert (held.notice, watch.record.entries) == ("", [])
    before = Path(plan.path).read_text()
    edit(plan, f"id: {plan.people[0].id}", "id: zoe")
    await held.look()
    await held.look()
    (kept,) = watch.record.all(Happened)
    assert kept.text == held.notice
    assert watch.plan is plan
    Path(plan.path).write_text(before)
    await held.look()
    assert held.notice == ""
    assert "again as this cockpit was opened with" in watch.record.all(Happened)[-1].text


async def test_the_notice_is_among_those_of_the_watch(plan: Plan) -> None:
    watch = Watch(plan, NoSource(), HandClock())
    async with watching_plan_file(watch, {}) as held:
        edit(plan, f"id: {plan.people[0].id}", "id: zoe")
        await held.look()
        assert "PLAN EDITED" in watch.notice
