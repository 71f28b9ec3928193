"""A record played back: the same board, the same decide(), the same screens; a tape where the world was."""

from __future__ import annotations

import asyncio
import gc
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from cockpit.decide.events import Change, Entry
from cockpit.plan.model import Plan
from cockpit.replay.player import Scout
from cockpit.replay.trace import Fed, Tape, Turned
from probes.reading import Reading

FRAME_S = 0.25
AHEAD_S = 0.02
"""Of each frame, the real seconds for playing ahead of what is shown."""
SPEEDS = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


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
        self._scout = Scout(tape)
        self._player = self._scout.at(tape.started_at)
        self._turns = [step.at for step in tape.steps if isinstance(step, Turned) and step.changes]
        self._verdicts = [
            step.at
            for step in tape.steps
            if isinstance(step, Turned) and any(change.subject == "verdict" for change in step.changes)
        ]
        self.situation = self._player.shown(tape.started_at)
        if at is not None:
            self.seek(at)

    @property
    def plan(self) -> Plan:
        return self._player.plan

    @property
    def ahead(self) -> bool:
        """Whether all of it has been played ahead: every seek is quick now, and what cannot be reproduced is known."""
        return self._scout.done

    @property
    def paused(self) -> bool:
        return False

    @property
    def notice(self) -> str:
        state = f"playing at {self.clock.speed:g}x" if self.playing else "stopped"
        span = self.tape.ends_at - self.tape.started_at
        done = (self.clock.now() - self.tape.started_at) / span if span else 1.0
        found = self._scout.differences
        wrong = f" · {len(found)} DECISIONS NOT REPRODUCED, first {found[0]}" if found else ""
        by = f" judged by {Path(self.tape.anew).name}" if self.tape.anew else ""
        hidden = (
            f" · the record hides {', '.join(self.tape.hidden)}: judged with the plan's own" if self.tape.hidden else ""
        )
        return f"REPLAY{by} {state}, {done:.0%} of {_short(span)}: space plays, [ ] verdicts, . steps{wrong}{hidden}"

    # -- playing -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Move the playhead while playing."""
        while True:
            await asyncio.sleep(FRAME_S)
            self.play_ahead(AHEAD_S)
            if self.playing:
                self.move(timedelta(seconds=FRAME_S * self.clock.speed))

    def play_ahead(self, for_s: float) -> None:
        """Play ahead of what is shown, for at most so many real seconds."""
        if not self._scout.done:
            self._scout.go_on(for_s)
            if self._scout.done:
                gc.freeze()  # what is kept of a long record is never garbage: looking through it all makes a seek wait

    def move(self, by: timedelta) -> None:
        """Play that much more; at the end it stops."""
        self._show(min(self.clock.at + by, self.tape.ends_at))
        if self.clock.at >= self.tape.ends_at:
            self.playing = False

    def seek(self, at: datetime) -> None:
        """To a moment, forward or back."""
        at = min(max(at, self.tape.started_at), self.tape.ends_at)
        self._show(at)

    def _show(self, at: datetime) -> None:
        self.clock.at = at
        before = self._player, self._player.done
        self._player = self._scout.at(at, self._player)
        self.situation = self._player.shown(at)
        self.revision += 1
        if before != (self._player, self._player.done):
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
        """To the next of them, or back to the last."""
        self.playing = False
        at = bisect_right(moments, self.clock.at) if by > 0 else bisect_left(moments, self.clock.at) - 1
        if 0 <= at < len(moments):
            self.seek(moments[at])
        else:
            self.seek(self.tape.ends_at if by > 0 else self.tape.started_at)

    # -- what is asked of every cutover --------------------------------------------------------------------------------

    def series(self, probe: str, field: str) -> Sequence[tuple[datetime, float | None]]:
        return self._player.board.readings.series(probe, field)

    def latest(self, probe: str) -> Reading | None:
        return self._player.board.readings.latest(probe)

    @property
    def slowed(self) -> Mapping[str, float]:
        return self._player.slowed

    def changes(self) -> Sequence[Change]:
        return self._player.record.all(Change)

    def entries(self) -> Sequence[Entry]:
        return self._player.record.entries

    def probe_now(self, probe: str = "") -> None:
        """Nothing: what was not read then cannot be read now."""

    def toggle_pause(self) -> None:
        self.toggle()


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
