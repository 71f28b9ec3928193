"""decide(plan, board, record, now) -> Situation. Pure: no clock, no I/O, no screen. Called once a tick."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cockpit.decide.board import Board
from cockpit.decide.checklist import checklist
from cockpit.decide.criterion import judge
from cockpit.decide.gate import gates
from cockpit.decide.record import Change, Record
from cockpit.decide.sight import probe_statuses, root_causes, sight
from cockpit.decide.situation import Situation
from cockpit.decide.steps import steps
from cockpit.decide.verdict import verdict
from cockpit.plan.model import Phase, Plan


def decide(plan: Plan, board: Board, record: Record, now: datetime) -> Situation:
    """Everything shown, as of `now`."""
    began = record.phase()
    phase = began.phase if began else Phase.POST_DEPLOY
    origin = began.at if began else board.started_at
    judged = [judge(criterion, plan, board, record, origin, now) for criterion in plan.criteria()]
    statuses = tuple(each.status for each in judged)
    guards = plan.guards()
    # A guard proves nothing: what was seen just before is as good as what is seen now.
    guarding = tuple(
        judge(guard, plan, board, record, board.started_at - guard.stale_after, now).status for guard in guards
    )
    sections = checklist(plan, board, record, now)
    polls = gates(plan, record, now)
    items = [item for section in sections for item in section.items]
    causes = root_causes(board, statuses, items)
    probes = probe_statuses(board, now)
    saw_something = any(probe.known for probe in probes)
    word, path = verdict(plan, record, judged, sections, polls, causes, phase, saw_something, board.started_at, now)
    return Situation(
        now=now,
        started_at=board.started_at,
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
        observer_gap=_gap(board, now),
        guards=guarding,
        runbook=steps(plan.runbook, plan, record, now),
        rollback_plan=steps(plan.rollback_plan, plan, record, now),
        _by_id={status.id: status for status in statuses},
    )


def _gap(board: Board, now: datetime) -> timedelta | None:
    """The last time nobody was looking, while it is recent enough to matter."""
    if not board.gaps:
        return None
    since, until = board.gaps[-1]
    return until - since if now - until < timedelta(minutes=5) else None


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
    passed = {gate.id: gate.passed for gate in before.gates}
    for gate in after.gates:
        if gate.id in passed and passed[gate.id] is not gate.passed:
            words = ("open", "passed")
            yield Change(after.now, gate.id, words[passed[gate.id]], words[gate.passed], "; ".join(gate.votes))
