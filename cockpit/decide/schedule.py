"""The night as a schedule: critical path, end of the night, and the last safe moment to go back.

A pure function of the plan, the record, what was read, and now. It is advice: no verdict rests on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cockpit.decide.counted import Counted
from cockpit.decide.estimates import estimate
from cockpit.decide.readings import Readings
from cockpit.decide.situation import GateStatus, PathStep, StepStatus, Verdict
from cockpit.decide.states import RollbackFit, StepState, Word
from cockpit.decide.timing import LAST, SOON, NightEnd, Schedule, StepTime, WayBack
from cockpit.plan.change_window import Opening
from cockpit.plan.model import VERDICT, Phase, Plan, Step
from cockpit.plan.step_graph import StepGraph, StepGraphs
from probes.frozen import frozen

_NOTHING = timedelta(0)
Span = tuple[datetime, datetime]


@frozen
class Seen:
    """What else was decided at that moment."""

    runbook: Sequence[StepStatus]
    rollback_plan: Sequence[StepStatus]
    gates: Sequence[GateStatus]
    verdict: Verdict
    path_to_go: Sequence[PathStep]


def schedule(
    plan: Plan, graphs: StepGraphs, record: Counted, readings: Readings, seen: Seen, now: datetime
) -> Schedule | None:
    """The schedule at `now`; None for a plan without steps. `graphs` are those of the plan."""
    if not plan.runbook and not plan.rollback_plan:
        return None
    window = _window(plan, graphs.runbook, record, seen, now)
    gates = {gate.id: gate.title for gate in seen.gates if not gate.passed}
    opens = max(now, window.begins) if window and not _deployed(seen) else now
    there = _Steps(graphs.runbook, seen.runbook, record, readings, now, opens, gates)
    back = _Steps(graphs.rollback_plan, _of_this_attempt(seen.rollback_plan, record), record, readings, now, now, {})
    begin = window.begins if window else min((s.began for s in seen.runbook if s.began), default=None)
    runbook = there.times(begin)
    rollback = back.times(None)
    return Schedule(
        window=window,
        time_zone=plan.window.time_zone if plan.window else "",
        runbook=runbook,
        rollback_plan=rollback,
        end=there.end(),
        back=_way_back(plan, record, seen, back, window, now) if window and plan.rollback_plan else None,
        _by_id={each.id: each for each in (*runbook, *rollback)},
    )


def _deployed(seen: Seen) -> bool:
    return seen.verdict.phase is Phase.POST_DEPLOY


def _window(plan: Plan, runbook: StepGraph, record: Counted, seen: Seen, now: datetime) -> Opening | None:
    """The opening that this cutover is in: of a weekly window the one nearest to its beginning, else the next one."""
    if plan.window is None:
        return None
    began = record.phase()
    if _deployed(seen):
        return plan.window.near(began.at if began else now)
    first = min((step.began for step in seen.runbook if step.began and step.id in runbook.before), default=None)
    return plan.window.near(first) if first is not None else plan.window.next_after(now)


def _of_this_attempt(statuses: Sequence[StepStatus], record: Counted) -> list[StepStatus]:
    """Steps of the rollback as done since the deployment began: those of an earlier rollback are not done now."""
    began = record.phase()
    since = began.at if began else None
    return [each for each in statuses if since is None or each.began is None or each.began >= since]


class _Steps:
    """One list of steps, with their estimates, placed on the time axis: those that have not begun from `opens` on.

    A step without a status counts as not begun.
    """

    def __init__(
        self,
        graph: StepGraph,
        statuses: Sequence[StepStatus],
        record: Counted,
        readings: Readings,
        now: datetime,
        opens: datetime,
        gates: Mapping[str, str],
    ) -> None:
        self.graph = graph
        self.steps = graph.in_window
        self._status = {status.id: status for status in statuses}
        self._estimates = {
            step.id: estimate(step, self._status.get(step.id), record, readings, now) for step in graph.steps
        }
        self._now, self._opens, self._gates = now, opens, gates
        self._before = graph.before
        known = [found for found in self._estimates.values() if found is not None]
        self.likely = self._placed({id_: found.likely for id_, found in self._estimates.items() if found is not None})
        """When each step starts and ends: most likely, at best and at worst."""
        self.best = self.worst = self.likely
        if any(found.shortest != found.longest for found in known):
            self.best = self._placed({id_: f.shortest for id_, f in self._estimates.items() if f is not None})
            self.worst = self._placed({id_: f.longest for id_, f in self._estimates.items() if f is not None})

    @property
    def without(self) -> tuple[str, ...]:
        """Titles of the steps that are not over and have no estimate."""
        return tuple(
            step.title for step in self.steps if not self._is_over(step.id) and self._estimates[step.id] is None
        )

    @property
    def begun(self) -> bool:
        return any(status.began is not None for status in self._status.values())

    @property
    def over(self) -> bool:
        return bool(self.steps) and all(self._is_over(step.id) for step in self.steps)

    def takes(self) -> timedelta | None:
        """From a beginning to the end, at worst, as if none of it had begun; None where no step has an estimate."""
        longest = {id_: found.longest for id_, found in self._estimates.items() if found is not None}
        if not longest.keys() & self._before.keys():
            return None
        return self.graph.longest(longest)

    def _placed(self, estimates: Mapping[str, timedelta]) -> dict[str, Span]:
        """When each step starts and ends, if those that are not over take so long."""
        spans: dict[str, Span] = {}
        for id_, waits_for in self._before.items():
            status, takes = self._status.get(id_), estimates.get(id_, _NOTHING)
            if status is not None and status.progress.meaning.done and status.ended is not None:
                spans[id_] = status.began or status.ended, status.ended
            elif status is not None and status.progress is StepState.STARTED and status.began is not None:
                spans[id_] = status.began, max(self._now, status.began + takes)
            else:
                starts = max([self._opens, *(spans[each][1] for each in waits_for)])
                spans[id_] = starts, starts + takes
        return spans

    def end(self) -> NightEnd | None:
        """When the last of them ends."""
        if not self.steps:
            return None
        earliest, likely, latest = (_end_of(spans) for spans in (self.best, self.likely, self.worst))
        return NightEnd(earliest, likely, latest, self.without, self.over)

    def times(self, begin: datetime | None) -> tuple[StepTime, ...]:
        """Every step on the time axis, those that are prepared before the window without times. `begin`: of the plan's times."""
        likely, best, worst = self.likely, self.best, self.worst
        slack = self._slack(likely, _end_of(likely)) if likely else {}
        planned = self._planned(begin) if begin is not None else {}
        return tuple(
            StepTime(
                step.id,
                *likely[step.id],
                earliest=best[step.id][1],
                latest=worst[step.id][1],
                planned_start=planned[step.id][0] if planned else None,
                planned_end=planned[step.id][1] if planned else None,
                slack=slack.get(step.id),
                late=self._late(step.id, likely[step.id], planned),
                owner=self.graph.owners[step.id],
                gate="" if self._is_over(step.id) else self._gates.get(step.gate, ""),
                rests_on=found.rests_on if (found := self._estimates[step.id]) and not self._is_over(step.id) else "",
            )
            if step.id in likely
            else self._prepared(step, begin)
            for step in self.graph.steps
        )

    def _prepared(self, step: Step, begin: datetime | None) -> StepTime:
        """A step that is to be over when the window begins."""
        status = self._status.get(step.id)
        until = (
            status.ended if status is not None and status.ended is not None and self._is_over(step.id) else self._now
        )
        late = until - begin if begin is not None and until > begin else None
        return StepTime(step.id, planned_end=begin, late=late, owner=self.graph.owners[step.id])

    def _planned(self, begin: datetime) -> dict[str, Span]:
        spans: dict[str, Span] = {}
        lasts = {step.id: step.duration or _NOTHING for step in self.steps}
        for id_, waits_for in self._before.items():
            starts = max([begin, *(spans[each][1] for each in waits_for)])
            spans[id_] = starts, starts + lasts[id_]
        return spans

    def _slack(self, spans: Mapping[str, Span], end: datetime) -> dict[str, timedelta]:
        """How much later each step that is not over may end; backwards from the end of the last."""
        latest = dict.fromkeys(spans, end)
        found: dict[str, timedelta] = {}
        for id_ in reversed(tuple(self._before)):
            starts, ends = spans[id_]
            if not self._is_over(id_):
                if self._estimates[id_] is not None:
                    found[id_] = latest[id_] - ends
                if not self._is_under_way(id_):  # one that has begun waits for none
                    for before in self._before[id_]:
                        latest[before] = min(latest[before], latest[id_] - (ends - starts))
        return found

    def _late(self, id_: str, span: Span, planned: Mapping[str, Span]) -> timedelta | None:
        if id_ not in planned:
            return None
        status = self._status.get(id_)
        begun = status is not None and status.began is not None and status.progress is not StepState.FAILED
        by = span[1] - planned[id_][1] if begun else span[0] - planned[id_][0]
        return by if not begun or self._is_over(id_) or self._estimates[id_] is not None else None

    def _is_over(self, id_: str) -> bool:
        status = self._status.get(id_)
        return status is not None and status.progress.meaning.done

    def _is_under_way(self, id_: str) -> bool:
        status = self._status.get(id_)
        return status is not None and status.progress is StepState.STARTED


def _end_of(spans: Mapping[str, Span]) -> datetime:
    return max(end for _, end in spans.values())


# -- the way back ----------------------------------------------------------------------------------------------------


def _way_back(plan: Plan, record: Counted, seen: Seen, back: _Steps, window: Opening, now: datetime) -> WayBack | None:
    if seen.verdict.word is Word.ROLLED_BACK:
        return None
    takes, loses = back.takes(), record.loses
    ends = _end_of(back.worst) if takes is not None else None
    moment = window.ends - takes - plan.rollback_reserve if takes is not None else None
    return WayBack(
        fit=_fit(seen, back, past=bool(loses), moment=moment, now=now),
        now=now,
        window=window,
        takes=takes,
        reserve=plan.rollback_reserve,
        without=back.without,
        ends=ends,
        go=_earliest_go(plan, seen, now),
        loses=loses,
    )


def _fit(seen: Seen, back: _Steps, *, past: bool, moment: datetime | None, now: datetime) -> RollbackFit:
    under_way = seen.verdict.under_way
    if past:
        return RollbackFit.FIX_FORWARD
    if not _deployed(seen):
        return RollbackFit.NOT_DEPLOYED
    if (under_way is not None and under_way.choice == "execute") or (back.begun and not back.over):
        return RollbackFit.UNDER_WAY
    if moment is None:
        return RollbackFit.UNTIMED
    left = moment - now
    if left < _NOTHING:
        return RollbackFit.TOO_LATE
    return RollbackFit.LAST if left <= LAST else RollbackFit.SOON if left <= SOON else RollbackFit.FITS


def _earliest_go(plan: Plan, seen: Seen, now: datetime) -> datetime | None:
    """Before when GO cannot come, by the estimates there are; None where it stands, or waits for a decision."""
    if seen.verdict.word is not Word.HOLD:
        return None
    if [step.subject for step in seen.path_to_go] == [VERDICT]:
        return seen.path_to_go[0].eta
    return max([now, *(step.eta for step in seen.path_to_go if step.eta is not None)]) + plan.verdict_dwell
