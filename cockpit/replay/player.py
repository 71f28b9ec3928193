"""Plays a trace on the same board and decide(), and compares the result with what was decided then."""

from __future__ import annotations

import copy
import time
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import Change, ObserverGap, Record
from cockpit.decide.settle import settle
from cockpit.decide.situation import Situation
from cockpit.engine.poller import paced
from cockpit.engine.recording import restore_board
from cockpit.replay.trace import Decided, EntryAdded, ReadingTaken, SessionOpened, Trace, WatchStarted
from probes.frozen import frozen

SNAPSHOTS = 40
"""Number of snapshots along a trace; a seek plays at most the distance between two."""
MIN_STEPS = 200
"""Steps between two snapshots, at least."""


@frozen
class Difference:
    """A decision that differs from the recorded one."""

    at: datetime
    recorded: Sequence[Change]
    decided: Sequence[Change]

    def __str__(self) -> str:
        def listed(found: Sequence[Change]) -> str:
            return "; ".join(f"{c.subject} {c.before} -> {c.after}" for c in found) or "nothing"

        return f"{self.at:%H:%M:%S.%f}: the record says {listed(self.recorded)}; decided again: {listed(self.decided)}"


class Player:
    """Plays a trace forward, step by step, deciding wherever a decision was recorded."""

    def __init__(self, trace: Trace, *, decides: bool = True) -> None:
        self.trace = trace
        self.decides = decides
        """False: the recorded changes are taken over as they are, which is all that a look at one moment needs. Nothing is
        evaluated before that look: what was read is the same, in whatever order."""
        self.plan = trace.plan
        self.started_at = trace.started_at
        self.board = Board(trace.plan, trace.started_at)
        self.record = Record()
        self._decided = self.shown(trace.started_at) if decides else None
        self.differences: list[Difference] = []
        self.slowed: dict[str, float] = {}
        """By probe: how many times its interval it waits."""
        self.done = 0
        """How many steps have been played."""

    def copy(self) -> Player:
        twin = copy.copy(self)
        twin.board = self.board.copy()
        twin.record = self.record.copy()
        twin.slowed = dict(self.slowed)
        twin.differences = list(self.differences)
        return twin

    @property
    def situation(self) -> Situation:
        """By the last decision; as it began, where none was made."""
        return self._decided or self.shown(self.started_at)

    def shown(self, at: datetime) -> Situation:
        """The situation at a moment, once everything up to it has been played."""
        return decide(self.plan, self.board, self.record, at)

    def play_to(self, step: int) -> bool:
        before = self.done
        while self.done < step:
            self._play()
        return self.done > before

    def _play(self) -> None:
        step = self.trace.steps[self.done]
        self.done += 1
        if isinstance(step, ReadingTaken):
            self._take(step)
        elif isinstance(step, Decided):
            self._decide_again(step)
        elif isinstance(step, SessionOpened):
            self.record = Record(list(step.entries), **step.kind)
            self._plan_of(step)
        elif isinstance(step, WatchStarted):
            self.board, self.slowed = Board(self.plan, self.started_at), {}
            restore_board(self.board, step.kept, self.record)
            self._decided = self.shown(step.since) if self.decides else None
        else:
            self._add(step)

    def _plan_of(self, step: SessionOpened) -> None:
        """A session with a changed plan gets a new board; with the same plan the old one stays until it starts to watch."""
        if step.plan is not self.plan:
            self.plan, self.started_at = step.plan, step.started_at
            self.board, self.slowed = Board(self.plan, self.started_at), {}

    def _take(self, step: ReadingTaken) -> None:
        if step.probe in self.board.readings.histories:
            self.board.add(step.probe, step.reading)
            self.slowed[step.probe] = paced(self.slowed.get(step.probe, 1.0), step.reading)

    def _add(self, step: EntryAdded) -> None:
        self.record.append(step.entry)
        if isinstance(step.entry, ObserverGap):
            self.board.gap(step.entry.since, step.entry.at)

    def _decide_again(self, step: Decided) -> None:
        """Decide again as it was decided then."""
        if not self.decides:
            self.record.extend(step.changes)
            return
        decided = self.decide(step.at)
        kept, again = _words(step.changes), _words(decided)
        if kept != (again[: len(kept)] if step.cut else again):
            self.differences.append(Difference(step.at, step.changes, decided))

    def decide(self, at: datetime) -> Sequence[Change]:
        """Every change at a moment: decided until it settles, each pass on the result of the one before."""
        self._decided, decided = settle(self.plan, self.board, self.record, self.situation, at)
        return decided


def _words(found: Sequence[Change]) -> list[tuple[datetime, str, str, str]]:
    """Subject, before and after. The reason is left out: a later version may word it differently; and so is a verdict that calls
    again under the same word, which earlier versions did not record.
    """
    return [(c.at, c.subject, c.before, c.after) for c in found if not (c.before == c.after and c.latched)]


class _Track:
    """A player that goes on as far as it was ever asked to, and its copies along the way."""

    def __init__(self, trace: Trace, *, decides: bool) -> None:
        self.player = Player(trace, decides=decides)
        self._every = max(len(trace.steps) // SNAPSHOTS, MIN_STEPS)
        self._snapshots = [self.player.copy()]

    def before(self, step: int) -> Player:
        """The nearest copy from which a step is reached by playing on."""
        return next(player for player in reversed(self._snapshots) if player.done <= step)

    def play_to(self, step: int) -> None:
        while self.player.done < step:
            self.player.play_to(min(step, self._snapshots[-1].done + self._every))
            if self.player.done >= self._snapshots[-1].done + self._every:
                self._snapshots.append(self.player.copy())


class SeekIndex:
    """Plays a trace ahead of what is shown, deciding it all again, so that any moment is close to a copy of that.

    A moment it has not reached yet is shown by the changes as they were recorded: a jump waits for no decision of hours.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._again = _Track(trace, decides=True)
        self._recorded = _Track(trace, decides=False)

    @property
    def differences(self) -> Sequence[Difference]:
        """Decisions not reproduced, as far as it has been played."""
        return self._again.player.differences

    @property
    def done(self) -> bool:
        """Whether it has been played to the end."""
        return self._again.player.done == len(self._trace.steps)

    def play_ahead(self, for_s: float) -> None:
        """Play ahead for at most `for_s` real seconds, or to the end."""
        until = time.perf_counter() + for_s
        while not self.done and time.perf_counter() < until:
            self._again.play_to(self._again.player.done + 1)

    def at(self, moment: datetime, now: Player | None = None) -> Player:
        """A player that has played everything up to a moment: the one given, if no copy is closer."""
        target = bisect_right(self._trace.when, moment)
        track = self._again if target <= self._again.player.done else self._recorded
        track.play_to(target)
        near = track.before(target)
        if now is None or not near.done <= now.done <= target:
            now = near.copy()
        now.play_to(target)
        return now


def play_through(trace: Trace) -> tuple[Situation, Sequence[Change], Sequence[Difference]]:
    """The last situation, every change on the way, and the decisions not reproduced."""
    player = Player(trace)
    player.play_to(len(trace.steps))
    return player.shown(trace.ends_at), player.record.all(Change), player.differences


def last_situation(trace: Trace) -> Situation:
    """The situation at the end of a record: one decision, on all its readings and entries."""
    player = Player(trace, decides=False)
    player.play_to(len(trace.steps))
    return player.shown(trace.ends_at)
