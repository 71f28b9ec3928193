"""A replay session: the same board, decide() and screens as live, reading from a trace."""

from __future__ import annotations

import asyncio
import gc
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from cockpit.decide.events import Change, Record
from cockpit.plan.model import VERDICT, Plan
from cockpit.replay.player import SeekIndex
from cockpit.replay.trace import Decided, ReadingTaken, Trace
from probes.reading import Reading

FRAME_S = 0.25
AHEAD_S = 0.02
"""Real seconds of each frame spent playing ahead of what is shown."""
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


class ReplayControls(Protocol):
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
    """A replay as a front end sees it: the protocols `Watching` and `ReplayControls`. `run()` until cancelled."""

    def __init__(self, trace: Trace, speed: float = 30.0, at: datetime | None = None) -> None:
        self.trace = trace
        self.clock = PlayClock(trace.started_at, speed)
        self.playing = True
        self.revision = 0
        self.account, self.arn = _who(trace)
        self.on_change: list[Callable[[], None]] = []
        self._index = SeekIndex(trace)
        self._player = self._index.at(trace.started_at)
        self._changes_at = [step.at for step in trace.steps if isinstance(step, Decided) and step.changes]
        self._verdicts_at = [
            step.at
            for step in trace.steps
            if isinstance(step, Decided) and any(change.subject == VERDICT for change in step.changes)
        ]
        self.situation = self._player.shown(trace.started_at)
        if at is not None:
            self.seek(at)

    @property
    def plan(self) -> Plan:
        return self._player.plan

    @property
    def ahead(self) -> bool:
        """Whether it has been played ahead to the end: every seek is fast, and all differences are known."""
        return self._index.done

    @property
    def paused(self) -> bool:
        return False

    @property
    def notices_now(self) -> Sequence[str]:
        return [self.notice]

    aside = ""

    @property
    def notice(self) -> str:
        state = f"playing at {self.clock.speed:g}x" if self.playing else "stopped"
        span = self.trace.ends_at - self.trace.started_at
        done = (self.clock.now() - self.trace.started_at) / span if span else 1.0
        found = self._index.differences
        wrong = f" · {len(found)} DECISIONS NOT REPRODUCED, first {found[0]}" if found else ""
        by = f" evaluated by {Path(self.trace.other_plan).name}" if self.trace.other_plan else ""
        hidden = (
            f" · the record hides {', '.join(self.trace.hidden)}: the plan's own values are used"
            if self.trace.hidden
            else ""
        )
        return f"REPLAY{by} {state}, {done:.0%} of {_short(span)}: space plays, [ ] verdicts, . steps{wrong}{hidden}"

    # -- playback -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Move the playhead while playing."""
        while True:
            await asyncio.sleep(FRAME_S)
            self.play_ahead(AHEAD_S)
            if self.playing:
                self.move(timedelta(seconds=FRAME_S * self.clock.speed))

    def play_ahead(self, for_s: float) -> None:
        """Play ahead of what is shown, for at most so many real seconds."""
        if not self._index.done:
            self._index.play_ahead(for_s)
            if self._index.done:
                gc.freeze()  # what stays of a long record is never garbage, and scanning it would delay seeks

    def move(self, by: timedelta) -> None:
        """Advance by that much; stops at the end."""
        self._show(min(self.clock.at + by, self.trace.ends_at))
        if self.clock.at >= self.trace.ends_at:
            self.playing = False

    def seek(self, at: datetime) -> None:
        """To a moment, forward or back."""
        at = min(max(at, self.trace.started_at), self.trace.ends_at)
        self._show(at)

    def _show(self, at: datetime) -> None:
        self.clock.at = at
        before = self._player, self._player.done
        self._player = self._index.at(at, self._player)
        self.situation = self._player.shown(at)
        self.revision += 1
        if before != (self._player, self._player.done):
            for call in self.on_change:
                call()

    # -- controls ----------------------------------------------------------------------------------------------------

    def toggle(self) -> None:
        if not self.playing and self.clock.at >= self.trace.ends_at:
            self.seek(self.trace.started_at)
        self.playing = not self.playing

    def step(self, by: int) -> None:
        self._jump(self._changes_at, by)

    def turn(self, by: int) -> None:
        self._jump(self._verdicts_at, by)

    def faster(self, by: int) -> None:
        nearest = min(range(len(SPEEDS)), key=lambda n: abs(SPEEDS[n] - self.clock.speed))
        self.clock.speed = SPEEDS[min(max(nearest + by, 0), len(SPEEDS) - 1)]

    def _jump(self, moments: Sequence[datetime], by: int) -> None:
        """To the next of them, or back to the previous one."""
        self.playing = False
        at = bisect_right(moments, self.clock.at) if by > 0 else bisect_left(moments, self.clock.at) - 1
        if 0 <= at < len(moments):
            self.seek(moments[at])
        else:
            self.seek(self.trace.ends_at if by > 0 else self.trace.started_at)

    # -- queries --------------------------------------------------------------------------------

    def series(self, probe: str, field: str) -> Sequence[tuple[datetime, float | None]]:
        return self._player.board.readings.series(probe, field)

    def latest(self, probe: str) -> Reading | None:
        return self._player.board.readings.latest(probe)

    @property
    def slowed(self) -> Mapping[str, float]:
        return self._player.slowed

    def changes(self) -> Sequence[Change]:
        return self._player.record.all(Change)

    @property
    def record(self) -> Record:
        return self._player.record

    def probe_now(self, probe: str = "") -> None:
        """Does nothing: a replay reads no probe."""

    def toggle_pause(self) -> None:
        self.toggle()


def _who(trace: Trace) -> tuple[str, str]:
    """Account and principal, as the identity probe read them."""
    wanted = {name for name, spec in trace.plan.probes.items() if spec.uses == "aws.identity"}
    for step in trace.steps:
        if isinstance(step, ReadingTaken) and step.probe in wanted and step.reading.values:
            return str(step.reading.values.get("account", "")), str(step.reading.values.get("arn", ""))
    return "", ""


def _short(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60}h{minutes % 60:02}m" if minutes >= 60 else f"{minutes}m"
