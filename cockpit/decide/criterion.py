"""The state of a criterion now: what its run says, and what time, silence and people do to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cockpit.decide import words
from cockpit.decide.because import because, left
from cockpit.decide.board import Board
from cockpit.decide.fold import Fold, Trip, blind_trip
from cockpit.decide.record import Acknowledgement, Change, Record, Waiver
from cockpit.decide.signing import sign_off_status
from cockpit.decide.situation import Badge, Because, CriterionStatus, SignOffStatus
from cockpit.decide.states import State
from cockpit.decide.trail import Trail
from cockpit.plan.model import Criterion, Kind, Mode, Plan
from probes.reading import Reason, Unknown

HEALTHY = {Kind.TRIGGER: State.CLEAR, Kind.SUCCESS: State.MET}


@dataclass(frozen=True, slots=True)
class Judged:
    """A criterion's status with what the verdict needs beside it."""

    criterion: Criterion
    status: CriterionStatus
    trips: tuple[Trip, ...]
    """Trips that count: not waived, not there before the cutover."""
    pre_existing: bool
    acknowledged: bool
    suspected: bool = False
    """A trigger whose newest real sample was true, whatever hides it now."""
    clears_in: timedelta | None = None
    """For a RECOVERING trigger: when it is clear if nothing changes."""


def judge(criterion: Criterion, plan: Plan, board: Board, record: Record, origin: datetime, now: datetime) -> Judged:
    """The status of one criterion at `now`. `origin` is when its phase began: nothing older proves or trips anything."""
    trail = board.trail(criterion, origin)
    fold = trail.fold
    unknown = blindness(trail, board, now)
    state = _state(fold, unknown)
    waiver = active_waiver(record, criterion.id, now)
    pre_existing = bool(fold and fold.pre_existing and state in (State.TRIPPED, State.PENDING, State.RECOVERING))
    acknowledged = record.latest(Acknowledgement, criterion.id)
    signed = sign_off_status(criterion.sign_off, criterion.id, record, plan, fold, now)
    if criterion.condition is None and signed is not None:
        state, unknown = (State.MET if signed.given else State.NOT_MET), None
    trips = unwaived(_trips(criterion, trail, board, unknown, now), record, criterion.id, now)
    timing = _timing(criterion, board, trail, state, now)
    seen_before = acknowledged if pre_existing and unknown is None else None
    change = record.latest(Change, criterion.id)
    told = trail.told(board, because)
    varies = (
        state,
        settled(change, state, now) or board.started_at,
        told.line if unknown is None else _blinded(told, unknown, state),
        unknown,
        _badges(criterion, fold, state, unknown, waiver, pre_existing),
        timing if state is State.PENDING else None,
        timing if state is State.PROVING else None,
        _ok_since(state, fold, waiver, signed, seen_before, change, now),
        signed,
    )
    # Made anew only when something in it changed: most of them, most of the time, stay as they are.
    if trail.shown is None or trail.shown[0] is not told or trail.shown[1] != varies:
        trail.shown = (told, varies, _status(criterion, told, *varies))
    status = trail.shown[2]
    return Judged(
        criterion,
        status,
        trips,
        pre_existing,
        acknowledged is not None,
        suspected=criterion.kind is Kind.TRIGGER and fold is not None and fold.state is not State.CLEAR,
        clears_in=timing if state is State.RECOVERING else None,
    )


def _status(
    criterion: Criterion,
    told: Because,
    state: State,
    since: datetime,
    line: str,
    unknown: Unknown | None,
    badges: tuple[Badge, ...],
    trips_in: timedelta | None,
    met_in: timedelta | None,
    ok_since: datetime | None,
    signed: SignOffStatus | None,
) -> CriterionStatus:
    return CriterionStatus(
        id=criterion.id,
        title=criterion.title,
        kind=criterion.kind,
        severity=criterion.severity,
        enforced=criterion.enforced,
        state=state,
        since=since,
        because=told if line == told.line else replace(told, line=line),
        position=criterion.position,
        unknown=unknown,
        badges=badges,
        trips_in=trips_in,
        met_in=met_in,
        ok_since=ok_since,
        runbook=criterion.runbook,
        ref=criterion.ref,
        caution=criterion.caution,
        sign_off=signed,
    )


def blindness(trail: Trail, board: Board, now: datetime) -> Unknown | None:
    """Why the condition cannot be judged now, or None while it can."""
    if trail.condition is None:
        return None
    if now < trail.begins:
        return Unknown(Reason.WARMING, f"judged from {words.clock(trail.begins)} on")
    return _slept(trail, board) or _stale(trail, board, now) or _unreadable(trail, board)


def _slept(trail: Trail, board: Board) -> Unknown | None:
    """Nobody was looking, and not everything has been seen since."""
    gaps = board.gaps_of(trail.probes)
    if not gaps:
        return None
    since, until = gaps[-1]
    latest = [board.latest(probe) for probe in trail.probes]
    if any(reading is None or reading.observed_at < until for reading in latest):
        return Unknown(
            Reason.OBSERVER_GAP, f"nobody was looking for {words.duration(until - since)}", "wait for the next reading"
        )
    return None


def _stale(trail: Trail, board: Board, now: datetime) -> Unknown | None:
    """The newest real sample rests on data too old to count, whatever else the probes still see."""
    fold = trail.fold
    if fold is None or now - fold.data_at <= trail.criterion.stale_after:
        return None
    if trail.now.unknown is not None:
        return trail.now.unknown
    ages = {probe: now - (board.histories[probe].newest_data_at or fold.data_at) for probe in trail.probes}
    oldest = max(ages, key=lambda probe: ages[probe])
    return Unknown(
        Reason.STALE,
        f"the newest data of {oldest} is {words.duration(ages[oldest])} old",
        f"press r to read {oldest} again; see Probes",
    )


def _unreadable(trail: Trail, board: Board) -> Unknown | None:
    outcome = trail.now
    if outcome.truth is not None:
        # Truth from the newest polls, but no sample since the phase began: the proof has not begun.
        return None if trail.fold is not None else Unknown(Reason.WARMING, "no sample since this phase began")
    if trail.fold is not None and board.tolerated(outcome, trail.criterion.error_limit):
        return None
    return outcome.unknown or Unknown(Reason.WARMING, "no reading yet")


def _state(fold: Fold | None, unknown: Unknown | None) -> State:
    if fold is not None and fold.state in (State.TRIPPED, State.RECOVERING):
        return fold.state
    if unknown is not None or fold is None:
        return State.UNKNOWN
    return fold.state


def _ok_since(
    state: State,
    fold: Fold | None,
    waiver: Waiver | None,
    signed: SignOffStatus | None,
    acknowledged: Acknowledgement | None,
    change: Change | None,
    now: datetime,
) -> datetime | None:
    """Since when it has not stood in the way of GO, without a break; None while it does."""
    if waiver is not None:
        return waiver.at
    if signed is not None and not signed.given:
        return None
    if acknowledged is not None:
        return acknowledged.at
    if state not in (State.CLEAR, State.MET):
        return None
    moments = [fold.ok_since if fold else None, signed.at if signed else None, settled(change, state, now)]
    return max((moment for moment in moments if moment is not None), default=None)


def settled(change: Change | None, word: str, now: datetime) -> datetime | None:
    """Since when the word was shown: a moment of UNKNOWN in between breaks what must hold without a break."""
    if change is None:
        return None
    return change.at if change.after == word else now


def _trips(
    criterion: Criterion, trail: Trail, board: Board, unknown: Unknown | None, now: datetime
) -> tuple[Trip, ...]:
    """Every trip, with the one for being blind too long right now."""
    fold = trail.fold
    trips = fold.trips if fold else ()
    if criterion.kind is not Kind.TRIGGER or unknown is None:
        return trips
    since = blind_trip(criterion, fold.data_at if fold else trail.begins, now, board.gaps_of(trail.probes))
    return trips if since is None else (*trips, Trip(since))


def active_waiver(record: Record, subject: str, now: datetime) -> Waiver | None:
    """The waiver in force; it re-arms itself at its end."""
    waiver = record.latest(Waiver, subject)
    return waiver if waiver is not None and waiver.at <= now < waiver.until else None


def unwaived(trips: tuple[Trip, ...], record: Record, subject: str, now: datetime) -> tuple[Trip, ...]:
    """Trips as they count once waivers are taken out: what happened before or under a waiver is its giver's affair."""
    waiver = record.latest(Waiver, subject)
    if waiver is None or waiver.at > now:
        return trips
    if now < waiver.until:
        return ()
    later = (replace(t, since=max(t.since, waiver.until)) for t in trips)
    return tuple(t for t in later if t.until is None or t.until > t.since)


def _timing(criterion: Criterion, board: Board, trail: Trail, state: State, now: datetime) -> timedelta | None:
    fold = trail.fold
    if fold is None or state not in (State.PENDING, State.PROVING, State.RECOVERING):
        return None
    interval = max((board.plan.probes[p].interval for p in trail.probes), default=timedelta(0))
    return max(left(criterion, fold, interval) - (now - fold.observed_at), timedelta(0))


def _blinded(told: Because, unknown: Unknown, state: State) -> str:
    """What to say of a criterion that cannot be seen: why, and what to do about it."""
    lead = f"{unknown.reason}: {unknown.detail}" if unknown.detail else str(unknown.reason)
    if unknown.hint:
        lead += f" ({unknown.hint})"
    return f"{told.line}; blind now: {lead}" if state in (State.TRIPPED, State.RECOVERING) else lead


def _badges(
    criterion: Criterion,
    fold: Fold | None,
    state: State,
    unknown: Unknown | None,
    waiver: Waiver | None,
    pre_existing: bool,
) -> tuple[Badge, ...]:
    shown = []
    if waiver is not None:
        shown.append(Badge.WAIVED)
    if pre_existing:
        shown.append(Badge.PRE_EXISTING)
    if criterion.mode is Mode.SHADOW:
        shown.append(Badge.SHADOW)
    if unknown is not None and state in (State.TRIPPED, State.RECOVERING):
        shown.append(Badge.BLIND)
    if fold is not None and state is not State.TRIPPED and (fold.trips or fold.near_misses):
        shown.append(Badge.FLAPPED)
    return tuple(shown)
