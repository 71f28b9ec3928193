"""Screen 5 says what a rollback is about: what runs, back to what, what is lost, how long it takes; and how it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tui.kept_nights import START, situation_of

from cockpit import formatting
from cockpit.decide.situation import ServiceRelease, Situation, StepStatus
from cockpit.decide.states import StepState, Word
from cockpit.tui.views import steps
from cockpit.tui.widgets.grid import fit, without_middle


def shown(situation: Situation) -> str:
    return "\n".join(row.heading.plain for row in steps.rollback(situation) if row.heading is not None)


def test_the_panel_names_both_revisions_what_is_lost_and_the_time_it_takes() -> None:
    situation = situation_of("bad-release")
    assert situation.verdict.latch is not None
    release = ServiceRelease("c", "web", "web:42", ("sha256:aaaabbbbccccdddd",), START, "web:41", ("sha256:1",), START)
    text = shown(replace(situation, releases=(release,)))
    assert "runs  web:42 (sha256:aaaabbbbcccc) since 02:00:00" in text
    assert "back to  web:41 (sha256:1), noted 02:00:00" in text
    assert "loses  nothing: no point of no return was passed" in text
    planned = sum((step.duration for step in situation.rollback_plan if step.duration), timedelta(0))
    assert planned
    assert "takes  " in text
    lost = replace(situation, verdict=replace(situation.verdict, loses="12 files"))
    assert "loses  12 files" in shown(lost)
    undone = replace(situation, verdict=replace(situation.verdict, undone=START))
    assert "loses  nothing: the point of no return was passed, and undone at 02:00:00" in shown(undone)
    unseen = replace(situation, releases=(replace(release, runs="", before=""),))
    assert "runs  cannot be seen now" in shown(unseen)
    assert "back to  not noted before the deployment" in shown(unseen)


def test_the_runbook_names_the_step_under_way_its_owner_and_time_and_the_next() -> None:
    situation = situation_of("bad-release")
    first, second, *rest = situation.runbook
    assert dict(steps.progress(situation)) == {"next": f"1 {first.title}{planned(first)}"}
    began = replace(first, progress=StepState.STARTED, began=situation.now - timedelta(minutes=4), by="primary")
    facts = dict(
        steps.progress(replace(situation, runbook=(replace(began, duration=timedelta(minutes=3)), second, *rest)))
    )
    assert facts == {"now": f"1 {first.title}: primary, 4m (3m) LATE", "next": f"2 {second.title}{planned(second)}"}


def planned(step: StepStatus) -> str:
    return f" ({formatting.duration(step.duration)})" if step.duration else ""


@pytest.mark.parametrize("width", [80, 100, 120, 140, 160])
def test_what_stands_behind_a_steps_title_is_not_cut_off(width: int) -> None:
    situation = situation_of("bad-release")
    step = replace(situation.rollback_plan[0], title="Revert the service to the " * 4)
    ask = next(each.sign_off for each in situation.runbook if each.sign_off)
    unsigned = replace(step, progress=StepState.DONE, sign_off=ask)
    for each, behind in ((step, "[ecs.rollback]"), (unsigned, "needs a sign-off")):
        title = steps.step_row(each, situation, 1).cell("title")
        column, cells = next(one for one in fit(steps.STEPS, width, {"title": title.cell_len}) if one[0].key == "title")
        shown_title = without_middle(title, cells) if column.middle else title
        shown_title.truncate(cells, overflow="ellipsis")
        assert shown_title.plain.endswith(behind)


def test_the_cursor_begins_on_the_decision() -> None:
    rows = steps.rollback(situation_of("bad-release"))
    assert next(row.key for row in rows if row.selectable) == "decide:execute"


def test_a_rollback_that_has_ended_says_so_and_what_is_left() -> None:
    situation = situation_of("bad-release")
    over = replace(situation.verdict, word=Word.ROLLED_BACK, latch=None, since=START)
    text = shown(replace(situation, verdict=over))
    assert f"ROLLED BACK 02:00  0 of {len(situation.rollback_plan)} steps are done" in text
