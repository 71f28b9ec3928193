"""The status of a criterion: its evaluation, with waivers, acknowledgements and sign-offs applied."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from cockpit.decide.because import Explanation
from cockpit.decide.counted import Counted
from cockpit.decide.evaluation import Evaluation
from cockpit.decide.events import Acknowledgement, Change, Waiver
from cockpit.decide.sign_off import sign_off_status
from cockpit.decide.situation import Badge, CriterionStatus, SignOffStatus
from cockpit.decide.state_machine import MachineState, Trip
from cockpit.decide.states import State
from cockpit.plan.model import Criterion, Kind, Mode
from probes.frozen import frozen
from probes.reading import Unknown


@frozen
class Judged:
    """A criterion's status with what the verdict needs beside it."""

    criterion: Criterion
    status: CriterionStatus
    trips: tuple[Trip, ...]
    """Trips that count: not waived, not there before the cutover."""
    pre_existing: bool
    suspected: bool = False
    """A trigger whose newest real sample was true, whatever hides it now."""
    clears_in: timedelta | None = None
    """For a RECOVERING trigger: when it is clear if nothing changes."""


def judge(criterion: Criterion, evaluation: Evaluation, record: Counted, started_at: datetime, now: datetime) -> Judged:
    """The status of one criterion at `now`, from its evaluation and what counts of the record."""
    reached, unknown = evaluation.reached, evaluation.blindness
    state = _state(reached, unknown)
    waiver = active_waiver(record, criterion.id, now)
    older = reached.pre_existing if reached is not None and state.judging.suspected else None
    pre_existing = older is not None
    acknowledged = record.latest(Acknowledgement, criterion.id)
    if acknowledged is not None and acknowledged.since not in (None, older):
        acknowledged = None  # it is of another occurrence
    signed = sign_off_status(criterion.sign_off, criterion.id, record, reached, now)
    if criterion.condition is None and signed is not None:
        state, unknown = (State.MET if signed.given else State.NOT_MET), None
    stands_since = shown_since(record.latest(Change, criterion.id), state, now)
    known_since = None
    if acknowledged is not None and pre_existing and unknown is None:
        known_since = max(acknowledged.at, seen_since(record, criterion.id, now) or acknowledged.at)
    explained = evaluation.because
    status = CriterionStatus(
        id=criterion.id,
        title=criterion.title,
        kind=criterion.kind,
        severity=criterion.severity,
        enforced=criterion.enforced,
        state=state,
        since=stands_since or started_at,
        because=explained if unknown is None else replace(explained, line=_blinded(explained, unknown, state)),
        position=criterion.position,
        unknown=unknown,
        badges=_badges(criterion, evaluation, state, waiver, pre_existing),
        trips_in=evaluation.left if state is State.PENDING else None,
        met_in=evaluation.left if state is State.PROVING else None,
        ok_since=_ok_since(state, reached, waiver, signed, known_since, stands_since),
        pre_existing=older,
        acknowledged=pre_existing and acknowledged is not None,
        runbook=criterion.runbook,
        ref=criterion.ref,
        caution=criterion.caution,
        sign_off=signed,
    )
    return Judged(
        criterion,
        status,
        tuple(t for t in unwaived(evaluation.trips, record, criterion.id) if t.since <= now),
        pre_existing,
        suspected=criterion.kind is Kind.TRIGGER and reached is not None and reached.state is not State.CLEAR,
        clears_in=evaluation.left if state is State.RECOVERING else None,
    )


def _state(reached: MachineState | None, unknown: Unknown | None) -> State:
    """What it is called: a trip never ends through missing data; all else is unknown while it cannot be seen."""
    if reached is not None and reached.state.judging.tripped:
        return reached.state
    if unknown is not None or reached is None:
        return State.UNKNOWN
    return reached.state


def _ok_since(
    state: State,
    reached: MachineState | None,
    waiver: Waiver | None,
    signed: SignOffStatus | None,
    known_since: datetime | None,
    stands_since: datetime | None,
) -> datetime | None:
    """Since when it has not stood in the way of GO, without a break; None while it does.

    `known_since`: of what was there before the phase, since when it is both acknowledged and seen.
    """
    if waiver is not None:
        return waiver.at
    if signed is not None and not signed.given:
        return None
    if known_since is not None:
        return known_since
    if not state.meaning.done:
        return None
    moments = [reached.ok_since if reached else None, signed.at if signed else None, stands_since]
    return max(moment for moment in moments if moment is not None)


def shown_since(change: Change | None, word: str, now: datetime) -> datetime | None:
    """Since when the word was shown: a moment of UNKNOWN in between breaks what must hold without a break."""
    if change is None:
        return None
    return change.at if change.after == word else now


def sight_of(subject: str) -> str:
    """Subject of the changes of whether a criterion is seen, where its own word stays while it is not (TRIPPED)."""
    return f"sight of {subject}"


def seen_since(record: Counted, subject: str, now: datetime) -> datetime | None:
    """Since when a line has been seen without a break, good or bad; None where it was never unknown."""
    ends = []
    for turns in (record.turns.get(subject, ()), record.turns.get(sight_of(subject), ())):
        last = next((turn for turn in reversed(turns) if State.UNKNOWN in (turn.before, turn.after)), None)
        if last is not None:
            ends.append(last.at if last.before == State.UNKNOWN else now)
    return max(ends, default=None)


def active_waiver(record: Counted, subject: str, now: datetime) -> Waiver | None:
    """The waiver in force; it re-arms itself at its end."""
    waiver = record.latest(Waiver, subject)
    return waiver if waiver is not None and waiver.at <= now < waiver.until else None


def unwaived(trips: tuple[Trip, ...], record: Counted, subject: str) -> tuple[Trip, ...]:
    """Trips as they count beside waivers: what trips under a waiver counts from its end on, if it lasts that long.

    What had tripped before stays: a waiver suspends a trigger, and answers nothing.
    """
    spans = _waived_spans(record, subject) if trips else []
    if not spans:
        return trips
    counting = []
    for trip in trips:
        since = trip.since
        for begins, ends in spans:
            if begins <= since:
                since = max(since, ends)
        if since == trip.since:
            counting.append(trip)
        elif trip.until is None or trip.until > since:
            counting.append(replace(trip, since=since))
    return tuple(counting)


def _waived_spans(record: Counted, subject: str) -> list[tuple[datetime, datetime]]:
    """When a subject was waived, in order: each waiver until its end, or until the next one took its place."""
    given = sorted((w for w in record.all(Waiver) if w.subject == subject), key=lambda waiver: waiver.at)
    spans = [(waiver.at, min(waiver.until, later.at)) for waiver, later in pairwise(given)]
    return spans + [(waiver.at, waiver.until) for waiver in given[-1:]]


def _blinded(explained: Explanation, unknown: Unknown, state: State) -> str:
    """The line of a criterion that cannot be evaluated: why, and what to do about it."""
    lead = unknown.line
    if unknown.hint:
        lead += f" ({unknown.hint})"
    return f"{explained.line}; blind now: {lead}" if state.judging.tripped else lead


def _badges(
    criterion: Criterion,
    evaluation: Evaluation,
    state: State,
    waiver: Waiver | None,
    pre_existing: bool,
) -> tuple[Badge, ...]:
    reached, unknown = evaluation.reached, evaluation.blindness
    shown = []
    if evaluation.past:
        shown.append(Badge.PAST)
    if waiver is not None:
        shown.append(Badge.WAIVED)
    if pre_existing:
        shown.append(Badge.PRE_EXISTING)
    if criterion.mode is Mode.SHADOW:
        shown.append(Badge.SHADOW)
    if unknown is not None and state.judging.tripped:
        shown.append(Badge.BLIND)
    if reached is not None and state is not State.TRIPPED and (reached.trips or reached.near_misses):
        shown.append(Badge.FLAPPED)
    return tuple(shown)
