"""The run of one condition's outcomes by data time, with the state after each: kept up as readings arrive, in any order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cockpit.decide.condition import Condition, Outcome
from cockpit.decide.fold import Fold, Sample, step
from cockpit.decide.situation import Because
from cockpit.plan.model import Criterion, Item, Kind

if TYPE_CHECKING:
    from cockpit.decide.board import Board

Subject = Criterion | Item


class Trail:
    """Outcomes and states of one criterion (or item) since `origin`, the moment its proof may begin."""

    def __init__(self, subject: Subject, origin: datetime) -> None:
        self.subject = subject
        self.origin = origin
        self.criterion = subject if isinstance(subject, Criterion) else _as_criterion(subject)
        self.condition: Condition | None = self.criterion.condition
        self.probes: tuple[str, ...] = self.condition.probes if self.condition else ()
        clear = self.criterion.clear_condition
        self.watched = tuple(dict.fromkeys((*self.probes, *(clear.probes if clear else ()))))
        self.times: list[datetime] = []
        self.samples: list[Sample | None] = []
        self.folds: list[Fold | None] = []
        self.base: Fold | None = None
        """The state reached by samples already forgotten."""
        self.now: Outcome = Outcome(None)
        """What the newest polls say."""
        self.version = 0
        self._told: tuple[int, Because] | None = None

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
        self.base = None
        moments = {t for probe in self.probes for t in board.histories[probe].times if t >= self.origin}
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
        if moment < self.origin or (self.base is not None and moment <= self.base.data_at):
            return
        first = bisect_left(self.times, moment)
        if first == len(self.times) or self.times[first] != moment:
            self.times.insert(first, moment)
            self.samples.insert(first, None)
            self.folds.insert(first, None)
        until = board.histories[probe].next_after(moment)
        last = bisect_left(self.times, until) if until is not None else len(self.times)
        for index in range(first, max(last, first + 1)):
            self.samples[index] = self._sample(board, self.times[index])
        self._refold(board, first)

    def forget_before(self, moment: datetime) -> None:
        """Drop what is older, but keep the state reached."""
        index = bisect_right(self.times, moment) - 1
        if index > 0:
            self.base = self.folds[index - 1]
            del self.times[:index], self.samples[:index], self.folds[:index]

    def _sample(self, board: Board, moment: datetime) -> Sample | None:
        assert self.condition is not None
        values, unknown, used = board.context_at(self.watched, moment)
        truth = self.condition.evaluate(values, unknown).truth
        if truth is None:
            return None
        observed_at = max(reading.observed_at for reading in used)
        recovers, clear = True, self.criterion.clear_condition
        if clear is not None and not truth:
            recovers = clear.evaluate(values, unknown).truth is True
        began = [reading.state_since for reading in used if reading.state_since is not None]
        return Sample(moment, observed_at, truth, recovers, bool(truth and began and min(began) < self.origin))

    def _refold(self, board: Board, first: int) -> None:
        fold = self.folds[first - 1] if first else self.base
        for index in range(first, len(self.times)):
            sample = self.samples[index]
            if sample is not None:
                fold = step(self.criterion, fold, sample, board.gaps)
            self.folds[index] = fold
        self.version += 1


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
