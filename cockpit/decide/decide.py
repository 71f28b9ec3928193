"""decide(plan, board, record, now) -> Situation. Pure: no clock, no I/O, no screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cockpit.decide.board import Board
from cockpit.decide.checklist import checklist
from cockpit.decide.counted import Counted, counted
from cockpit.decide.criterion import Judged, judge, sight_of
from cockpit.decide.events import LAST_SAFE_MOMENT, Change, Record
from cockpit.decide.gate import gates
from cockpit.decide.latch import Standing, standing
from cockpit.decide.next_action import next_actions
from cockpit.decide.obstacles import Judgement
from cockpit.decide.readings import Readings
from cockpit.decide.running_releases import releases
from cockpit.decide.schedule import Seen, schedule
from cockpit.decide.situation import Situation, StepStatus, Verdict
from cockpit.decide.states import RollbackFit, State
from cockpit.decide.steps import steps
from cockpit.decide.verdict import has_ended, verdict
from cockpit.decide.visibility import probe_statuses, root_causes, sight
from cockpit.decide.world_back import WorldBack, all_clear, world_back
from cockpit.plan.model import VERDICT, Criterion, Phase, Plan

_SEEN = "SEEN"


def decide(plan: Plan, board: Board, record: Record, now: datetime) -> Situation:
    """Everything shown, as of `now`."""
    started_at, readings = board.started_at, board.readings
    counts = counted(plan, record, now)
    began = counts.phase()
    origin = began.at if began else started_at

    phase = began.phase if began else Phase.POST_DEPLOY

    def judged_since(criterion: Criterion, since: datetime) -> Judged:
        limited = criterion.until is not None and phase is Phase.POST_DEPLOY
        ends = since + criterion.until if limited and criterion.until is not None else None
        return judge(criterion, board.evaluate(criterion, since, now, ends), counts, started_at, now)

    triggers = [judged_since(criterion, origin) for criterion in plan.rollback_triggers]
    stands = standing(triggers, counts, now) if phase is Phase.POST_DEPLOY else Standing()
    rollback_plan = steps(plan.rollback_plan, counts, now)
    back = _back(stands, triggers, counts, readings, rollback_plan, now)
    fixed = stands.course is not None and stands.course.choice == "fix_forward" and has_ended(stands, back)
    proof_begins = max(origin, stands.ended or now) if fixed else origin
    judged = [*(judged_since(criterion, proof_begins) for criterion in plan.success_criteria), *triggers]
    # A guard proves nothing: what was seen just before is as good as what is seen now.
    guarding = tuple(judged_since(guard, started_at - _freshness(plan, guard)).status for guard in plan.guards())
    evaluations = {item.id: board.evaluate(item, started_at, now) for _, item in plan.items()}
    sections = checklist(plan, evaluations, counts, started_at, now)
    polls = gates(plan, counts, now)
    statuses = tuple(each.status for each in judged)
    causes = root_causes(readings, statuses, [item for section in sections for item in section.items])
    probes = probe_statuses(readings, now)
    word, path = verdict(
        Judgement(
            judged=judged,
            sections=sections,
            gates=polls,
            causes=causes,
            record=counts,
            stands=stands,
            back=back,
            phase=phase,
            dwell=plan.verdict_dwell,
            saw_something=any(probe.known for probe in probes),
            started_at=started_at,
            now=now,
        )
    )
    runbook = steps(plan.runbook, counts, now)
    seen = Seen(runbook, rollback_plan, polls, word, path)
    situation = Situation(
        now=now,
        started_at=started_at,
        plan_name=plan.name,
        plan_digest=plan.digest,
        verdict=word,
        criteria=statuses,
        sections=sections,
        gates=polls,
        probes=probes,
        root_causes=causes,
        path_to_go=path,
        sight=sight(statuses, now),
        guards=guarding,
        runbook=runbook,
        rollback_plan=rollback_plan,
        schedule=schedule(plan, board.step_graphs, counts, readings, seen, now),
        releases=releases(counts, readings, now),
        not_counted=tuple(counts.left_out),
        withheld=counts.withheld,
        _by_id={status.id: status for status in statuses},
    )
    return replace(situation, next_actions=next_actions(plan, situation))


def _freshness(plan: Plan, guard: Criterion) -> timedelta:
    assert guard.condition is not None
    return max(plan.probes[probe].stale_after for probe in guard.condition.probes)


def _back(
    stands: Standing,
    triggers: Sequence[Judged],
    counts: Counted,
    readings: Readings,
    rollback_plan: Sequence[StepStatus],
    now: datetime,
) -> WorldBack:
    """What a decision that was taken still needs to be at its end: fixing forward ends when every trigger is clear."""
    if stands.course is None:
        return WorldBack()
    if stands.course.choice == "fix_forward":
        return all_clear(triggers)
    return world_back(triggers, counts, readings, rollback_plan, stands.course, now)


def changes(before: Situation, after: Situation) -> Iterator[Change]:
    """What changed its word between two situations: the verdict, criteria, guards, items, gates, the way back."""
    if (turn := _turn(before.verdict, after.verdict, after.now)) is not None:
        yield turn
    was = _sight(before)
    over = dict.fromkeys(was, (_SEEN, ""))  # what is there no more has been seen to be over
    old = _words_of_lines(before) | was
    for id_, (state, because) in (_words_of_lines(after) | over | _sight(after)).items():
        if id_ in old and old[id_][0] != state:
            yield Change(after.now, id_, old[id_][0], state, because)
    if (turned := _way_back(before, after)) is not None:
        yield turned


def words_of(situation: Situation) -> dict[str, tuple[str, str]]:
    """The word of the verdict ("verdict"), and of each criterion, guard, item and gate by id, with why it is so now."""
    verdict = situation.verdict
    return {VERDICT: (verdict.word, verdict.reasons[0]), **_words_of_lines(situation)}


def _words_of_lines(situation: Situation) -> dict[str, tuple[str, str]]:
    items = [item for section in situation.sections for item in section.items]
    return {
        **{each.id: (each.state, each.because.line) for each in (*situation.criteria, *situation.guards)},
        **{item.id: (item.check, item.detail or item.because.line) for item in items},
        **{gate.id: (gate.state, gate.because) for gate in situation.gates},
    }


def _sight(situation: Situation) -> dict[str, tuple[str, str]]:
    """Whether what was there before the phase is seen: once acknowledged it holds for as long as it is, and its word stays."""
    there = (each for each in situation.criteria if each.pre_existing is not None)
    return {sight_of(each.id): (State.UNKNOWN if each.unknown else _SEEN, each.because.line) for each in there}


def _way_back(before: Situation, after: Situation) -> Change | None:
    """How a rollback fits, where that has changed; that the deployment has not begun is no news."""
    if before.back is None or after.back is None or before.back.fit is after.back.fit:
        return None
    if after.back.fit is RollbackFit.NOT_DEPLOYED:
        return None
    return Change(after.now, LAST_SAFE_MOMENT, before.back.fit, after.back.fit, after.back.line)


def _turn(before: Verdict, after: Verdict, now: datetime) -> Change | None:
    """The verdict's change, by what changed it; also where it calls again: another trigger latched, or one after a decision."""
    latched = set(after.latch.triggers) if after.latch else set()
    renewed = bool(after.latch) and (before.latch is None or not latched <= set(before.latch.triggers))
    if (before.word, before.phase) == (after.word, after.phase) and not renewed:
        return None
    answered = before.latch is not None and after.latch is None
    because = after.decided if answered and after.decided else after.reasons[0]
    return Change(now, VERDICT, before.word, after.word, because, after.latch.trips if after.latch else ())
