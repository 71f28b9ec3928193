"""The state of a criterion now: what its run says, and what time, silence and people do to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cockpit.decide import words
from cockpit.decide.because import because, left
from cockpit.decide.board import Board
from cockpit.decide.fold import Fold, Trip
from cockpit.decide.record import Acknowledgement, Change, Record, Waiver
from cockpit.decide.signing import sign_off_status
from cockpit.decide.situation import Badge, Because, CriterionStatus, State
from cockpit.decide.trail import Trail
from cockpit.plan.model import Criterion, Kind, Mode, OnUnknown, Plan
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


def judge(criterion: Criterion, plan: Plan, board: Board, record: Record, origin: datetime, now: datetime) -> Judged:
    """The status of one criterion at `now`. `origin` is when its phase began: nothing older proves or trips anything."""
    trail = board.trail(criterion, origin)
    fold = trail.fold
    unknown = blindness(trail, board, origin, now)
    state = _state(fold, unknown)
    waiver = active_waiver(record, criterion.id, now)
    pre_existing = bool(fold and fold.pre_existing and state in (State.TRIPPED, State.PENDING, State.RECOVERING))
    acknowledged = record.latest(Acknowledgement, criterion.id) is not None
    signed = sign_off_status(criterion.sign_off, criterion.id, record, plan, fold, now)
    if criterion.condition is None and signed is not None:
        state, unknown = (State.MET if signed.given else State.NOT_MET), None
    ok_since = _ok_since(state, fold, waiver, signed.at if signed else None)
    if signed is not None and not signed.given:
        ok_since = None
    if pre_existing and acknowledged:
        ok_since = fold.observed_at if fold else None
    trips = unwaived(_trips(criterion, fold, unknown, origin, now), record, criterion.id, now)
    timing = _timing(criterion, board, trail, state, now)
    status = CriterionStatus(
        id=criterion.id,
        title=criterion.title,
        kind=criterion.kind,
        severity=criterion.severity,
        enforced=criterion.enforced,
        state=state,
        since=_since(record, criterion.id, state, now),
        because=_explained(trail, board, unknown, state),
        position=criterion.position,
        unknown=unknown,
        badges=_badges(criterion, fold, state, unknown, waiver, pre_existing),
        trips_in=timing if state is State.PENDING else None,
        met_in=timing if state is State.PROVING else None,
        ok_since=ok_since,
        runbook=criterion.runbook,
        ref=criterion.ref,
        caution=criterion.caution,
        sign_off=signed,
    )
    return Judged(criterion, status, trips, pre_existing, acknowledged)


def blindness(trail: Trail, board: Board, origin: datetime, now: datetime) -> Unknown | None:
    """Why the condition cannot be judged now, or None while it can."""
    criterion = trail.criterion
    if trail.condition is None:
        return None
    if now < origin + criterion.initial_delay:
        return Unknown(Reason.WARMING, f"judged from {words.clock(origin + criterion.initial_delay)} on")
    return _slept(trail, board) or _stale(trail, board, now) or _unreadable(trail, board)


def _slept(trail: Trail, board: Board) -> Unknown | None:
    """Nobody was looking, and nothing has been seen since."""
    if not board.gaps:
        return None
    since, until = board.gaps[-1]
    interval = max(board.plan.probes[p].interval for p in trail.probes)
    polled = [reading.observed_at for p in trail.probes if (reading := board.latest(p)) is not None]
    if until - since > 3 * interval and (not polled or min(polled) < until):
        return Unknown(
            Reason.OBSERVER_GAP, f"nobody was looking for {words.duration(until - since)}", "wait for the next reading"
        )
    return None


def _stale(trail: Trail, board: Board, now: datetime) -> Unknown | None:
    for probe in trail.probes:
        newest = board.histories[probe].newest_data_at
        if newest is None or now - newest <= trail.criterion.stale_after:
            continue
        latest = board.latest(probe)
        why = next(iter(latest.unknown.values()), None) if latest and not latest.values else None
        if why is not None and why.reason is not Reason.STALE:
            return why
        age = words.duration(now - newest)
        return Unknown(
            Reason.STALE, f"the newest data of {probe} is {age} old", f"press r to read {probe} again; see Probes"
        )
    return None


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


def _ok_since(state: State, fold: Fold | None, waiver: Waiver | None, signed_at: datetime | None) -> datetime | None:
    if waiver is not None:
        return waiver.at
    if state in (State.CLEAR, State.MET):
        moments = [m for m in (fold.ok_since if fold else None, signed_at) if m is not None]
        return max(moments) if moments else None
    return None


def _trips(
    criterion: Criterion, fold: Fold | None, unknown: Unknown | None, origin: datetime, now: datetime
) -> tuple[Trip, ...]:
    trips = fold.trips if fold else ()
    if criterion.kind is not Kind.TRIGGER or criterion.on_unknown is not OnUnknown.ROLLBACK or unknown is None:
        return trips
    seen_last = fold.observed_at if fold else origin + criterion.initial_delay
    limit = criterion.unknown_limit or criterion.stale_after
    return (*trips, Trip(seen_last + limit)) if now - seen_last > limit else trips


def active_waiver(record: Record, subject: str, now: datetime) -> Waiver | None:
    """The waiver in force; it re-arms itself at its end."""
    waiver = record.latest(Waiver, subject)
    return waiver if waiver is not None and waiver.at <= now < waiver.until else None


def unwaived(trips: tuple[Trip, ...], record: Record, subject: str, now: datetime) -> tuple[Trip, ...]:
    """Trips as they count once waivers are taken out: what happened before or under a waiver is its giver's affair."""
    waiver = record.latest(Waiver, subject)
    if waiver is None:
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


def _since(record: Record, subject: str, state: State, now: datetime) -> datetime:
    change = record.latest(Change, subject)
    return change.at if change is not None and change.after == state else now


def _explained(trail: Trail, board: Board, unknown: Unknown | None, state: State) -> Because:
    told = trail.told(board, because)
    if unknown is None:
        return told
    lead = f"{unknown.reason}: {unknown.detail}" if unknown.detail else str(unknown.reason)
    if unknown.hint:
        lead += f" ({unknown.hint})"
    line = f"{told.line}; blind now: {lead}" if state in (State.TRIPPED, State.RECOVERING) else lead
    return replace(told, line=line)


def _badges(
    criterion: Criterion,
    fold: Fold | None,
    state: State,
    unknown: Unknown | None,
    waiver: Waiver | None,
    pre_existing: bool,
) -> tuple[Badge, ...]:
    flapped = bool(fold and state is not State.TRIPPED and (fold.trips or fold.near_misses))
    shown = (
        (Badge.WAIVED, waiver is not None),
        (Badge.PRE_EXISTING, pre_existing),
        (Badge.SHADOW, criterion.mode is Mode.SHADOW),
        (Badge.BLIND, unknown is not None and state in (State.TRIPPED, State.RECOVERING)),
        (Badge.FLAPPED, flapped),
    )
    return tuple(badge for badge, holds in shown if holds)
