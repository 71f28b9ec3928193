"""The run of one condition's outcomes by data time, with the state after each: kept up as readings arrive, in any order."""

from __future__ import annotations

import copy
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cockpit.conditions.condition import Condition, Outcome
from cockpit.decide.fold import Fold, Sample, Trip, blind_trip, step
from cockpit.decide.situation import Because, CriterionStatus
from cockpit.plan.model import Criterion, Item, Kind
from probes.reading import Reading, Unknown

if TYPE_CHECKING:
    from cockpit.decide.board import Board

Subject = Criterion | Item


class Trail:
    """Outcomes and states of one criterion (or item) since `origin`, when its phase began.

    Samples are taken at every data time of the condition's probes, and count from `begins` on: `initial_delay` later.
    """

    def __init__(self, subject: Subject, origin: datetime) -> None:
        self.subject = subject
        self.origin = origin
        self.criterion = subject if isinstance(subject, Criterion) else _as_criterion(subject)
        self.begins = origin + self.criterion.initial_delay
        self.condition: Condition | None = self.criterion.condition
        self.probes: tuple[str, ...] = self.condition.probes if self.condition else ()
        clear = self.criterion.clear_condition
        self.watched = tuple(dict.fromkeys((*self.probes, *(clear.probes if clear else ()))))
        self.times: list[datetime] = []
        self.samples: list[Sample | None] = []
        self.folds: list[Fold | None] = []
        self.base: Fold | None = None
        """The state reached by samples already forgotten, and the data time up to which they are."""
        self.forgotten: datetime | None = None
        self.now: Outcome = Outcome(None)
        """What the newest polls say."""
        self.version = 0
        self.shown: tuple[Because, tuple[object, ...], CriterionStatus] | None = None
        """The status last made of it, with what it was made from."""
        self._told: tuple[int, Because] | None = None

    def copy(self) -> Trail:
        twin = copy.copy(self)
        twin.times, twin.samples, twin.folds = list(self.times), list(self.samples), list(self.folds)
        return twin

    @property
    def fold(self) -> Fold | None:
        """The state after the newest real sample; None before the first."""
        return self.folds[-1] if self.folds else self.base

    @property
    def real_samples(self) -> int:
        return sum(sample is not None for sample in self.samples)

    def told(self, board: Board, tell: Callable[[Trail, Board], Because]) -> Because:
        """The because-line, told again only when a reading has arrived."""
        if self._told is None or self._told[0] != self.version:
            self._told = (self.version, tell(self, board))
        return self._told[1]

    def rebuild(self, board: Board) -> None:
        """Start over from the board's history."""
        self.base = self.forgotten = None
        moments = {t for probe in self.probes for t in board.histories[probe].times if t >= self.begins}
        self.times = sorted(moments)
        self.samples = [self._sample(board, moment) for moment in self.times]
        self.folds = [None] * len(self.times)
        self._refold(board, 0)
        self.polled(board)

    def refold(self, board: Board) -> None:
        self._refold(board, 0)

    def polled(self, board: Board) -> None:
        """A probe was asked again: what do the newest answers say together?"""
        self.version += 1
        if self.condition is not None:
            self.now = self.condition.evaluate(*board.newest(self.probes))

    def touch(self, board: Board, probe: str, moment: datetime) -> None:
        """A sample about `moment` came in (or was corrected): judge it, and every later moment that rests on it."""
        if moment < self.begins or (self.forgotten is not None and moment <= self.forgotten):
            return
        first = bisect_left(self.times, moment)
        # A probe only the clear_condition reads makes no samples of its own.
        if probe in self.probes and (first == len(self.times) or self.times[first] != moment):
            self.times.insert(first, moment)
            self.samples.insert(first, None)
            self.folds.insert(first, None)
        until = board.histories[probe].next_after(moment)
        last = bisect_left(self.times, until) if until is not None else len(self.times)
        for index in range(first, last):
            self.samples[index] = self._sample(board, self.times[index])
        self._refold(board, first)

    def forget_before(self, moment: datetime) -> None:
        """Drop what is older, but keep the state reached."""
        index = bisect_right(self.times, moment) - 1
        if index > 0:
            self.base, self.forgotten = self.folds[index - 1], self.times[index - 1]
            del self.times[:index], self.samples[:index], self.folds[:index]

    def _sample(self, board: Board, moment: datetime) -> Sample | None:
        condition, clear = self.condition, self.criterion.clear_condition
        assert condition is not None
        used, unknown = board.context_at(self.watched, moment, self.begins)
        values = {probe: reading.values for probe, reading in used.items()}
        truth = condition.evaluate(values, unknown).truth
        if truth is None:
            return None
        rests_on = self._support(condition, used, unknown, truth)
        return Sample(
            data_at=min((reading.data_at for reading in rests_on.values()), default=moment),
            observed_at=max((reading.observed_at for reading in rests_on.values()), default=moment),
            truth=truth,
            recovers=truth or clear is None or clear.evaluate(values, unknown).truth is True,
            pre_existing=truth and self._pre_existing(condition, used, unknown),
        )

    def _support(
        self, condition: Condition, used: Mapping[str, Reading], unknown: Mapping[str, Unknown], truth: bool
    ) -> dict[str, Reading]:
        """The newest readings that decide by themselves: one slow probe carried along by a fast one is no new sample."""
        kept = {probe: used[probe] for probe in self.probes if probe in used}
        if len(kept) < 2:
            return kept
        for probe in sorted(kept, key=lambda name: (kept[name].data_at, name)):
            fewer = {name: reading for name, reading in kept.items() if name != probe}
            values = {name: reading.values for name, reading in fewer.items()}
            if condition.evaluate(values, unknown).truth is truth:
                kept = fewer
        return kept

    def _pre_existing(self, condition: Condition, used: Mapping[str, Reading], unknown: Mapping[str, Unknown]) -> bool:
        """Whether it would not be known to be true but for what the world says began before the cutover did."""
        since = {probe: reading.state_since for probe, reading in used.items()}
        old = {probe for probe, began in since.items() if began is not None and began < self.origin}
        if not old:
            return False
        values = {probe: reading.values for probe, reading in used.items() if probe not in old}
        return condition.evaluate(values, unknown).truth is not True

    def _refold(self, board: Board, first: int) -> None:
        fold = self.folds[first - 1] if first else self.base
        gaps = board.gaps_of(self.probes)
        for index in range(first, len(self.times)):
            sample = self.samples[index]
            if sample is not None:
                before, fold = fold, step(self.criterion, fold, sample, gaps)
                fold = self._unseen(before, fold, sample, gaps)
            self.folds[index] = fold
        self.version += 1

    def _unseen(self, before: Fold | None, fold: Fold, sample: Sample, gaps: list[tuple[datetime, datetime]]) -> Fold:
        """The fold with the trip for having been blind too long before this sample, where the plan wants one."""
        seen_at = before.data_at if before else self.begins
        if before is not None and sample.observed_at <= before.observed_at:
            return fold  # the same answer: it was known together with the sample before
        since = blind_trip(self.criterion, seen_at, sample.observed_at, gaps)
        if since is None:
            return fold
        return replace(fold, trips=(*fold.trips, Trip(since, sample.observed_at)))


def _as_criterion(item: Item) -> Criterion:
    """An item is a success criterion that holds as soon as it is seen to hold."""
    return Criterion(
        item.id,
        item.title,
        Kind.SUCCESS,
        item.expect,
        item.position,
        gap_tolerance=max(item.stale_after, timedelta(seconds=1)),
        stale_after=item.stale_after,
    )
