"""The latch: a rollback once shown stays until a named person decides, whatever the metric does afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cockpit.decide.counted import Counted
from cockpit.decide.criterion import Judged
from cockpit.decide.events import Change, Decision, Waiver
from cockpit.decide.situation import Latch
from cockpit.decide.state_machine import Trip
from cockpit.decide.states import State, Word
from cockpit.plan.model import Kind, Severity

ROLLING_BACK = frozenset(word for word in Word if word.calls_for_decision)
DECIDED = frozenset({"execute", "fix_forward"})
"""Choices that answer a latched rollback and leave the word standing; "dismiss" takes it away."""


@dataclass(frozen=True, slots=True, order=True)
class Cause:
    """Why a rollback is latched: a trigger, and since when."""

    since: datetime
    trigger: str


def latched(
    judged: Sequence[Judged], record: Counted, phase_began: datetime | None, now: datetime
) -> tuple[Latch | None, Decision | None]:
    """The rollback that waits for a decision, and the decision to act on it once there is one.

    A dismissal covers every trip that was known by then; a trigger that trips again latches again.
    """
    decisions = [d for d in record.all(Decision) if d.at <= now]
    dismissed = max((d.at for d in decisions if d.choice == "dismiss"), default=None)
    open_ = [*_criticals(judged, record, dismissed), *_majors(judged, record, dismissed)]
    open_ = open_ or _announced(judged, record, phase_began, dismissed)
    if not open_:
        return None, None
    since = min(cause.since for cause in open_)
    executing = next((d for d in decisions if d.choice in DECIDED and d.at >= since), None)
    triggers = tuple(dict.fromkeys(cause.trigger for cause in sorted(open_) if cause.trigger))
    return Latch(since, timedelta(0) if executing else now - since, triggers), executing


def _criticals(judged: Sequence[Judged], record: Counted, dismissed: datetime | None) -> list[Cause]:
    return [
        Cause(trip.since, each.criterion.id)
        for each in _triggers(judged, Severity.CRITICAL)
        for trip in each.trips
        if not _covered(trip, each.criterion.id, record, dismissed)
    ]


def _majors(judged: Sequence[Judged], record: Counted, dismissed: datetime | None) -> list[Cause]:
    """Majors tripped at the same time as another one, from the moment they were: one alone is not enough."""
    trips = [(trip, each.criterion.id) for each in _triggers(judged, Severity.MAJOR) for trip in each.trips]
    open_ = [(trip, id_) for trip, id_ in trips if not _covered(trip, id_, record, dismissed)]
    found = []
    for trip, id_ in open_:
        for other, other_id in trips:
            begins = max(trip.since, other.since)
            if other_id != id_ and all(t.until is None or t.until > begins for t in (trip, other)):
                found += [Cause(begins, id_), Cause(begins, other_id)]
    return found


def _covered(trip: Trip, trigger: str, record: Counted, dismissed: datetime | None) -> bool:
    """Whether a dismissal was given when people could know of the trip."""
    return dismissed is not None and trip.since <= dismissed and known_at(trip, trigger, record) <= dismissed


def _triggers(judged: Sequence[Judged], severity: Severity) -> list[Judged]:
    return [
        each
        for each in judged
        if each.trips
        and each.criterion.kind is Kind.TRIGGER
        and each.criterion.enforced
        and each.criterion.severity is severity
    ]


def known_at(trip: Trip, trigger: str, record: Counted) -> datetime:
    """When the trip was first shown: an answer may arrive after a dismissal that was given before it could be seen."""
    shown = [
        change.at
        for change in record.all(Change)
        if change.subject == trigger
        and change.after == State.TRIPPED
        and change.before != State.RECOVERING
        and change.at >= trip.since
        and (trip.until is None or change.at <= trip.until)
    ]
    return min(shown, default=trip.since)


def _announced(
    judged: Sequence[Judged], record: Counted, phase_began: datetime | None, dismissed: datetime | None
) -> list[Cause]:
    """A rollback that the record shows without a decision, though its trip is gone: data corrected later, a restart."""
    latest = record.latest(Change, "verdict")
    if latest is None or latest.after not in ROLLING_BACK:
        return []
    shown = [change for change in record.all(Change) if change.subject == "verdict"]
    first = next((c for c in reversed(shown) if c.before not in ROLLING_BACK), latest)
    if (phase_began is not None and first.at < phase_began) or (dismissed is not None and dismissed >= first.at):
        return []
    with_it = {c.subject for c in record.all(Change) if c.at == first.at and c.after == State.TRIPPED}
    triggers = [each.criterion.id for each in judged if each.criterion.id in with_it]
    kept = [id_ for id_ in triggers if not _waived_since(record, id_, first.at)]
    if triggers and not kept:
        return []
    return [Cause(first.at, id_) for id_ in kept or [""]]


def _waived_since(record: Counted, trigger: str, moment: datetime) -> bool:
    waiver = record.latest(Waiver, trigger)
    return waiver is not None and waiver.at >= moment
