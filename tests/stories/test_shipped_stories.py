"""The stories of the shipped plans come to what they expect."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.commands.story_tests import outcome_of, stories_of

CHECKLISTS = Path(__file__).parents[2] / "checklists"
STORIES = list(stories_of(CHECKLISTS / "stories"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_of_a_shipped_plan_comes_to_what_it_expects(path: Path) -> None:
    found = outcome_of(str(path), {})
    assert (found.problems, found.failures, found.contradictions) == ((), (), ())


def test_every_shipped_plan_has_a_story() -> None:
    assert [plan.name for plan in CHECKLISTS.glob("*.yaml") if not list(stories_of(plan))] == []
