"""When what was decided can change though nothing is read and nobody states anything: windows end, statements lapse. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cockpit.decide.events import Decision, Record, SignOff, Vote, Waiver
from cockpit.decide.situation import Situation
from cockpit.decide.timing import LAST, SOON
from cockpit.plan.model import Plan

_JUST_AFTER = timedelta(microseconds=1)
"""What is valid until a moment still is so at it."""


def next_moment(plan: Plan, record: Record, situation: Situation) -> datetime | None:
    """The first such moment after the situation; None where it can go on for ever."""
    moments = (*_windows_end(situation), *_statements_lapse(plan, record), *_way_back_closes(situation))
    return min((each for each in moments if each > situation.now), default=None)


def _windows_end(situation: Situation) -> Iterator[datetime]:
    """When a window ends, or the dwell before GO, if all goes on as it is."""
    for step in situation.path_to_go:
        if step.eta is not None:
            yield step.eta
    for status in (*situation.criteria, *situation.guards):
        for left in (status.trips_in, status.met_in):
            if left is not None:
                yield situation.now + left


def _statements_lapse(plan: Plan, record: Record) -> Iterator[datetime]:
    """Votes and sign-offs that are valid for a time, waivers and dismissals with an end."""
    gates = {gate.id: gate.poll.valid_for for gate in plan.gates}
    stated = [(vote.at, gates.get(vote.gate)) for vote in record.all(Vote)]
    asks = plan.asks()
    stated += [(each.at, asks[each.subject].valid_for) for each in record.all(SignOff) if each.subject in asks]
    yield from (at + lasts + _JUST_AFTER for at, lasts in stated if lasts is not None)
    yield from (waiver.until for waiver in record.all(Waiver))
    yield from (decision.until for decision in record.all(Decision) if decision.until is not None)


def _way_back_closes(situation: Situation) -> Iterator[datetime]:
    """When the time left until the last safe moment is little, very little, and over."""
    back = situation.back
    if back is not None and back.moment is not None:
        yield from (back.moment - SOON, back.moment - LAST, back.moment + _JUST_AFTER)
