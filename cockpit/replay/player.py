"""A tape played: the same board, the same decide(), compared with what was decided then."""

from __future__ import annotations

import copy
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import Change, ObserverGap, Record
from cockpit.decide.settle import settle
from cockpit.decide.situation import Situation
from cockpit.engine.poller import paced
from cockpit.engine.recording import warm
from cockpit.replay.trace import Fed, Looked, Opened, Said, Tape, Turned

COPIES = 40
"""A tape is divided into so many stretches; a seek plays one of them at most."""
LEAST = 200
"""Steps in a stretch, at least."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where what is decided now is not what was decided then."""

    at: datetime
    recorded: Sequence[Change]
    decided: Sequence[Change]

    def __str__(self) -> str:
        def told(found: Sequence[Change]) -> str:
            return "; ".join(f"{c.subject} {c.before} -> {c.after}" for c in found) or "nothing"

        return f"{self.at:%H:%M:%S.%f}: the record says {told(self.recorded)}; decided again: {told(self.decided)}"


class Player:
    """Plays a tape forward, step by step, deciding wherever a decision was kept."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.plan = tape.plan
        self.started_at = tape.started_at
        self.board = Board(tape.plan, tape.started_at)
        self.record = Record()
        self.situation = decide(tape.plan, self.board, self.record, tape.started_at)
        self.differences: list[Difference] = []
        self.slowed: dict[str, float] = {}
        """By probe: how many times its interval it waits."""
        self.done = 0
        """How many steps have been played."""

    def copy(self) -> Player:
        twin = copy.copy(self)
        twin.board = self.board.copy()
        twin.record = Record(list(self.record.entries))
        twin.slowed = dict(self.slowed)
        twin.differences = list(self.differences)
        return twin

    def shown(self, at: datetime) -> Situation:
        """What there was to be seen at a moment, once everything up to it has been played."""
        return decide(self.plan, self.board, self.record, at)

    def play_to(self, step: int) -> bool:
        before = self.done
        while self.done < step:
            self._play()
        return self.done > before

    def _play(self) -> None:
        step = self.tape.steps[self.done]
        self.done += 1
        if isinstance(step, Fed):
            self._feed(step)
        elif isinstance(step, Turned):
            self._turn(step)
        elif isinstance(step, Opened):
            self.record = Record(list(step.entries))
            self._plan_of(step)
        elif isinstance(step, Looked):
            self.board, self.slowed = Board(self.plan, self.started_at), {}
            warm(self.board, step.kept, self.record)
            self.situation = self.shown(step.since)
        else:
            self._say(step)

    def _plan_of(self, step: Opened) -> None:
        """A session on a changed plan has a board for that; on the same one, what was seen stays in sight until it looks."""
        if step.plan is not self.plan:
            self.plan, self.started_at = step.plan, step.started_at
            self.board, self.slowed = Board(self.plan, self.started_at), {}

    def _feed(self, step: Fed) -> None:
        if step.probe in self.board.readings.histories:
            self.board.add(step.probe, step.reading)
            self.slowed[step.probe] = paced(self.slowed.get(step.probe, 1.0), step.reading)

    def _say(self, step: Said) -> None:
        self.record.append(step.entry)
        if isinstance(step.entry, ObserverGap):
            self.board.gap(step.entry.since, step.entry.at)

    def _turn(self, step: Turned) -> None:
        """Decide again as it was decided then."""
        decided = self.decide(step.at)
        kept, again = _words(step.changes), _words(decided)
        if kept != (again[: len(kept)] if step.cut else again):
            self.differences.append(Difference(step.at, step.changes, decided))

    def decide(self, at: datetime) -> Sequence[Change]:
        """All that turns at a moment: decided until it settles, each pass looking at what the last one changed."""
        self.situation, decided = settle(self.plan, self.board, self.record, self.situation, at)
        return decided


def _words(found: Sequence[Change]) -> list[tuple[datetime, str, str, str]]:
    """What turned into what. The because-line is left out: a later version may word it otherwise."""
    return [(change.at, change.subject, change.before, change.after) for change in found]


class Scout:
    """Plays a tape ahead of who watches it and leaves copies on the way, so that any moment is near one of them."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._ahead = Player(tape)
        self._every = max(len(tape.steps) // COPIES, LEAST)
        self._copies = [self._ahead.copy()]

    @property
    def differences(self) -> Sequence[Difference]:
        """What was not reproduced, as far as it has been played."""
        return self._ahead.differences

    @property
    def done(self) -> bool:
        """Whether it has been played to the end."""
        return self._ahead.done == len(self._tape.steps)

    def go_on(self, for_s: float) -> None:
        """Play ahead for so many real seconds, or to the end."""
        until = time.perf_counter() + for_s
        while not self.done and time.perf_counter() < until:
            self._go_to(self._ahead.done + 1)

    def at(self, moment: datetime, now: Player | None = None) -> Player:
        """A player that has played everything up to a moment: the one given, if nothing is nearer."""
        target = bisect_right(self._tape.when, moment)
        self._go_to(target)
        near = next(player for player in reversed(self._copies) if player.done <= target)
        if now is None or not near.done <= now.done <= target:
            now = near.copy()
        now.play_to(target)
        return now

    def _go_to(self, step: int) -> None:
        while self._ahead.done < step:
            self._ahead.play_to(min(step, self._copies[-1].done + self._every))
            if self._ahead.done >= self._copies[-1].done + self._every:
                self._copies.append(self._ahead.copy())


def play_through(tape: Tape) -> tuple[Situation, Sequence[Change], Sequence[Difference]]:
    """The last situation, everything that turned on the way, and what was not reproduced."""
    player = Player(tape)
    player.play_to(len(tape.steps))
    return player.shown(tape.ends_at), player.record.all(Change), player.differences
