"""What a decision is about, as the timeline, the report and the one who took it read it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from decide.scene import START, at

from cockpit.decide.events import DECISION, Decision, Occurrence
from cockpit.decide.occurrence_text import answers_of, named

ERRORS, DARK, EARLIER = Occurrence(at(300), "errors"), Occurrence(at(420), "dark"), Occurrence(at(60), DECISION)


def decision(choice: str, answers: tuple[Occurrence, ...] | None, until: datetime | None = None) -> Decision:
    more: dict[str, Any] = {"answers": answers, "until": until}
    return Decision(START, choice, "ann", "so", role="on_call", plan_digest="d1", **more)


def test_what_was_true_is_named_with_when_and_of_what_has_no_name_it_is_the_rollback() -> None:
    assert named([ERRORS, DARK]) == "errors of 22:05:00, dark of 22:07:00"
    assert named([Occurrence(at(300), "")]) == "the rollback of 22:05:00"
    assert named([]) == ""


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (decision("execute", None), ""),
        (decision("execute", ()), ""),
        (decision("execute", (ERRORS, DARK)), "answers errors of 22:05:00, dark of 22:07:00"),
        (decision("fix_forward", (ERRORS,), at(600)), "answers errors of 22:05:00"),
        (decision("execute", (ERRORS, EARLIER)), "answers errors of 22:05:00, withdraws the decision of 22:01:00"),
        (decision("execute", (EARLIER,)), "withdraws the decision of 22:01:00"),
        (decision("dismiss", None, at(600)), ""),
        (decision("dismiss", (), at(600)), "until 22:10:00"),
        (decision("dismiss", (ERRORS,)), "answers errors of 22:05:00, until it is clear"),
        (decision("dismiss", (ERRORS,), at(600)), "answers errors of 22:05:00, until 22:10:00"),
    ],
)
def test_a_decision_says_what_it_answers_what_it_withdraws_and_a_dismissal_until_when(
    made: Decision, said: str
) -> None:
    assert answers_of(made) == said
