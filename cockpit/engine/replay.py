"""A record played back: the same board, the same decide(), the same screens; a tape where the world was."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from cockpit.decide.board import Board
from cockpit.decide.decide import changes, decide
from cockpit.decide.record import Change, Entry, ObserverGap, Record
from cockpit.decide.situation import Situation
from cockpit.engine.tape import Fed, Looked, Opened, Said, Tape, Turned
from cockpit.engine.watch import PASSES
from cockpit.plan.model import Plan
from probes.reading import Reading

FRAME_S = 0.25
SPEEDS = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


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
        self.board = Board(tape.plan, tape.started_at)
        self.record = Record()
        self.situation = decide(tape.plan, self.board, self.record, tape.started_at)
        self.differences: list[Difference] = []
        self.done = 0
        """How many steps have been played."""

    def play_until(self, at: datetime) -> bool:
        """Everything up to a moment; whether anything was played."""
        before = self.done
        steps = self.tape.steps
        while self.done < len(steps) and steps[self.done].at <= at:
            self._play()
        return self.done > before

    def play_out(self) -> None:
        while self.done < len(self.tape.steps):
            self._play()

    def _play(self) -> None:
        step = self.tape.steps[self.done]
        self.done += 1
        if isinstance(step, Fed):
            self.board.add(step.probe, step.reading)
        elif isinstance(step, Turned):
            self._turn(step)
        elif isinstance(step, Opened):
            self.record = Record(list(step.entries))
        elif isinstance(step, Looked):
            self.situation = decide(self.tape.plan, self.board, self.record, step.at)
        else:
            self._say(step)

    def _say(self, step: Said) -> None:
        self.record.append(step.entry)
        if isinstance(step.entry, ObserverGap):
            self.board.gap(step.entry.since, step.entry.at)

    def _turn(self, step: Turned) -> None:
        """Decide again as it was decided then: until it settles, each pass looking at what the last one changed."""
        decided: list[Change] = []
        before, after = self.situation, decide(self.tape.plan, self.board, self.record, step.at)
        for _ in range(PASSES):
            changed = list(changes(before, after))
            if not changed:
                break
            decided += changed
            self.record.extend(changed)
            before, after = after, decide(self.tape.plan, self.board, self.record, step.at)
        if _words(decided) != _words(step.changes):
            self.differences.append(Difference(step.at, step.changes, decided))
        self.situation = after


def _words(found: Sequence[Change]) -> list[tuple[datetime, str, str, str]]:
    """What turned into what. The because-line is left out: a later version may word it otherwise."""
    return [(change.at, change.subject, change.before, change.after) for change in found]


class PlayClock:
    """The playhead."""

    def __init__(self, at: datetime, speed: float) -> None:
        self.at = at
        self.speed = speed

    def now(self) -> datetime:
        return self.at

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds() / self.speed)


class Deck(Protocol):
    """The controls of a replay, given to the terminal only when there is one."""

    def toggle(self) -> None: ...

    def step(self, by: int) -> None:
        """To the next (or the last) decision that changed anything."""
        ...

    def turn(self, by: int) -> None:
        """To the next (or the last) change of the verdict."""
        ...

    def faster(self, by: int) -> None: ...


class Replay:
    """What a front end sees of a replay: the protocols `Watching` and `Deck`. `run()` until cancelled."""

    def __init__(self, tape: Tape, speed: float = 30.0, at: datetime | None = None) -> None:
        self.tape = tape
        self.clock = PlayClock(tape.started_at, speed)
        self.playing = True
        self.revision = 0
        self.account, self.arn = _who(tape)
        self.on_change: list[Callable[[], None]] = []
        self._player = Player(tape)
        self._turns = [step.at for step in tape.steps if isinstance(step, Turned)]
        self._verdicts = [
            step.at
            for step in tape.steps
            if isinstance(step, Turned) and any(change.subject == "verdict" for change in step.changes)
        ]
        self.situation = self._player.situation
        if at is not None:
            self.seek(at)

    @property
    def plan(self) -> Plan:
        return self.tape.plan

    @property
    def paused(self) -> bool:
        return False

    @property
    def notice(self) -> str:
        state = f"playing at {self.clock.speed:g}x" if self.playing else "stopped"
        span = self.tape.ends_at - self.tape.started_at
        done = (self.clock.now() - self.tape.started_at) / span if span else 1.0
        found = self._player.differences
        wrong = f" · {len(found)} DECISIONS NOT REPRODUCED, first {found[0]}" if found else ""
        return f"REPLAY {state}, {done:.0%} of {_short(span)}: space plays, [ ] verdicts, . steps{wrong}"

    # -- playing -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Move the playhead while playing."""
        while True:
            await asyncio.sleep(FRAME_S)
            if self.playing:
                self.move(timedelta(seconds=FRAME_S * self.clock.speed))

    def move(self, by: timedelta) -> None:
        """Play that much more; at the end it stops."""
        self._show(min(self.clock.at + by, self.tape.ends_at))
        if self.clock.at >= self.tape.ends_at:
            self.playing = False

    def seek(self, at: datetime) -> None:
        """To a moment, forward or back."""
        at = min(max(at, self.tape.started_at), self.tape.ends_at)
        if at < self.clock.at:
            self._player = Player(self.tape)
        self._show(at)

    def _show(self, at: datetime) -> None:
        self.clock.at = at
        player = self._player
        turned = player.play_until(at)
        self.situation = decide(self.plan, player.board, player.record, at)
        self.revision += 1
        if turned:
            for tell in self.on_change:
                tell()

    # -- the deck ----------------------------------------------------------------------------------------------------

    def toggle(self) -> None:
        if not self.playing and self.clock.at >= self.tape.ends_at:
            self.seek(self.tape.started_at)
        self.playing = not self.playing

    def step(self, by: int) -> None:
        self._jump(self._turns, by)

    def turn(self, by: int) -> None:
        self._jump(self._verdicts, by)

    def faster(self, by: int) -> None:
        nearest = min(range(len(SPEEDS)), key=lambda n: abs(SPEEDS[n] - self.clock.speed))
        self.clock.speed = SPEEDS[min(max(nearest + by, 0), len(SPEEDS) - 1)]

    def _jump(self, moments: Sequence[datetime], by: int) -> None:
        """To the moment of the next one, or of the one before the one shown."""
        self.playing = False
        here = bisect_right(moments, self.clock.at)
        at = here if by > 0 else here - 2
        if 0 <= at < len(moments):
            self.seek(moments[at])
        else:
            self.seek(self.tape.ends_at if by > 0 else self.tape.started_at)

    # -- what is asked of every cutover --------------------------------------------------------------------------------

    def series(self, probe: str, field: str) -> Sequence[tuple[datetime, float | None]]:
        return self._player.board.series(probe, field)

    def latest(self, probe: str) -> Reading | None:
        return self._player.board.latest(probe)

    def changes(self) -> Sequence[Change]:
        return self._player.record.all(Change)

    def entries(self) -> Sequence[Entry]:
        return self._player.record.entries

    def probe_now(self, probe: str = "") -> None:
        """Nothing: what was not read then cannot be read now."""

    def toggle_pause(self) -> None:
        self.toggle()


def play_through(tape: Tape) -> tuple[Situation, Sequence[Change], Sequence[Difference]]:
    """The last situation, everything that turned on the way, and what was not reproduced."""
    player = Player(tape)
    player.play_out()
    situation = decide(tape.plan, player.board, player.record, tape.ends_at)
    return situation, player.record.all(Change), player.differences


def _who(tape: Tape) -> tuple[str, str]:
    """Account and principal, as the identity probe saw them."""
    wanted = {name for name, spec in tape.plan.probes.items() if spec.uses == "aws.identity"}
    for step in tape.steps:
        if isinstance(step, Fed) and step.probe in wanted and step.reading.values:
            return str(step.reading.values.get("account", "")), str(step.reading.values.get("arn", ""))
    return "", ""


def _short(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60}h{minutes % 60:02}m" if minutes >= 60 else f"{minutes}m"
