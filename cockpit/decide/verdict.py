"""The verdict: go, hold or roll back. First match wins; slow to GO, fast to ROLLBACK; unknown is never healthy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cockpit import formatting
from cockpit.decide.counted import Counted
from cockpit.decide.criterion import Judged, shown_since
from cockpit.decide.events import Change, Decision, PointOfNoReturn
from cockpit.decide.latch import Standing
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
from cockpit.decide.world_back import WorldBack
from cockpit.plan.model import Kind, Phase
from probes.reading import Reason


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that stands between now and GO. `rank` orders reasons: lower is more urgent."""

    rank: int
    line: str
    step: PathStep


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that the verdict rests on, at one moment."""

    judged: Sequence[Judged]
    sections: Sequence[SectionStatus]
    gates: Sequence[GateStatus]
    causes: Sequence[RootCause]
    record: Counted
    stands: Standing
    back: WorldBack
    """Of a rollback that was decided: how far the world is back."""
    phase: Phase
    dwell: timedelta
    """How long everything must have held before GO."""
    saw_something: bool
    started_at: datetime
    now: datetime

    @property
    def before_deployment(self) -> bool:
        return self.phase is Phase.PRE_DEPLOY

    def items(self) -> Iterator[ItemStatus]:
        """The items that count in this phase: before the deployment, those that come before it."""
        for section in self.sections:
            if not self.before_deployment or section.phase is Phase.PRE_DEPLOY:
                yield from section.items


def verdict(judgement: Judgement) -> tuple[Verdict, tuple[PathStep, ...]]:
    """The verdict and the path to GO."""
    obstacles = sorted(_obstacles(judgement), key=lambda o: o.rank)
    path = tuple(o.step for o in obstacles)
    stands, ended = judgement.stands, has_ended(judgement.stands, judgement.back)
    if stands.latch is not None:
        return _roll_back(judgement, stands.latch), path
    if stands.course is not None and not ended:
        return _under_way(judgement, stands.course), path
    if stands.course is not None and stands.course.choice == "execute":
        return _rolled_back(judgement, stands.course), (PathStep("vote anew, then begin the deployment again"),)
    if not obstacles:
        ready = _settled_at(judgement) + judgement.dwell
        if judgement.now >= ready:
            return _go(judgement, ready), ()
        wait = formatting.duration(ready - judgement.now)
        line = f"everything holds; GO in {wait} if it stays so"
        obstacles = [Obstacle(0, line, PathStep("everything must keep holding", "verdict", ready))]
    return _hold(judgement, obstacles), tuple(o.step for o in obstacles)


# -- rollback --------------------------------------------------------------------------------------------------------


def has_ended(stands: Standing, back: WorldBack) -> bool:
    """Whether what was decided has come to its end: recorded as such, or the world is there now."""
    by_name = stands.course is not None and stands.course.answers is not None
    return stands.ended is not None or (by_name and stands.latch is None and not back.missing)


def _roll_back(judgement: Judgement, latch: Latch) -> Verdict:
    lines = [_trip_line(each.status) for each in judgement.judged if each.criterion.id in latch.triggers]
    if not lines:
        lines.append(
            f"rollback advised at {formatting.clock(latch.since)}; nothing is tripped now, and no decision is recorded"
        )
    if judgement.stands.under_way is not None:
        lines.append(_decided(judgement.stands.under_way))
    return _calling(judgement, latch.since, lines, latch)


def _under_way(judgement: Judgement, course: Decision) -> Verdict:
    """A decision is being carried out: what was decided, and what is missing until it is done."""
    lines = [_decided(course), *judgement.back.missing]
    shown = next((c for c in reversed(judgement.record.turns.get("verdict", ())) if c.after != c.before), None)
    since = shown.at if shown is not None and Word(shown.after).calls_for_decision else course.at
    return _calling(judgement, since, lines, None, course)


def _calling(
    judgement: Judgement, since: datetime, lines: list[str], latch: Latch | None, course: Decision | None = None
) -> Verdict:
    past = judgement.record.all(PointOfNoReturn)
    loses = past[-1].loses if past else ""
    if past:
        lines.insert(0, f"past the point of no return: a rollback would lose {loses}")
    word = Word.FIX_FORWARD if past else Word.ROLLBACK
    decided = _decided(course) if course is not None else ""
    return Verdict(
        word, since, judgement.phase, tuple(lines), latch=latch, loses=loses, under_way=course, decided=decided
    )


def _rolled_back(judgement: Judgement, course: Decision) -> Verdict:
    lines = ("the rollback has ended; vote anew and begin the deployment again when it is ready", *judgement.back.seen)
    return Verdict(
        Word.ROLLED_BACK,
        judgement.stands.ended or judgement.now,
        judgement.phase,
        (*lines, *judgement.back.missing, _decided(course)),
        _waivers(judgement),
        decided=_decided(course),
    )


_WORDED = {"execute": "decided to roll back", "fix_forward": "decided to fix forward", "dismiss": "dismissed it"}


def _decided(decision: Decision) -> str:
    until = f" until {formatting.clock(decision.until)}" if decision.until else ""
    return f"{decision.by} {_WORDED[decision.choice]}{until} at {formatting.clock(decision.at)}: {decision.why}"


def _trip_line(status: CriterionStatus) -> str:
    now = "" if status.state is State.TRIPPED else f" (tripped earlier, now {status.state})"
    blind = " BLIND" if Badge.BLIND in status.badges else ""
    waived = " (waived: a waiver does not answer a rollback)" if Badge.WAIVED in status.badges else ""
    return f"{status.title}{now}{blind}{waived}: {status.because.line}"


# -- hold ------------------------------------------------------------------------------------------------------------


def _hold(judgement: Judgement, obstacles: Sequence[Obstacle]) -> Verdict:
    causes = judgement.causes[:3]
    blinded = {subject for cause in causes for subject in cause.subjects}
    reasons = (
        *(_cause_line(cause) for cause in causes),
        *(o.line for o in obstacles if o.step.subject not in blinded),
        *(_decided(each) for each in judgement.stands.dismissals),
    )
    shown = shown_since(judgement.record.latest(Change, "verdict"), Word.HOLD, judgement.now)
    return Verdict(
        Word.HOLD,
        shown or judgement.started_at,
        judgement.phase,
        reasons,
        _waivers(judgement),
        judged=judgement.saw_something,
        decided=_newest(judgement.stands),
    )


def _newest(stands: Standing) -> str:
    """The newest decision that keeps a rollback from being called for."""
    counting = [*stands.dismissals, *([stands.course] if stands.course is not None else [])]
    return _decided(max(counting, key=lambda each: each.at)) if counting else ""


def _obstacles(judgement: Judgement) -> list[Obstacle]:
    found = _emptiness(judgement.judged)
    for each in judgement.judged:
        if each.criterion.enforced and (obstacle := _criterion(each, judgement.phase, judgement.now)) is not None:
            found.append(obstacle)
    found += [o for item in judgement.items() if item.blocking and (o := _item(item)) is not None]
    found += [_gate(gate) for gate in _deploy_gates(judgement) if not gate.passed]
    if not found and not _anything_seen(judgement):
        found.append(Obstacle(0, "nothing that is judged can be seen", PathStep("something must be seen")))
    return found


def _deploy_gates(judgement: Judgement) -> list[GateStatus]:
    """Gates that count in this phase: those before the deployment, before the deployment."""
    return [gate for gate in judgement.gates if judgement.before_deployment and gate.before == "deploy"]


def _gate(gate: GateStatus) -> Obstacle:
    line = f"{gate.title}: {'; '.join(gate.missing)}"
    return Obstacle(7, line, PathStep(line, gate.id))


def _anything_seen(judgement: Judgement) -> bool:
    """Before a deployment triggers may be excused for want of traffic, but not all of it may be signatures and excuses."""
    seen = (
        e.criterion.decides and e.criterion.condition is not None and e.status.unknown is None for e in judgement.judged
    )
    items = (item for section in judgement.sections for item in section.items)
    return any(seen) or any(item.automatic and item.blocking and item.unknown is None for item in items)


def _emptiness(judged: Sequence[Judged]) -> list[Obstacle]:
    found = []
    for kind, noun in ((Kind.SUCCESS, "success criterion"), (Kind.TRIGGER, "rollback trigger")):
        if not any(each.criterion.decides for each in judged if each.criterion.kind is kind):
            line = f"the plan enforces no {noun}: nothing is never GO"
            found.append(Obstacle(0, line, PathStep(f"add a {noun} to the plan")))
    return found


def _criterion(each: Judged, phase: Phase, now: datetime) -> Obstacle | None:
    status = each.status
    if each.criterion.kind is Kind.SUCCESS and phase is Phase.PRE_DEPLOY:
        return None
    if status.ok:
        return None
    quiet = status.unknown is not None and status.unknown.reason.traits.is_no_traffic
    if phase is Phase.PRE_DEPLOY and quiet and not each.suspected:
        return None
    line = f"{status.title} {status.state}: {status.because.line}"
    if each.pre_existing and not each.acknowledged:
        line = f"{status.title} was already true before the cutover began: acknowledge it by name"
        return Obstacle(1, line, PathStep("acknowledge: " + status.title, status.id))
    if (
        status.sign_off is not None
        and not status.sign_off.given
        and (status.state.meaning.done or status.state is State.NOT_MET)
    ):
        who = " or ".join(status.sign_off.roles)
        return Obstacle(6, f"{status.title}: waits for {who}", PathStep("sign: " + status.title, status.id, who=who))
    waiting = status.unknown is not None and status.unknown.reason is Reason.WARMING
    return Obstacle(7 if waiting else status.state.judging.urgency, line, _step(each, now))


def _step(each: Judged, now: datetime) -> PathStep:
    status = each.status
    left = status.met_in if status.met_in is not None else each.clears_in
    eta = now + left if left is not None else None
    return PathStep(f"{status.title} {status.state.judging.wanted}", status.id, eta)


def _item(item: ItemStatus) -> Obstacle | None:
    if item.check.meaning.done:
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
    return f"{cause.reason} blinds {formatting.count(len(cause.subjects), 'line')}: {cause.hint or cause.detail}"


# -- go --------------------------------------------------------------------------------------------------------------


def _settled_at(judgement: Judgement) -> datetime:
    """When the last thing that had to hold began to hold; `now` where no start is known."""
    counted = (e for e in judgement.judged if e.criterion.enforced)
    moments = [
        *(e.status.ok_since for e in counted if not (judgement.before_deployment and e.criterion.kind is Kind.SUCCESS)),
        *(item.ok_since for item in judgement.items() if item.blocking),
        *(gate.ok_since for gate in _deploy_gates(judgement)),
    ]
    return max((moment for moment in moments if moment is not None), default=judgement.now)


def _go(judgement: Judgement, since: datetime) -> Verdict:
    items = list(judgement.items())
    done = f"checklist {sum(item.check.meaning.done for item in items)}/{len(items)}"
    if judgement.before_deployment:
        line = f"ready to deploy: {done}, gate passed"
    else:
        met = sum(e.criterion.kind is Kind.SUCCESS and e.status.ok for e in judgement.judged)
        line = f"{formatting.count(met, 'criterion')} met, {_clear(judgement.judged)}, {done}"
    return Verdict(Word.GO, since, judgement.phase, (line,), _waivers(judgement), decided=_newest(judgement.stands))


def _clear(judged: Sequence[Judged]) -> str:
    triggers = [e.status for e in judged if e.criterion.kind is Kind.TRIGGER and e.status.ok]
    known = sum(status.state is State.TRIPPED for status in triggers)
    return formatting.count(len(triggers) - known, "trigger") + " clear" + (f", {known} acknowledged" if known else "")


def _waivers(judgement: Judgement) -> int:
    waived = sum(Badge.WAIVED in each.status.badges for each in judgement.judged)
    items = (item for section in judgement.sections for item in section.items)
    return waived + sum(item.check is Check.WAIVED for item in items)
