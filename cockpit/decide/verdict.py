"""The verdict: go, hold or roll back. First match wins; slow to GO, fast to ROLLBACK; unknown is never healthy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cockpit.decide import words
from cockpit.decide.criterion import Judged, settled
from cockpit.decide.latch import latched
from cockpit.decide.record import Change, Decision, PointOfNoReturn, Record
from cockpit.decide.situation import (
    Badge,
    CriterionStatus,
    GateStatus,
    ItemStatus,
    Latch,
    PathStep,
    RootCause,
    SectionStatus,
    Verdict,
)
from cockpit.decide.states import Check, State, Word
from cockpit.plan.model import Criterion, Kind, Phase, Plan
from probes.reading import Reason

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
    started_at: datetime,
    now: datetime,
) -> tuple[Verdict, tuple[PathStep, ...]]:
    """The verdict and the path to GO."""
    began = record.phase()
    latch, executing = latched(judged, record, began.at if began else None, now)
    obstacles = sorted(_obstacles(judged, sections, gates, phase, now), key=lambda o: o.rank)
    if latch is not None and phase is Phase.POST_DEPLOY:
        return _roll_back(judged, record, phase, latch, executing), tuple(o.step for o in obstacles)
    if not obstacles:
        settled = _settled_at(judged, sections, gates, phase, now)
        ready = settled + plan.verdict_dwell
        if now >= ready:
            return _go(judged, sections, phase, ready), ()
        wait = words.duration(ready - now)
        line = f"everything holds; GO in {wait} if it stays so"
        obstacles = [Obstacle(0, line, PathStep("everything must keep holding", "verdict", ready))]
    blinded = {subject for cause in causes[:3] for subject in cause.subjects}
    reasons = (
        *(_cause_line(cause) for cause in causes[:3]),
        *(o.line for o in obstacles if o.step.subject not in blinded),
    )
    word = Word.HOLD
    return (
        Verdict(
            word,
            _since(record, word, started_at, now),
            phase,
            reasons,
            _waivers(judged, sections),
            judged=saw_something,
        ),
        tuple(o.step for o in obstacles),
    )


# -- rollback --------------------------------------------------------------------------------------------------------


def _roll_back(
    judged: Sequence[Judged], record: Record, phase: Phase, latch: Latch, executing: Decision | None
) -> Verdict:
    past = record.all(PointOfNoReturn)
    lines = [_trip_line(each.status) for each in judged if each.criterion.id in latch.triggers]
    if not lines:
        lines.append(f"rollback advised at {words.clock(latch.since)}; nothing is tripped now, but nobody has decided")
    if executing is not None:
        what = "fix forward" if executing.choice == "fix_forward" else "roll back"
        lines.insert(0, f"{executing.by} decided to {what} at {words.clock(executing.at)}: {executing.why}")
    loses = past[-1].loses if past else ""
    if past:
        lines.insert(0, f"past the point of no return: a rollback would lose {loses}")
    word = Word.FIX_FORWARD if past else Word.ROLLBACK
    return Verdict(word, latch.since, phase, tuple(lines), latch=None if executing else latch, loses=loses)


def _trip_line(status: CriterionStatus) -> str:
    now = "" if status.state is State.TRIPPED else f" (tripped earlier, now {status.state})"
    blind = " BLIND" if Badge.BLIND in status.badges else ""
    return f"{status.title}{now}{blind}: {status.because.line}"


# -- hold ------------------------------------------------------------------------------------------------------------


def _obstacles(
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
    if not found and not _anything_seen(judged, sections):
        found.append(Obstacle(0, "nothing that is judged can be seen", PathStep("something must be seen")))
    return found


def _anything_seen(judged: Sequence[Judged], sections: Sequence[SectionStatus]) -> bool:
    """Before a deployment triggers may be excused for want of traffic, but not all of it may be signatures and excuses."""
    seen = (_decides(e.criterion) and e.criterion.condition is not None and e.status.unknown is None for e in judged)
    items = (item for section in sections for item in section.items)
    return any(seen) or any(item.automatic and item.blocking and item.unknown is None for item in items)


def _emptiness(judged: Sequence[Judged]) -> list[Obstacle]:
    found = []
    for kind, noun in ((Kind.SUCCESS, "success criterion"), (Kind.TRIGGER, "rollback trigger")):
        if not any(_decides(each.criterion) for each in judged if each.criterion.kind is kind):
            line = f"the plan enforces no {noun}: nothing is never GO"
            found.append(Obstacle(0, line, PathStep(f"add a {noun} to the plan")))
    return found


def _decides(criterion: Criterion) -> bool:
    """A trigger without a condition could never trip: it is not one."""
    return criterion.enforced and (criterion.condition is not None or criterion.kind is Kind.SUCCESS)


def _criterion(each: Judged, phase: Phase, now: datetime) -> Obstacle | None:
    status = each.status
    if each.criterion.kind is Kind.SUCCESS and phase is Phase.PRE_DEPLOY:
        return None
    if status.ok:
        return None
    quiet = status.unknown is not None and status.unknown.reason in QUIET
    if phase is Phase.PRE_DEPLOY and quiet and not each.suspected:
        return None
    line = f"{status.title} {status.state}: {status.because.line}"
    if each.pre_existing and not each.acknowledged:
        line = f"{status.title} was already true before the cutover began: acknowledge it by name"
        return Obstacle(1, line, PathStep("acknowledge: " + status.title, status.id))
    if (
        status.sign_off is not None
        and not status.sign_off.given
        and status.state in (State.MET, State.CLEAR, State.NOT_MET)
    ):
        who = " or ".join(status.sign_off.roles)
        return Obstacle(6, f"{status.title}: waits for {who}", PathStep("sign: " + status.title, status.id, who=who))
    waiting = status.unknown is not None and status.unknown.reason is Reason.WARMING
    return Obstacle(7 if waiting else _RANK[status.state], line, _step(each, now))


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


def _step(each: Judged, now: datetime) -> PathStep:
    status = each.status
    wants = {
        State.TRIPPED: "must clear",
        State.PENDING: "must clear",
        State.RECOVERING: "must stay clear",
        State.UNKNOWN: "must be seen",
        State.NOT_MET: "must hold",
        State.PROVING: "must keep holding",
    }.get(status.state, "must hold")
    left = status.met_in if status.met_in is not None else each.clears_in
    eta = now + left if left is not None else None
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
    return f"{cause.reason} blinds {words.count(len(cause.subjects), 'line')}: {cause.hint or cause.detail}"


# -- go --------------------------------------------------------------------------------------------------------------


def _settled_at(
    judged: Sequence[Judged],
    sections: Sequence[SectionStatus],
    gates: Sequence[GateStatus],
    phase: Phase,
    now: datetime,
) -> datetime:
    """When the last thing that had to hold began to hold; `now` if nothing says since when."""
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
    return max((moment for moment in moments if moment is not None), default=now)


def _go(judged: Sequence[Judged], sections: Sequence[SectionStatus], phase: Phase, since: datetime) -> Verdict:
    met = sum(e.criterion.kind is Kind.SUCCESS and e.status.ok for e in judged)
    triggers = [e.status for e in judged if e.criterion.kind is Kind.TRIGGER and e.status.ok]
    known = sum(status.state is State.TRIPPED for status in triggers)
    clear = words.count(len(triggers) - known, "trigger") + " clear" + (f", {known} acknowledged" if known else "")
    items = [
        item for section in sections if phase is Phase.POST_DEPLOY or section.phase is phase for item in section.items
    ]
    done = sum(item.check in (Check.PASS, Check.WAIVED) for item in items)
    if phase is Phase.PRE_DEPLOY:
        lines = [f"ready to deploy: checklist {done}/{len(items)}, gate passed"]
    else:
        lines = [f"{words.count(met, 'criterion')} met, {clear}, checklist {done}/{len(items)}"]
    return Verdict(Word.GO, since, phase, tuple(lines), _waivers(judged, sections))


def _waivers(judged: Sequence[Judged], sections: Sequence[SectionStatus]) -> int:
    waived = sum(Badge.WAIVED in each.status.badges for each in judged)
    return waived + sum(item.check is Check.WAIVED for section in sections for item in section.items)


def _since(record: Record, word: Word, started_at: datetime, now: datetime) -> datetime:
    return settled(record.latest(Change, "verdict"), word, now) or started_at
