"""Every rehearsed night names its cause in the first two lines of the banner at 80x24, from readings kept of those nights."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tui.kept_nights import NIGHTS, situation_of

from cockpit.decide.situation import Situation
from cockpit.decide.states import Word
from cockpit.rehearsal.script.scenario import names
from cockpit.tui.action_registry import ACTIONS
from cockpit.tui.widgets.banner import Here, banner_lines

KEYS = {action.id: action.shown for action in ACTIONS}
PACE = "running at 16x (asked: 20x)"
CAUSES = {
    "alarm-before-start": "transparent-trust-batch-backlog",
    "bad-release": "transparent-trust-web:2",
    "blind": "cloudwatch:",
    "crash-loop": "Essential",
    "flapping": "second time",
    "llm-outage": "529: LLM call failed",
    "oauth-broken": "invalid_client",
    "pool-exhaustion": "remaining connection",
    "s3-denied": "AccessDenied",
    "secrets-missing": "transparent-trust/anthropic-api-key",
}
UNHURT = {"smooth", "quiet-night", "quiet-night-alone", "rolled-back"}
"""Nights without a fault of their own: `rolled-back` has the one of `bad-release`."""


def lines(situation: Situation, notice: str = "", width: int = 80, aside: str = "") -> list[str]:
    here = Here("primary", KEYS)
    return banner_lines(situation, timedelta(0), notice, width, here=here, aside=aside).plain.split("\n")


def night(name: str) -> Situation:
    return situation_of(name, timedelta(minutes=3), times=2) if name == "flapping" else situation_of(name)


def test_every_night_is_looked_at() -> None:
    assert NIGHTS.keys() == CAUSES.keys() == set(names()) - UNHURT


@pytest.mark.parametrize("name", CAUSES)
def test_a_night_names_its_cause_in_the_first_two_lines(name: str) -> None:
    situation = night(name)
    first = lines(situation)
    assert CAUSES[name] in "\n".join(first[:2])
    with_notice = lines(situation, PACE)
    assert with_notice[:2] == first[:2]
    reason = first[2].strip().split("…")[0]
    assert with_notice[2].strip().startswith(reason[:40])
    assert "▲ running at 16x" in with_notice[2]
    assert lines(situation, aside=PACE)[2].strip().startswith(first[2].strip()), (
        "how fast it runs takes no room of a cause"
    )

    high = banner_lines(situation, timedelta(0), "", 140, 4, here=Here("primary", KEYS), aside=PACE).plain.split("\n")
    assert not high[2].strip().startswith("▲"), "nor its place"


def test_a_breach_is_counted_down_beside_the_word() -> None:
    situation = situation_of("bad-release", timedelta(minutes=2))
    assert situation.verdict.turns_to is Word.ROLLBACK
    assert " ■ HOLD -> ROLLBACK in " in lines(situation)[0]
    assert lines(situation)[2].strip().startswith("500 error rate above 5 % for 5 minutes BREACHING, trips in ")
