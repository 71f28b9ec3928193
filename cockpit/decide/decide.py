"""decide(plan, board, record, now) -> Situation. Pure: no clock, no I/O, no screen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cockpit.decide.board import Board
from cockpit.decide.checklist import checklist
from cockpit.decide.counted import counted
from cockpit.decide.criterion import Judged, judge
from cockpit.decide.events import Change, Record
from cockpit.decide.gate import gates
from cockpit.decide.situation import Situation
from cockpit.decide.steps import steps
from cockpit.decide.verdict import Judgement, verdict
from cockpit.decide.visibility import probe_statuses, root_causes, sight
from cockpit.plan.model import Criterion, Phase, Plan


def decide(plan: Plan, board: Board, record: Record, now: datetime) -> Situation:
    """Everything shown, as of `now`."""
    started_at, readings = board.started_at, board.readings
    counts = counted(plan, record, now)
    began = counts.phase()
    origin = began.at if began else started_at

    def judged_since(criterion: Criterion, since: datetime) -> Judged:
        return judge(criterion, board.evaluate(criterion, since, now), counts, started_at, now)

    judged = [judged_since(criterion, origin) for criterion in plan.criteria()]
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
            phase=began.phase if began else Phase.POST_DEPLOY,
            dwell=plan.verdict_dwell,
            saw_something=any(probe.known for probe in probes),
            started_at=started_at,
            now=now,
        )
    )
    return Situation(
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
        runbook=steps(plan.runbook, counts, now),
        rollback_plan=steps(plan.rollback_plan, counts, now),
        not_counted=tuple(counts.left_out),
        _by_id={status.id: status for status in statuses},
    )


def _freshness(plan: Plan, guard: Criterion) -> timedelta:
    probes = guard.condition.probes if guard.condition else ()
    return max((plan.probes[probe].stale_after for probe in probes), default=timedelta(0))


def changes(before: Situation, after: Situation) -> Iterator[Change]:
    """What changed its word between two situations: the verdict first, then criteria, guards, items and gates."""
    if (before.verdict.word, before.verdict.phase) != (after.verdict.word, after.verdict.phase):
        because = after.verdict.reasons[0] if after.verdict.reasons else ""
        yield Change(after.now, "verdict", before.verdict.word, after.verdict.word, because)
    old = {status.id: status for status in (*before.criteria, *before.guards)}
    for status in (*after.criteria, *after.guards):
        was = old.get(status.id)
        if was is not None and was.state is not status.state:
            yield Change(after.now, status.id, was.state, status.state, status.because.line)
    checks = {item.id: item.check for section in before.sections for item in section.items}
    for item in (item for section in after.sections for item in section.items):
        if item.id in checks and checks[item.id] is not item.check:
            yield Change(after.now, item.id, checks[item.id], item.check, item.detail or item.because.line)
    polls = {gate.id: gate.state for gate in before.gates}
    for gate in after.gates:
        if gate.id in polls and polls[gate.id] is not gate.state:
            yield Change(after.now, gate.id, polls[gate.id], gate.state, "; ".join(gate.votes))
