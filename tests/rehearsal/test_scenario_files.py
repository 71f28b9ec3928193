"""Scenario files: every one that ships loads; every mistake is named with its file and field."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cockpit.decide.states import Word
from cockpit.plan.model import Phase
from cockpit.rehearsal.script.fault_catalogue import CATALOGUE
from cockpit.rehearsal.script.scenario import Ends, Judgement, ScenarioError, load_scenario, names, parse_scenario

GOOD = """
title: t
story: s
phase: post_deploy
timeline:
  - {at: 0s, deploy: bad}
  - {at: 90s, break: s3.denied}
ends: {verdict: ROLLBACK, by: 10m, never: [GO]}
"""
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("name", names())
def test_every_scenario_that_ships_loads_and_fits_into_a_minute_at_sixty_times_life(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.title
    assert scenario.story
    assert scenario.ends.by <= 60 * MINUTE


def test_the_promised_scenarios_are_there() -> None:
    assert {"smooth", "bad-release", "crash-loop", "pool-exhaustion", "s3-denied", "blind"} <= set(names())


def test_a_scenario_says_what_happens_when() -> None:
    scenario = parse_scenario(GOOD, "x.yaml", "x")
    assert [(event.at.total_seconds(), str(event)) for event in scenario.timeline] == [
        (0.0, "deploy a bad release"),
        (90.0, "break s3.denied"),
    ]


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("phase: post_deploy", "phase: after", "x.yaml: phase:"),
        (
            "break: s3.denied",
            "break: s3.deny",
            "x.yaml: timeline[1].break: there is no fault 's3.deny'; did you mean 's3.denied'?",
        ),
        ("at: 90s", "at: 90", "x.yaml: timeline[1].at: 90 is not a duration"),
        ("deploy: bad", "deploy: bad, crew: sign", "x.yaml: timeline[0]: needs exactly one of"),
        ("at: 0s", "at: 2m", "is set earlier; write it in order of time"),
        ("title: t", "titel: t", "x.yaml: titel: Extra inputs are not permitted"),
        ("title: t", "title: t\ntitle: u", "x.yaml:3:1: 'title' is given twice"),
        ("never: [GO]", "never: [ROLLBACK]", "x.yaml: ends: ends in ROLLBACK, which it says must never be"),
        ("ends: {", "ends: [", "x.yaml:8:"),
        ("by: 10m", "by: soon", "x.yaml: ends.by: 'soon' is not a duration"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_field(wrong: str, right: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(GOOD.replace(wrong, right), "x.yaml", "x")
    assert said in str(caught.value)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(GOOD.replace("phase: post_deploy", "phase: x").replace("by: 10m", "by: x"), "x.yaml", "x")
    assert len(str(caught.value).splitlines()) == 2


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'smooth'"):
        load_scenario("smoth")


def test_go_ends_a_scenario_only_in_its_phase() -> None:
    ends = Ends(verdict=Word.GO, by=timedelta(minutes=45))
    assert ends.judge(Word.GO, Phase.PRE_DEPLOY, 2 * MINUTE) is Judgement.RUNNING
    assert ends.judge(Word.GO, Phase.POST_DEPLOY, 40 * MINUTE) is Judgement.AS_EXPECTED
    assert ends.judge(Word.HOLD, Phase.POST_DEPLOY, 46 * MINUTE) is Judgement.TOO_LATE


def test_hold_is_judged_at_the_end_because_everything_begins_with_it() -> None:
    ends = Ends(verdict=Word.HOLD, by=10 * MINUTE, never=(Word.GO,))
    assert ends.judge(Word.HOLD, Phase.POST_DEPLOY, MINUTE) is Judgement.RUNNING
    assert ends.judge(Word.GO, Phase.POST_DEPLOY, MINUTE) is Judgement.FORBIDDEN
    assert ends.judge(Word.HOLD, Phase.POST_DEPLOY, 10 * MINUTE) is Judgement.AS_EXPECTED


def test_every_fault_has_a_title_a_tired_person_understands() -> None:
    assert all(title[0].isupper() and 15 < len(title) < 90 for title in CATALOGUE.values())
