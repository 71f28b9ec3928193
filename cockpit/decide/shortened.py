"""A waiver or a dismissal given anew for a shorter time by a clock that cannot be right: it ends the earlier one by then.

That only keeps something from going on, so it counts whatever the clock; it does nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cockpit.decide.events import Decision, Entry, Waiver
from cockpit.decide.time_doubt import as_stated


def ends_by(entry: Entry) -> datetime | None:
    """When what it renews is over at the latest: its length from when it is learned of, or its own end where that is sooner.

    None for whatever renews nothing.
    """
    stated = as_stated(entry)
    if not isinstance(stated, Waiver | Decision) or stated.until is None:
        return None
    if isinstance(stated, Decision) and stated.choice != "dismiss":
        return None
    return min(stated.until, (entry.proof.received or stated.at) + (stated.until - stated.at))


def renews(entry: Entry, earlier: Entry) -> bool:
    """Whether both are about the same: a waiver of the same line, a dismissal of a trigger that the earlier one names, too."""
    if isinstance(entry, Waiver) and isinstance(earlier, Waiver):
        return entry.subject == earlier.subject
    if isinstance(entry, Decision) and isinstance(earlier, Decision):
        return earlier.choice == "dismiss" and (
            earlier.answers is None or bool(_triggers(entry) & _triggers(earlier)) or not _triggers(entry)
        )
    return False


def shortens(entry: Entry, given: Sequence[Entry]) -> bool:
    """Whether one of those given before would last longer without it."""
    end = ends_by(entry)
    return end is not None and any(
        renews(entry, each) and (each.until is None or each.until > end)
        for each in given
        if isinstance(each, Waiver | Decision)
    )


def shortened(given: Waiver, entry: Entry) -> Waiver:
    """A waiver given before, as it lasts beside one that renews it."""
    end = ends_by(entry)
    return replace(given, until=max(end, given.at)) if end is not None and end < given.until else given


def _triggers(decision: Decision) -> set[str]:
    return {each.subject for each in decision.answers or ()}
