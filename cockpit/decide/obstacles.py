"""What stands between now and GO, the most urgent first, and how the reasons of a HOLD are worded. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import IntEnum

from cockpit import formatting
from cockpit.decide.because import Explanation
from cockpit.decide.counted import Counted
from cockpit.decide.criterion import Judged, seen_since
from cockpit.decide.latch import Standing
from cockpit.decide.situation import CriterionStatus, GateStatus, ItemStatus, PathStep, RootCause, SectionStatus
from cockpit.decide.states import Check, State
from cockpit.decide.visibility import cause_line, cause_text
from cockpit.decide.withheld import Withheld
from cockpit.decide.world_back import WorldBack
from cockpit.plan.model import Kind, Phase
from probes.frozen import frozen
from probes.reading import Unknown

NOTHING_SEEN = Explanation("")


class Urgency(IntEnum):
    """Orders the reasons of the verdict, the most urgent first: what goes wrong, what people owe, what cannot be seen."""

    ALARM = 0
    BREACHING = 1
    HIDDEN = 2
    """A trigger was true when it was last seen, or has only just cleared."""
    FAILING = 4
    FAILING_ITEM = 5
    UNSIGNED = 6
    UNSEEN = 7
    WAITING = 8
    """Time will settle it, or a vote that is wanted last."""


@frozen
class Obstacle:
    """One thing that stands between now and GO."""

    urgency: int
    line: str
    step: PathStep
    because: Explanation = NOTHING_SEEN
    """What it rests on, where it rests on anything seen."""
    critical: bool = False
    """Whether it is of a critical item."""
    unseen: Unknown | None = None
    """Why it cannot be seen; None where it can."""


@frozen
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


def obstacles(judgement: Judgement) -> list[Obstacle]:
    """All of them, the most urgent first."""
    return sorted(_found(judgement), key=lambda each: each.urgency)


def _found(judgement: Judgement) -> list[Obstacle]:
    found = _withheld(judgement.record.withheld)
    found += _emptiness(judgement.judged)
    for each in judgement.judged:
        if each.criterion.enforced and (obstacle := _criterion(each, judgement.phase, judgement.now)) is not None:
            found.append(obstacle)
    found += [o for item in judgement.items() if item.blocking and (o := _item(item)) is not None]
    withheld = judgement.record.withheld.sentences
    found += [o for gate in deploy_gates(judgement) if not gate.passed and (o := _gate(gate, withheld)) is not None]
    if not found and anything_seen_since(judgement) is None:
        found.append(Obstacle(Urgency.ALARM, "nothing that is judged can be seen", PathStep("something must be seen")))
    return found


def _withheld(withheld: Withheld) -> list[Obstacle]:
    """What others may have stated, a rollback too, and is not known here: the cause names where it should be."""
    because = Explanation("", excerpt=withheld.cause)
    return [Obstacle(Urgency.ALARM, line, PathStep(withheld.ends), because) for line in withheld.sentences]


def deploy_gates(judgement: Judgement) -> list[GateStatus]:
    """Gates that count in this phase: those before the deployment, before the deployment."""
    return [gate for gate in judgement.gates if judgement.before_deployment and gate.before == "deploy"]


def _gate(gate: GateStatus, withheld: Sequence[str]) -> Obstacle | None:
    """What is withheld is said once, not of each gate."""
    missing = [each for each in gate.missing if each not in withheld]
    if withheld and not missing:
        return None
    line = f"{gate.title}: {'; '.join(missing)}"
    return Obstacle(Urgency.WAITING, line, PathStep(line, gate.id))


def anything_seen_since(judgement: Judgement) -> datetime | None:
    """Since when something that is judged has been seen without a break, good or bad; None where nothing is.

    Before a deployment triggers may be excused for want of traffic, but not all of it may be signatures and excuses.
    """
    criteria = (e.status for e in judgement.judged if e.criterion.decides and e.criterion.condition is not None)
    items = (item for section in judgement.sections for item in section.items if item.automatic and item.blocking)
    lines: list[CriterionStatus | ItemStatus] = [*criteria, *items]
    since = (
        seen_since(judgement.record, each.id, judgement.now) or each.ok_since or judgement.started_at
        for each in lines
        if each.unknown is None
    )
    return min(since, default=None)


def _emptiness(judged: Sequence[Judged]) -> list[Obstacle]:
    found = []
    for kind, noun in ((Kind.SUCCESS, "success criterion"), (Kind.TRIGGER, "rollback trigger")):
        if not any(each.criterion.decides for each in judged if each.criterion.kind is kind):
            line = f"the plan enforces no {noun}: nothing is never GO"
            found.append(Obstacle(Urgency.ALARM, line, PathStep(f"add a {noun} to the plan")))
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
    if each.pre_existing and not status.acknowledged:
        line = f"{status.title} was already true before the cutover began: acknowledge it by name"
        step = PathStep("acknowledge: " + status.title, status.id)
        return Obstacle(Urgency.BREACHING, line, step, status.because)
    if (
        status.sign_off is not None
        and not status.sign_off.given
        and (status.state.meaning.done or status.state is State.NOT_MET)
    ):
        who = " or ".join(status.sign_off.roles)
        step = PathStep("sign: " + status.title, status.id, who=who)
        return Obstacle(
            Urgency.UNSIGNED, f"{status.title}: needs sign-off: {formatting.roles(status.sign_off.roles)}", step
        )
    soon = f", trips {formatting.left(status.trips_in)}" if status.trips_in is not None else ""
    line = f"{status.title} {status.state.label}{soon}: {status.because.brief}"
    return Obstacle(_urgency(each), line, _step(each, now), status.because, unseen=status.unknown)


def _urgency(each: Judged) -> int:
    unknown, state = each.status.unknown, each.status.state
    if state is not State.UNKNOWN or unknown is None:
        return state.judging.urgency
    if each.suspected:
        return Urgency.HIDDEN
    return Urgency.WAITING if unknown.reason.traits.settles_by_itself else Urgency.UNSEEN


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
        why = (
            f"sign-off stale: {item.detail}"
            if item.check is Check.STALE
            else f"needs sign-off: {formatting.roles(item.sign_off.roles if item.sign_off else ())}"
        )
        step = PathStep(f"sign: {item.title}", item.id, who=who)
        return Obstacle(Urgency.UNSIGNED, f"{item.title}: {why}", step, critical=item.killer)
    settles = item.unknown is not None and item.unknown.reason.traits.settles_by_itself
    unseen = Urgency.WAITING if settles else Urgency.UNSEEN
    step = PathStep(f"{item.title} must pass", item.id)
    line = f"{item.title} {item.check.label}: {item.because.brief}"
    failing = Urgency.FAILING if item.killer else Urgency.FAILING_ITEM
    urgency = failing if item.check is Check.FAIL else unseen
    return Obstacle(urgency, line, step, item.because, item.killer, unseen=item.unknown)


# -- the reasons of a HOLD -------------------------------------------------------------------------------------------


def reasons(judgement: Judgement, found: Sequence[Obstacle]) -> list[str]:
    """The reasons of a HOLD in the order of urgency.

    What people owe is one line; so is all that cannot be seen, by its widest cause; so is what waits for its first reading.
    """
    lines = [(each.urgency, each.line) for each in found if each.urgency < Urgency.UNSIGNED]
    lines += [(Urgency.UNSIGNED, line) for line in _unsigned(found)]
    lines += [(Urgency.UNSEEN, line) for line in _unseen(judgement.causes, found)]
    lines += [(Urgency.WAITING, line) for line in _waiting(found)]
    return [line for _, line in sorted(lines, key=lambda each: each[0])]


def cause(found: Sequence[Obstacle], causes: Sequence[RootCause]) -> str:
    """What is behind the reasons in as few words as there are; empty where the first reason says it all.

    Raw detail names a cause (a log line, a secret); a value alone is a symptom, whichever trigger comes first.
    """
    urgent = [each.because for each in found if each.urgency < Urgency.UNSIGNED]
    if urgent:
        return worded_cause(urgent)
    first = found[0] if found else None
    return cause_text(causes[0]) if first is not None and first.urgency == Urgency.UNSEEN and causes else ""


def worded_cause(urgent: Sequence[Explanation]) -> str:
    """Of what is wrong, the most urgent first: how often it has been, and the first raw detail, else the first values."""
    detail = next((each.excerpt for each in urgent if each.excerpt), urgent[0].against)
    return ": ".join(filter(None, [urgent[0].again, detail]))


def _unsigned(found: Sequence[Obstacle]) -> list[str]:
    wanted = [each for each in found if each.urgency == Urgency.UNSIGNED]
    if len(wanted) < 2:
        return [each.line for each in wanted]
    critical = [each for each in wanted if each.critical]
    first = critical[0] if critical else wanted[0]
    of = f"{len(critical)} critical: " if critical else ""
    return [f"{len(wanted)} sign-offs are missing ({of}{first.line})"]


def _unseen(causes: Sequence[RootCause], found: Sequence[Obstacle]) -> list[str]:
    """One line: what blinds most, and how many other causes there are; else what is blind for no cause of its own."""
    caused = {subject for each in causes for subject in each.subjects}
    alone = [each.line for each in found if each.urgency == Urgency.UNSEEN and each.step.subject not in caused]
    if not causes:
        return alone
    more = f" (+{formatting.count(len(causes) - 1, 'more cause')})" if len(causes) > 1 else ""
    return [f"{cause_line(causes[0])}{more}", *alone]


def _waiting(found: Sequence[Obstacle]) -> list[str]:
    """What only time settles: by its reason where several wait for the same."""
    waiting = [each for each in found if each.urgency > Urgency.UNSEEN]
    alike = Counter(each.unseen.reason for each in waiting if each.unseen is not None)
    lines: dict[str, None] = {}
    for each in waiting:
        reason = each.unseen.reason if each.unseen is not None else None
        if reason is None or alike[reason] == 1:
            lines[each.line] = None
        else:
            lines[f"{formatting.count(alike[reason], 'check')}: {reason.traits.help}"] = None
    return list(lines)
