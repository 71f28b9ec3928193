"""The verdict: go, hold or roll back. First match wins; slow to GO, fast to ROLLBACK; unknown is never healthy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cockpit import formatting
from cockpit.decide.criterion import Judged, shown_since
from cockpit.decide.events import Change, Decision
from cockpit.decide.latch import Standing, tripped_major
from cockpit.decide.obstacles import (
    Judgement,
    Obstacle,
    Urgency,
    anything_seen_since,
    cause,
    deploy_gates,
    obstacles,
    reasons,
    worded_cause,
)
from cockpit.decide.situation import Badge, CriterionStatus, Latch, PathStep, Verdict
from cockpit.decide.states import Check, State, Word
from cockpit.decide.world_back import WorldBack
from cockpit.plan.model import VERDICT, Kind, Severity


def verdict(judgement: Judgement) -> tuple[Verdict, tuple[PathStep, ...]]:
    """The verdict and the path to GO."""
    word, path = _first_match(judgement)
    return replace(word, waivers=_waivers(judgement)), path


def _first_match(judgement: Judgement) -> tuple[Verdict, tuple[PathStep, ...]]:
    found = obstacles(judgement)
    path = tuple(each.step for each in found)
    stands, ended = judgement.stands, has_ended(judgement.stands, judgement.back)
    if stands.latch is not None:
        return _roll_back(judgement, stands.latch), path
    if stands.course is not None and not ended:
        return _under_way(judgement, stands.course), path
    if stands.course is not None and stands.course.choice == "execute":
        return _rolled_back(judgement, stands.course), (PathStep("vote again, then begin the deployment again"),)
    if not found:
        ready = _settled_at(judgement) + judgement.dwell
        if judgement.now >= ready:
            return _go(judgement, ready), ()
        wait = formatting.duration(ready - judgement.now)
        line = f"everything holds; GO in {wait} if it stays so"
        found = [Obstacle(Urgency.WAITING, line, PathStep("everything must keep holding", VERDICT, ready))]
    return _hold(judgement, found), tuple(each.step for each in found)


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
    shown = next((c for c in reversed(judgement.record.turns.get(VERDICT, ())) if c.after != c.before), None)
    since = shown.at if shown is not None and Word(shown.after).calls_for_decision else course.at
    return _calling(judgement, since, lines, None, course)


def _calling(
    judgement: Judgement, since: datetime, lines: list[str], latch: Latch | None, course: Decision | None = None
) -> Verdict:
    loses = judgement.record.loses
    if loses:
        lines.insert(0, f"past the point of no return: a rollback would lose {loses}")
    decided = _decided(course) if course is not None else ""
    return Verdict(
        _calling_word(judgement),
        since,
        judgement.phase,
        tuple(lines),
        latch=latch,
        loses=loses,
        undone=judgement.record.undone,
        under_way=course,
        decided=decided,
        cause=_standing_cause(judgement, latch),
    )


def _calling_word(judgement: Judgement) -> Word:
    """The word of a tripped trigger: past the point of no return a rollback would lose something."""
    return Word.FIX_FORWARD if judgement.record.loses else Word.ROLLBACK


def _standing_cause(judgement: Judgement, latch: Latch | None) -> str:
    """What is behind the triggers that wait for a decision, the first one's title where none is true any more; what still
    fails once it is decided.
    """
    waiting = latch.triggers if latch is not None else ()
    latched = [each.status for each in judgement.judged if each.criterion.id in waiting]
    still = (each for each in judgement.judged if each.criterion.enforced and not each.status.ok)
    failing = [each.status for each in sorted(still, key=lambda each: each.criterion.kind is not Kind.TRIGGER)]
    if not (*latched, *failing):
        return ""
    worded = worded_cause([each.because for each in (*latched, *failing)])
    return worded or (f"{latched[0].title} ({_past(latched[0])})" if latched else "")


def _rolled_back(judgement: Judgement, course: Decision) -> Verdict:
    lines = ("the rollback has ended; vote again and begin the deployment again when it is ready", *judgement.back.seen)
    return Verdict(
        Word.ROLLED_BACK,
        judgement.stands.ended or judgement.now,
        judgement.phase,
        (*lines, *judgement.back.missing, _decided(course)),
        decided=_decided(course),
    )


_WORDED = {"execute": "decided to roll back", "fix_forward": "decided to fix forward", "dismiss": "dismissed it"}


def _decided(decision: Decision) -> str:
    until = f" until {formatting.clock(decision.until)}" if decision.until else ""
    return f"{decision.by} {_WORDED[decision.choice]}{until} at {formatting.clock(decision.at)}: {decision.why}"


def _trip_line(status: CriterionStatus) -> str:
    now = "" if status.state is State.TRIPPED else f" ({_past(status)})"
    blind = " BLIND" if Badge.BLIND in status.badges else ""
    waived = " (waived: a waiver does not answer a rollback)" if Badge.WAIVED in status.badges else ""
    return f"{status.title}{now}{blind}{waived}: {status.because.brief}"


def _past(status: CriterionStatus) -> str:
    """Of a trigger that latched and is true no more."""
    return "latched; " + ("condition cleared" if status.state is State.CLEAR else f"now {status.state.label}")


# -- hold ------------------------------------------------------------------------------------------------------------


def _hold(judgement: Judgement, found: Sequence[Obstacle]) -> Verdict:
    lines = (*reasons(judgement, found), *(_decided(each) for each in judgement.stands.dismissals))
    shown = shown_since(judgement.record.latest(Change, VERDICT), Word.HOLD, judgement.now)
    turns_in = _turns_in(judgement)
    return Verdict(
        Word.HOLD,
        shown or judgement.started_at,
        judgement.phase,
        lines,
        judged=judgement.saw_something,
        decided=_newest(judgement.stands),
        cause=cause(found, judgement.causes),
        turns_in=turns_in,
        turns_to=_calling_word(judgement) if turns_in is not None else None,
    )


def _turns_in(judgement: Judgement) -> timedelta | None:
    """When a rollback is called for if nothing changes: by a critical trigger, or by the second of two major ones."""
    if judgement.before_deployment:
        return None
    left: dict[Severity, list[timedelta]] = {severity: [] for severity in Severity}
    for each in judgement.judged:
        # What was there before the cutover does not trip, and what trips under a waiver does not count. A dismissal ends no later
        # than its trigger is clear, so it answers nothing that is only breaching.
        if each.criterion.enforced and not each.pre_existing and Badge.WAIVED not in each.status.badges:
            left[each.criterion.severity] += [each.status.trips_in] if each.status.trips_in is not None else []
    majors = sorted(left[Severity.MAJOR])
    alone = not any(tripped_major(each) for each in judgement.judged)
    return min([*left[Severity.CRITICAL], *majors[alone:]], default=None)


def _newest(stands: Standing) -> str:
    """The newest decision that keeps a rollback from being called for."""
    counting = [*stands.dismissals, *([stands.course] if stands.course is not None else [])]
    return _decided(max(counting, key=lambda each: each.at)) if counting else ""


# -- go --------------------------------------------------------------------------------------------------------------


def _settled_at(judgement: Judgement) -> datetime:
    """When the last thing that had to hold began to hold: that anything is seen, to begin with."""
    counted = (e for e in judgement.judged if e.criterion.enforced)
    moments = [
        anything_seen_since(judgement),
        *(e.status.ok_since for e in counted if not (judgement.before_deployment and e.criterion.kind is Kind.SUCCESS)),
        *(item.ok_since for item in judgement.items() if item.blocking),
        *(gate.ok_since for gate in deploy_gates(judgement)),
    ]
    return max(moment for moment in moments if moment is not None)


def _go(judgement: Judgement, since: datetime) -> Verdict:
    items = list(judgement.items())
    done = f"checklist {sum(item.check.meaning.done for item in items)}/{len(items)}"
    if judgement.before_deployment:
        line = f"ready to deploy: {done}, gate passed"
    else:
        met = sum(e.criterion.kind is Kind.SUCCESS and e.status.ok for e in judgement.judged)
        line = f"{formatting.count(met, 'criterion')} met, {_clear(judgement.judged)}, {done}"
    return Verdict(Word.GO, since, judgement.phase, (line,), decided=_newest(judgement.stands))


def _clear(judged: Sequence[Judged]) -> str:
    triggers = [e.status for e in judged if e.criterion.kind is Kind.TRIGGER and e.status.ok]
    known = sum(status.state is State.TRIPPED for status in triggers)
    return formatting.count(len(triggers) - known, "trigger") + " clear" + (f", {known} acknowledged" if known else "")


def _waivers(judgement: Judgement) -> int:
    waived = sum(Badge.WAIVED in each.status.badges for each in judgement.judged)
    items = (item for section in judgement.sections for item in section.items)
    return waived + sum(item.check is Check.WAIVED for item in items)
