"""The latest readings and the short history that the windows need. There is no other state.

What the board holds depends on the set of readings it was given, never on the order they arrived in.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime, timedelta

from cockpit.decide.because import Explanation
from cockpit.decide.evaluation import Evaluation, Evaluator, Subject
from cockpit.decide.readings import POLLS_KEPT, Readings
from cockpit.plan.model import Plan
from cockpit.plan.step_graph import StepGraphs
from probes.reading import Reading, checked

KEEP = timedelta(hours=12)


class Board:
    """Readings in, evaluations out. Filled by the engine (or a replay), read by `decide`."""

    def __init__(self, plan: Plan, started_at: datetime) -> None:
        self.plan = plan
        self.started_at = started_at
        polls_kept = max([POLLS_KEPT, *(criterion.error_limit for criterion in plan.criteria())])
        self.readings = Readings(plan.probes, polls_kept)
        self.step_graphs = StepGraphs.of(plan)
        self._evaluators: dict[str, Evaluator] = {}
        self._by_probe: dict[str, list[Evaluator]] = {name: [] for name in plan.probes}
        self._explained: dict[str, tuple[tuple[int, bool], Explanation]] = {}
        """By subject: the explanation of an evaluator's version, before or after a gap. Front ends compare it by identity."""
        self._last_pruned = started_at

    def add(self, probe: str, reading: Reading) -> None:
        """Take in one reading and the older samples it carries."""
        reading = checked(reading, self.plan.probes[probe].fields, probe)
        for moment in self.readings.add(probe, reading):
            for evaluator in self._by_probe[probe]:
                evaluator.touch(self.readings, probe, moment)
        for evaluator in self._by_probe[probe]:
            evaluator.polled(self.readings)
        self._prune(reading.observed_at)

    def gap(self, since: datetime, until: datetime) -> None:
        """Record that the cockpit was not watching between these times."""
        self.readings.gaps.append((since, until))
        self.readings.gaps.sort()
        for evaluator in self._evaluators.values():
            evaluator.unwatched(self.readings, since)

    def copy(self) -> Board:
        """A board of its own that holds the same."""
        twin = copy.copy(self)
        twin.readings = self.readings.copy()
        twin._evaluators = {name: evaluator.copy() for name, evaluator in self._evaluators.items()}
        twin._by_probe = {
            name: [twin._evaluators[evaluator.subject.id] for evaluator in evaluators]
            for name, evaluators in self._by_probe.items()
        }
        twin._explained = dict(self._explained)
        return twin

    def evaluate(self, subject: Subject, origin: datetime, now: datetime, ends: datetime | None = None) -> Evaluation:
        """The evaluation of a criterion or item at `now`. `origin` is when its phase began: nothing older counts.

        `ends`: the first good sample from then on is the last that counts.
        """
        evaluator = self._evaluator(subject, origin, ends)
        reached = evaluator.standing(now)
        version = evaluator.version, reached is not None and reached.broken
        explained = self._explained.get(subject.id)
        if explained is None or explained[0] != version:
            explained = version, evaluator.explain(reached, self.readings)
            self._explained[subject.id] = explained
        return evaluator.evaluation(self.readings, reached, explained[1], now)

    def outcomes(self, now: datetime) -> Mapping[str, object]:
        """By probe, what everything evaluated has come to. While it is equal, no window ends and nothing stated lapses, deciding
        anew gives the same words."""
        return {probe: self.outcomes_of(probe, now) for probe in self.readings.histories}

    def outcomes_of(self, probe: str, now: datetime) -> object:
        """The same for what is evaluated from one probe."""
        evaluated = tuple(
            (
                evaluator.outcome(),
                tuple(now > each for each in evaluator.lapses(self.readings)),
                self.readings.tolerated(evaluator.now, evaluator.criterion.error_limit),
            )
            for evaluator in self._by_probe[probe]
        )
        fresh_until = self._fresh_until(probe)
        return evaluated, fresh_until is not None and now > fresh_until

    def next_lapse(self, now: datetime) -> datetime | None:
        """The first moment after which time alone can change what the readings come to; a reading puts it off, or is news."""
        moments = [each for evaluator in self._evaluators.values() for each in evaluator.lapses(self.readings)]
        moments += [each for probe in self.readings.histories if (each := self._fresh_until(probe)) is not None]
        return min((each for each in moments if each >= now), default=None)

    def _fresh_until(self, probe: str) -> datetime | None:
        """Up to when the newest data of a probe is not too old to count; None where there is none."""
        history = self.readings.histories[probe]
        newest = history.newest_data_at
        return None if newest is None else newest + history.allowed(self.readings.own_limits[probe])

    def _evaluator(self, subject: Subject, origin: datetime, ends: datetime | None) -> Evaluator:
        """Built once, then extended as readings come."""
        held = self._evaluators.get(subject.id)
        if held is not None and (held.origin, held.ends) == (origin, ends) and held.subject is subject:
            return held
        if held is not None:
            self._explained.pop(subject.id, None)
            for evaluators in self._by_probe.values():
                if held in evaluators:
                    evaluators.remove(held)
        evaluator = self._evaluators[subject.id] = Evaluator(subject, origin, self.plan.probes, ends)
        for name in evaluator.watched:
            self._by_probe[name].append(evaluator)
        evaluator.rebuild(self.readings)
        return evaluator

    def _prune(self, now: datetime) -> None:
        if now - self._last_pruned < KEEP / 12 or not self._evaluators:
            return  # while nothing was evaluated, nothing holds what old readings came to
        self._last_pruned = now
        self.readings.forget_before(now - KEEP)
        for evaluator in self._evaluators.values():
            evaluator.forget_before(now - KEEP)
