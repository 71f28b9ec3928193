"""The stories of the shipped plans come to what they expect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.junit_schema import fits_the_schema

from cockpit.commands.story_outcome import Outcome, outcome_of
from cockpit.commands.story_tests import junit_text
from cockpit.stories.story_html import StoryBand, story_page
from cockpit.stories.story_search import stories_of

CHECKLISTS = Path(__file__).parents[2] / "checklists"
STORIES = list(stories_of(CHECKLISTS / "stories"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_of_a_shipped_plan_comes_to_what_it_expects(path: Path) -> None:
    found = outcome_of(str(path), {})
    assert (found.problems, found.failures, found.contradictions) == ((), (), ())


def test_every_shipped_plan_has_a_story() -> None:
    assert [plan.name for plan in CHECKLISTS.glob("*.yaml") if not list(stories_of(plan))] == []


FAILED = Outcome(
    "s.yaml", "s", "A <title>", "HOLD", 600.0, ("GO by 8m: it was HOLD",), (), verdicts=((300.0, "GO", "<b>"),)
)


def test_what_failed_and_what_cannot_be_used_is_so_for_ci() -> None:
    bad = Outcome("t.yaml", "t", "", "", 0.0, (), (), ("t.yaml:1:1: is not a story",))
    suite = fits_the_schema(junit_text([replace(FAILED, failures=("GO by 8m", "never ROLLBACK")), bad]))[0]
    assert suite[0][0].text == "GO by 8m\nnever ROLLBACK"
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "1")
    assert [case[0].tag for case in suite] == ["failure", "error"]


def test_the_page_shows_every_verdict_over_time_and_no_markup_of_others() -> None:
    page = story_page([StoryBand(FAILED.name, FAILED.title, FAILED.lasted_s, FAILED.verdicts, FAILED.failures)])
    assert page.count("<rect") == 2
    assert "0 of 1 stories as expected" in page
    assert "A &lt;title&gt;" in page
    assert "<b>" not in page
