"""One running cutover: probes are read into the board, decide() is called once a tick, front ends read the Situation.

This is the whole surface a front end needs. It never waits for a probe.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cockpit.decide.board import Board
from cockpit.decide.counted import Counted, counted
from cockpit.decide.decide import decide
from cockpit.decide.events import Change, ObserverGap, Record
from cockpit.decide.settle import settle
from cockpit.decide.situation import Situation
from cockpit.engine.clock import WatchClock
from cockpit.engine.poller import Source
from cockpit.engine.ports import Callers
from cockpit.engine.tasks import end
from cockpit.plan.model import Plan
from probes.reading import Reading

log = logging.getLogger(__name__)
TICK_S = 0.5
"""Real seconds between decisions when nothing arrives."""
COALESCE_S = 0.03
"""Real seconds a reading waits for others before the next decision."""
SHARE = 6.0
"""A decision may take one part in so many of the processor's time: keys and painting have the rest."""
LONGEST_REST_S = 1.0
"""Real seconds between decisions at most, however much one costs: well under what counts as not watching."""
GAP_S = 5.0
"""Real seconds without a tick that count as the cockpit not watching."""
NEXT = timedelta(microseconds=1)


class Watch:
    """A running cutover over a source of readings. `run()` until cancelled; read `situation` at any time."""

    def __init__(
        self,
        plan: Plan,
        source: Source,
        clock: WatchClock,
        record: Record | None = None,
        started_at: datetime | None = None,
    ) -> None:
        """`started_at`: when the cutover began, if that was before now."""
        self.plan = plan
        self.clock = clock
        self.source = source
        self.record = record if record is not None else Record()
        self.board = Board(plan, started_at or clock.now())
        self.situation = decide(plan, self.board, self.record, clock.now())
        self.revision = 0
        self.account = ""
        self.arn = ""
        self.callers: Callers | None = None
        """Whose AWS credentials are in use; None where that is not watched."""
        self.notices: list[Callable[[], str]] = []
        self.asides: list[Callable[[], str]] = []
        """Shown where there is room."""
        self.on_change: list[Callable[[], None]] = []
        """Called after a tick in which the verdict, a criterion, an item or a gate changed."""
        self.on_reading: list[Callable[[str, Reading, datetime], None]] = []
        """Called with every reading taken in, and when."""
        self.on_unchanged: list[Callable[[datetime], None]] = []
        """Called after a tick in which nothing changed, with its time."""
        source.of_deployment(lambda: self.counted().deployment_began())
        self._due = asyncio.Event()
        self._due_since: float | None = None
        self._ticked = clock.machine.ticks()
        self._moment = self.situation.now - NEXT

    @property
    def paused(self) -> bool:
        return self.source.paused

    @property
    def slowed(self) -> Mapping[str, float]:
        return self.source.slowed

    @property
    def notices_now(self) -> Sequence[str]:
        own = ["PAUSED: nothing is being read; press p to resume"] if self.paused else []
        return own + [text for notice in self.notices if (text := notice())]

    @property
    def notice(self) -> str:
        return " · ".join(self.notices_now)

    @property
    def aside(self) -> str:
        return " · ".join(text for aside in self.asides if (text := aside()))

    async def run(self) -> None:
        """Take in readings and decide, until cancelled; then release everything."""
        taking = asyncio.create_task(self._take(), name="readings")
        ticking = asyncio.create_task(self._tick(), name="tick")
        tasks = {taking, ticking}
        if self.callers is not None:
            tasks.add(asyncio.create_task(self.callers.run(), name="callers"))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await end(tasks)
            await self.source.close()

    async def _take(self) -> None:
        async for probe, reading in self.source.readings():
            try:
                self.take(probe, reading)
            except Exception:
                # Not taken in, so the probe goes visibly stale; the others are unaffected.
                log.exception("a reading of %s could not be taken in", probe)
            self.decide_soon()

    def take(self, probe: str, reading: Reading) -> None:
        """Take in one reading for the next decision."""
        reading = self._as_arrived(probe, reading)
        self.board.add(probe, reading)
        at = self.moment()
        for take in self.on_reading:
            take(probe, reading, at)
        self._identify(probe, reading)

    def _as_arrived(self, probe: str, reading: Reading) -> Reading:
        """Later than what came of its probe before: of two answers of one instant, or by a clock that stood, the newer counts."""
        latest = self.board.readings.latest(probe)
        if latest is None or reading.observed_at.tzinfo is None or reading.observed_at > latest.observed_at:
            return reading
        return replace(reading, observed_at=latest.observed_at + NEXT)

    def moment(self) -> datetime:
        """Now, strictly increasing even while the clock stands still: the record's order depends on it."""
        self._moment = max(self.clock.now(), self._moment + NEXT)
        return self._moment

    async def _tick(self) -> None:
        while True:
            began = time.thread_time()  # not the wall's: a machine busy with other things makes no decision dearer
            self.tick()
            cost = time.thread_time() - began
            self._due.clear()
            self._due_since = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):  # not wait_for: before Python 3.12 it can lose a cancellation
                    await self._due.wait()
                await asyncio.sleep(min(max(COALESCE_S, SHARE * cost), LONGEST_REST_S))

    def counted(self) -> Counted:
        """What counts of the record now."""
        return counted(self.plan, self.record, self.clock.now())

    def tick(self) -> None:
        """Decide once, now."""
        missed = self.clock.correct()
        now = self.moment()
        self._notice_gap(now, missed)
        self.situation, changed = settle(self.plan, self.board, self.record, self.situation, now)
        self.revision += 1
        if changed:
            for call in self.on_change:
                call()
        else:
            for note in self.on_unchanged:
                note(now)

    def current(self) -> Situation:
        """The situation; decided anew where time went on without this process since: what it saw before says nothing of now."""
        if self.clock.machine.ticks() - self._ticked > GAP_S:
            self.tick()
        return self.situation

    def decide_soon(self) -> None:
        """Decide soon: a reading has arrived, or the record has grown."""
        if self._due_since is None:
            self._due_since = time.monotonic()
        self._due.set()

    @property
    def undecided_s(self) -> float:
        """Real seconds that the oldest news has waited for a decision."""
        return 0.0 if self._due_since is None else time.monotonic() - self._due_since

    def resume_from(self, last: datetime, *, away: bool = False) -> None:
        """Take the situation at `last` as the previous one. With `away` the time since then counts as a gap."""
        if away:
            away_s = max(0.0, (self.clock.now() - last).total_seconds() / (self.clock.speed or 1.0))
            self._ticked = self.clock.machine.ticks() - away_s
        self.situation = decide(self.plan, self.board, self.record, last)
        self._moment = last

    def _notice_gap(self, now: datetime, missed: timedelta) -> None:
        """Time went on while this process did not: the machine was suspended, or the process stopped, or (`missed`) the
        whole machine stood still without knowing, as a virtual one may.
        """
        real = self.clock.machine.ticks()
        away_s, self._ticked = real - self._ticked, real
        if away_s > GAP_S or missed.total_seconds() > GAP_S:
            since = max(now - timedelta(seconds=away_s * self.clock.speed) - missed, self.situation.now)
            self.board.gap(since, now)
            self.record.append(ObserverGap(now, since))

    def _identify(self, probe: str, reading: Reading) -> None:
        if self.plan.probes[probe].uses == "aws.identity":
            self.account = str(reading.values.get("account", self.account))
            self.arn = str(reading.values.get("arn", self.arn))

    def series(self, probe: str, field: str) -> Sequence[tuple[datetime, float | None]]:
        return self.board.readings.series(probe, field)

    def latest(self, probe: str) -> Reading | None:
        return self.board.readings.latest(probe)

    def changes(self) -> Sequence[Change]:
        return self.record.all(Change)

    def probe_now(self, probe: str = "") -> None:
        self.source.probe_now(probe)

    def toggle_pause(self) -> None:
        self.source.toggle_pause()
        self.decide_soon()
