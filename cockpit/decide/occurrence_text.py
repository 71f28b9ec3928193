"""What a decision is about, in words."""

from __future__ import annotations

from collections.abc import Iterable

from cockpit import formatting
from cockpit.decide.events import DECISION, Decision, Occurrence


def named(occurrences: Iterable[Occurrence]) -> str:
    """Occurrences by name and time; empty without any.

    >>> from datetime import UTC, datetime
    >>> named([Occurrence(datetime(2026, 1, 2, 22, 5, tzinfo=UTC), "errors")])
    'errors of 22:05:00'
    """
    return ", ".join(f"{each.subject or 'the rollback'} of {formatting.clock(each.since)}" for each in occurrences)


def answers_of(decision: Decision) -> str:
    """What it answers, what it withdraws, and until when: "answers errors of 22:05:00, until it is clear"."""
    given = decision.answers or ()
    withdrawn = [each for each in given if each.subject == DECISION]
    trips = [each for each in given if each.subject != DECISION]
    parts = [f"answers {named(trips)}"] if trips else []
    parts += [f"withdraws the decision of {formatting.clock(each.since)}" for each in withdrawn]
    if decision.choice == "dismiss" and decision.answers is not None:
        parts.append(f"until {formatting.clock(decision.until)}" if decision.until else "until it is clear")
    return ", ".join(parts)
