"""The verdict: go, hold or roll back. First match wins; slow to GO, fast to ROLLBACK; unknown is never healthy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cockpit.decide import words
from cockpit.decide.criterion import Judged
from cockpit.decide.fold import Trip
from cockpit.decide.record import Change, Decision, PointOfNoReturn, Record
from cockpit.decide.situation import (
    Badge,
    Check,
    CriterionStatus,
    GateStatus,
    ItemStatus,
    Latch,
    PathStep,
    RootCause,
    SectionStatus,
    State,
    Verdict,
    Word,
)
from cockpit.plan.model import Kind, Phase, Plan, Severity
from probes.reading import Reason

MAJOR_QUORUM = 2
QUIET = frozenset({Reason.LOW_VOLUME, Reason.NO_DATA})
"""Before a deployment there may be no traffic yet: these do not keep a trigger from being ready."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that stands between now and GO. `rank` orders reasons: lower is more urgent."""

    rank: int
    line: str
    step: PathStep


def verdict(
    plan: Plan,
    record: Record,
    judged: Sequence[Judged],
    sections: Sequence[SectionStatus],
    gates: Sequence[GateStatus],
    causes: Sequence[RootCause],
    phase: Phase,
    saw_something: bool,
    now: datetime,
) -> tuple[Verdict, tuple[PathStep, ...]]:
    """The verdict and the path to GO."""
    latch, executing = latched(judged, record, now)
    obstacles = sorted(_obstacles(plan, judged, sections, gates, phase, now), key=lambda o: o.rank)
    if latch is not None and phase is Phase.POST_DEPLOY:
        return _roll_back(judged, record, phase, latch, executing), tuple(o.step for o in obstacles)
    if not obstacles:
        settled = _settled_at(judged, sections, gates, phase)
        ready = settled + plan.verdict_dwell
        if now >= ready:
            return _go(record, judged, sections, phase, max(ready, settled), now), ()
        wait = words.duration(ready - now)
        line = f"everything holds; GO in {wait} if it stays so"
        obstacles = [Obstacle(0, line, PathStep("everything must keep holding", "verdict", ready))]
    reasons = (*(_cause_line(cause) for cause in causes[:3]), *(o.line for o in obstacles))
    word = Word.HOLD
    return (
        Verdict(word, _since(record, word, now), phase, reasons, _waivers(judged, sections), judged=saw_something),
        tuple(o.step for o in obstacles),
    )


# -- rollback --------------------------------------------------------------------------------------------------------


def latched(judged: Sequence[Judged], record: Record, now: datetime) -> tuple[Latch | None, Decision | None]:
    """The rollback that waits for a decision, and the decision to execute it once there is one.

    A dismissal covers every trip up to its moment; a trigger that trips anew latches anew.
    """
    decisions = record.all(Decision)
    dismissed = max((d.at for d in decisions if d.choice == "dismiss"), default=None)
    active: list[tuple[datetime, str]] = []
    majors: list[tuple[Trip, str]] = []
    for each in judged:
        if each.criterion.kind is not Kind.TRIGGER or not each.criterion.enforced:
            continue
        open_trips = [trip for trip in each.trips if dismissed is None or trip.since > dismissed]
        if each.criterion.severity is Severity.CRITICAL:
            active += [(trip.since, each.criterion.id) for trip in open_trips]
        else:
            majors += [(trip, each.criterion.id) for trip in open_trips]
    active += _quorum(majors)
    if not active:
        return None, None
    since = min(at for at, _ in active)
    executing = next((d for d in decisions if d.choice == "execute" and d.at >= since), None)
    triggers = tuple(dict.fromkeys(id_ for _, id_ in sorted(active)))
    return Latch(since, timedelta(0) if executing else now - since, triggers), executing


def _quorum(majors: Sequence[tuple[Trip, str]]) -> list[tuple[datetime, str]]:
    """Majors that were tripped at the same time as another one, from the moment they were."""
    found = []
    for trip, id_ in majors:
        for other, other_id in majors:
            if other_id == id_:
                continue
            begins = max(trip.since, other.since)
            if all(t.until is None or t.until > begins for t in (trip, other)):
                found.append((begins, id_))
    return found


def _roll_back(
    judged: Sequence[Judged], record: Record, phase: Phase, latch: Latch, executing: Decision | None
) -> Verdict:
    past = record.all(PointOfNoReturn)
    lines = [_trip_line(each.status) for each in judged if each.criterion.id in latch.triggers]
    if executing is not None:
        lines.insert(0, f"{executing.by} decided to roll back at {words.clock(executing.at)}: {executing.why}")
    loses = past[-1].loses if past else ""
    if past:
        lines.insert(0, f"past the point of no return: a rollback would lose {loses}")
    word = Word.FIX_FORWARD if past else Word.ROLLBACK
    return Verdict(word, latch.since, phase, tuple(lines), latch=None if executing else latch, loses=loses)


def _trip_line(status: CriterionStatus) -> str:
    state = status.state if status.state is State.TRIPPED else f"tripped earlier, now {status.state}"
    blind = " BLIND" if Badge.BLIND in status.badges else ""
    return f"{status.title} {state}{blind}: {status.because.line}"


# -- hold ------------------------------------------------------------------------------------------------------------


def _obstacles(
    plan: Plan,
    judged: Sequence[Judged],
    sections: Sequence[SectionStatus],
    gates: Sequence[GateStatus],
    phase: Phase,
    now: datetime,
) -> list[Obstacle]:
    found = _emptiness(judged)
    for each in judged:
        if each.criterion.enforced and (obstacle := _criterion(each, phase, now)) is not None:
            found.append(obstacle)
    for section in sections:
        if phase is Phase.PRE_DEPLOY and section.phase is not Phase.PRE_DEPLOY:
            continue
        found += [o for item in section.items if item.blocking and (o := _item(item)) is not None]
    if phase is Phase.PRE_DEPLOY:
        for gate in gates:
            if gate.before == "deploy" and not gate.passed:
                missing = "; ".join(gate.missing)
                found.append(Obstacle(7, f"{gate.title}: {missing}", PathStep(f"{gate.title}: {missing}", gate.id)))
    return found


def _emptiness(judged: Sequence[Judged]) -> list[Obstacle]:
    found = []
    for kind, noun in ((Kind.SUCCESS, "success criterion"), (Kind.TRIGGER, "rollback trigger")):
        if not any(each.criterion.kind is kind and each.criterion.enforced for each in judged):
            line = f"the plan enforces no {noun}: nothing is never GO"
            found.append(Obstacle(0, line, PathStep(f"add a {noun} to the plan")))
    return found


def _criterion(each: Judged, phase: Phase, now: datetime) -> Obstacle | None:
    status = each.status
    if each.criterion.kind is Kind.SUCCESS and phase is Phase.PRE_DEPLOY:
        return None
    if status.ok:
        return None
    if phase is Phase.PRE_DEPLOY and status.unknown is not None and status.unknown.reason in QUIET:
        return None
    line = f"{status.title} {status.state}: {status.because.line}"
    if each.pre_existing:
        line = f"{status.title} was already true before the cutover began: acknowledge it by name"
        return Obstacle(1, line, PathStep("acknowledge: " + status.title, status.id))
    if (
        status.sign_off is not None
        and not status.sign_off.given
        and status.state in (State.MET, State.CLEAR, State.NOT_MET)
    ):
        who = " or ".join(status.sign_off.roles)
        return Obstacle(6, f"{status.title}: waits for {who}", PathStep("sign: " + status.title, status.id, who=who))
    return Obstacle(_RANK[status.state], line, _step(status, now))


_RANK = {
    State.TRIPPED: 0,
    State.PENDING: 1,
    State.RECOVERING: 2,
    State.UNKNOWN: 3,
    State.NOT_MET: 4,
    State.PROVING: 8,
    State.CLEAR: 9,
    State.MET: 9,
}


def _step(status: CriterionStatus, now: datetime) -> PathStep:
    wants = {
        State.TRIPPED: "must clear",
        State.PENDING: "must clear",
        State.RECOVERING: "must stay clear",
        State.UNKNOWN: "must be seen",
        State.NOT_MET: "must hold",
        State.PROVING: "must keep holding",
    }.get(status.state, "must hold")
    eta = now + status.met_in if status.met_in is not None else None
    return PathStep(f"{status.title} {wants}", status.id, eta)


def _item(item: ItemStatus) -> Obstacle | None:
    if item.check in (Check.PASS, Check.WAIVED):
        return None
    who = " or ".join(item.sign_off.roles) if item.sign_off else ""
    if item.check in (Check.PENDING, Check.STALE):
        why = f"sign-off stale: {item.detail}" if item.check is Check.STALE else f"waits for {who}"
        return Obstacle(6, f"{item.title}: {why}", PathStep(f"sign: {item.title}", item.id, who=who))
    rank = 5 if item.check is Check.FAIL else 3
    return Obstacle(
        rank, f"{item.title} {item.check}: {item.because.line}", PathStep(f"{item.title} must pass", item.id)
    )


def _cause_line(cause: RootCause) -> str:
    blinds = words.count(len(cause.subjects), "line")
    hint = f" ({cause.hint})" if cause.hint else ""
    return f"{cause.reason} blinds {blinds}: {cause.detail}{hint}"


# -- go --------------------------------------------------------------------------------------------------------------


def _settled_at(
    judged: Sequence[Judged], sections: Sequence[SectionStatus], gates: Sequence[GateStatus], phase: Phase
) -> datetime:
    """When the last thing that had to hold began to hold."""
    pre = phase is Phase.PRE_DEPLOY
    moments = [
        e.status.ok_since for e in judged if e.criterion.enforced and not (pre and e.criterion.kind is Kind.SUCCESS)
    ]
    moments += [
        item.ok_since
        for section in sections
        if not pre or section.phase is Phase.PRE_DEPLOY
        for item in section.items
        if item.blocking
    ]
    if pre:
        moments += [gate.ok_since for gate in gates if gate.before == "deploy"]
    return max(moment for moment in moments if moment is not None)


def _go(
    record: Record,
    judged: Sequence[Judged],
    sections: Sequence[SectionStatus],
    phase: Phase,
    since: datetime,
    now: datetime,
) -> Verdict:
    met = sum(e.criterion.kind is Kind.SUCCESS and e.status.ok for e in judged)
    clear = sum(e.criterion.kind is Kind.TRIGGER and e.status.ok for e in judged)
    items = [
        item for section in sections if phase is Phase.POST_DEPLOY or section.phase is phase for item in section.items
    ]
    done = sum(item.check in (Check.PASS, Check.WAIVED) for item in items)
    if phase is Phase.PRE_DEPLOY:
        lines = [f"ready to deploy: checklist {done}/{len(items)}, gate passed"]
    else:
        lines = [
            f"{words.count(met, 'criterion')} met, {words.count(clear, 'trigger')} clear, checklist {done}/{len(items)}"
        ]
    return Verdict(Word.GO, since, phase, tuple(lines), _waivers(judged, sections))


def _waivers(judged: Sequence[Judged], sections: Sequence[SectionStatus]) -> int:
    waived = sum(Badge.WAIVED in each.status.badges for each in judged)
    return waived + sum(item.check is Check.WAIVED for section in sections for item in section.items)


def _since(record: Record, word: Word, now: datetime) -> datetime:
    change = record.latest(Change, "verdict")
    return change.at if change is not None and change.after == word else now
