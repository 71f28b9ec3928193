"""Where readings come from. Live and replay share one protocol: `async for probe, reading in source`."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from cockpit.engine.clock import Clock
from cockpit.engine.tasks import end
from cockpit.plan.model import Plan, ProbeSpec
from probes.clients.clients import Clients
from probes.clients.threads import DaemonThreads
from probes.demand import depends_on_files
from probes.probe import Probe
from probes.reading import Reading, Reason, Unknown
from probes.registry import find

log = logging.getLogger(__name__)
CLOSE_S = 0.3
SLOWEST = 8.0
"""How many times its interval a throttled probe waits at most."""
SOONEST = 0.5
"""Of its interval, after which a probe is read again at the soonest once everything was read in one moment."""
AFTER_TIMEOUT = timedelta(seconds=30)
"""A probe read every 10 minutes that got no answer in time is asked again after this, not in 10 minutes."""


class Source(Protocol):
    """A stream of readings, with requests for an immediate one."""

    def readings(self) -> AsyncIterator[tuple[str, Reading]]: ...

    def of_deployment(self, began: Callable[[], datetime | None]) -> None:
        """Tell the probes from now on when the deployment of this cutover was begun."""
        ...

    def probe_now(self, probe: str = "") -> None: ...

    def toggle_pause(self) -> None: ...

    @property
    def paused(self) -> bool: ...

    @property
    def slowed(self) -> Mapping[str, float]:
        """Probe -> how many times its interval it waits now."""
        ...

    async def close(self) -> None: ...


class LiveSource:
    """Every probe of a plan in its own self-pacing loop: a slow one delays nobody, and none overlaps itself.

    `held_back`: probe -> why it may not be read. Such a probe is not even made: it answers that it is unknown, and why.
    `refusal`: asked of a probe that runs a program or reads a file, before each of its readings and after: why it may not be
    read, by its files as they are then. It may block.
    """

    def __init__(
        self,
        plan: Plan,
        clients: Clients,
        clock: Clock,
        held_back: Mapping[str, Unknown],
        refusal: Callable[[str], Unknown | None] | None = None,
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.clients = clients
        self.held_back = held_back
        self.refusal = refusal
        self.threads = DaemonThreads(size=2, name="files")
        self.loops = {
            name: ProbeLoop(
                spec,
                HeldBack(spec, held_back[name]) if name in held_back else _make(spec, clients),
                clock,
                self,
            )
            for name, spec in plan.probes.items()
        }
        self.queue: asyncio.Queue[tuple[str, Reading]] = asyncio.Queue()
        self._running = asyncio.Event()
        self._running.set()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def paused(self) -> bool:
        return not self._running.is_set()

    @property
    def slowed(self) -> Mapping[str, float]:
        return {name: loop.slowed for name, loop in self.loops.items()}

    @property
    def waiting_s(self) -> float:
        """Real seconds the longest read still under way has taken."""
        begun = [loop.begun for loop in self.loops.values() if loop.begun is not None]
        return time.monotonic() - min(begun) if begun else 0.0

    def of_deployment(self, began: Callable[[], datetime | None]) -> None:
        for loop in self.loops.values():
            if isinstance(loop.probe, Probe):
                loop.probe.deployment_began = began

    def toggle_pause(self) -> None:
        if self.paused:
            self._running.set()
            self.probe_now()
        else:
            self._running.clear()

    def probe_now(self, probe: str = "") -> None:
        for name in [probe] if probe else list(self.loops):
            self.loops[name].wake.set()

    async def running(self) -> None:
        await self._running.wait()

    async def readings(self) -> AsyncIterator[tuple[str, Reading]]:
        self._tasks = [asyncio.create_task(loop.run(), name=f"probe {name}") for name, loop in self.loops.items()]
        try:
            while True:
                yield await self.queue.get()
        finally:
            for task in self._tasks:
                task.cancel()

    async def close(self) -> None:
        """Stop every loop and close every connection, without waiting for calls that hang."""
        await end(self._tasks)
        closings = [asyncio.ensure_future(loop.probe.close()) for loop in self.loops.values()]
        closings.append(asyncio.ensure_future(self.clients.close()))
        self.threads.close()
        _, slow = await asyncio.wait(closings, timeout=CLOSE_S)
        for closing in closings:
            _abandon(closing)
        if slow:
            log.warning("%d connections were left open: closing them took too long", len(slow))


class HeldBack:
    """Stands where a probe would: it reads nothing, and says why."""

    def __init__(self, spec: ProbeSpec, why: Unknown) -> None:
        self._fields = spec.fields
        self._why = why

    async def read(self, now: datetime) -> Reading:
        return self.blind(now, self._why)

    def blind(self, now: datetime, unknown: Unknown) -> Reading:
        return Reading(now, now, {}, {field.name: unknown for field in self._fields})

    async def close(self) -> None: ...


def _make(spec: ProbeSpec, clients: Clients) -> Probe[Any]:
    kind = find(spec.uses)
    return kind(kind.params_type.model_validate(dict(spec.params)), clients.elsewhere(spec.region, spec.profile))


class ProbeLoop:
    """Read, wait out the rest of the interval, read again."""

    def __init__(self, spec: ProbeSpec, probe: Probe[Any] | HeldBack, clock: Clock, source: LiveSource) -> None:
        self.spec = spec
        self.probe = probe
        self.clock = clock
        self.source = source
        self.slowed = 1.0
        self.begun: float | None = None
        self._stuck: asyncio.Future[Reading] | None = None
        """A call past its deadline that did not let itself be cancelled: the next read waits for its end."""
        self.wake = asyncio.Event()
        self._jitter = random.Random(spec.name)

    async def run(self) -> None:
        """Read until cancelled. What is read in the same moment as everything else is read again apart from it: sixty answers at
        once keep a key waiting, and AWS counts calls a second.
        """
        together = True
        while True:
            together = together or self.source.paused
            await self.source.running()
            self.wake.clear()
            started = self.clock.now()
            reading = await self.read()
            self._pace(reading)
            await self.source.queue.put((self.spec.name, reading))
            part = self._jitter.uniform(SOONEST if together else 0.97, 1.0)
            interval = interval_after(reading, self.spec.interval) * self.slowed * part
            await self._wait(interval - (self.clock.now() - started))
            together = self.wake.is_set()

    async def read(self) -> Reading:
        """One reading, or an UNKNOWN one with its reason: it never takes longer than the timeout and never raises."""
        now, began = self.clock.now(), time.monotonic()
        self.begun = began
        try:
            reading = await self._within_deadline(now)
            return replace(reading, latency_s=time.monotonic() - began)
        except Exception as error:
            log.exception("probe %s failed", self.spec.name)
            blank = self.probe.blind(
                now,
                Unknown(Reason.ERROR, f"the probe failed: {type(error).__name__}", "the traceback is in the log file"),
            )
            return replace(blank, latency_s=time.monotonic() - began)
        finally:
            self.begun = None

    async def _read(self, now: datetime) -> Reading:
        """What it read, if its files were what was allowed when it began, and still are."""
        if why := await self._refusal():
            return self.probe.blind(now, why)
        reading = await self.probe.read(now)
        why = await self._refusal()
        return self.probe.blind(now, why) if why else reading

    async def _refusal(self) -> Unknown | None:
        refusal = self.source.refusal
        if refusal is None or isinstance(self.probe, HeldBack) or not depends_on_files(self.probe.demands):
            return None
        return await self.source.threads.run(partial(refusal, self.spec.name))

    async def _within_deadline(self, now: datetime) -> Reading:
        """The answer, or TIMEOUT; a call that cannot be cancelled is left behind, not waited for, and not doubled."""
        if self._stuck is not None and self._stuck.done():
            self._stuck = None
        task = self._stuck or asyncio.ensure_future(self._read(now))
        begun_now = self._stuck is None
        self._stuck = None
        try:
            done, _ = await asyncio.wait({task}, timeout=self.spec.timeout.total_seconds())
        except asyncio.CancelledError:
            _abandon(task)
            raise
        if task in done and begun_now:
            return _checked(task.result())
        if task not in done:
            _abandon(task)
            await asyncio.sleep(0)
            self._stuck = None if task.done() else task
        waited = self.spec.timeout.total_seconds()
        why = Unknown(
            Reason.TIMEOUT, f"no answer within {waited:g} s", f"check the network to {self.spec.uses}; see Probes"
        )
        return self.probe.blind(self.clock.now(), why)

    def _pace(self, reading: Reading) -> None:
        self.slowed = paced(self.slowed, reading)

    async def _wait(self, left: timedelta) -> None:
        """Sleep, unless an immediate reading is requested."""
        if left <= timedelta(0):
            await asyncio.sleep(0)
            return
        sleeping = asyncio.ensure_future(self.clock.sleep(left))
        woken = asyncio.ensure_future(self.wake.wait())
        try:
            await asyncio.wait({sleeping, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            woken.cancel()


def paced(slowed: float, reading: Reading) -> float:
    """How many times slower than planned a probe is read after this reading."""
    throttled = any(why.reason is Reason.THROTTLED for why in reading.unknown.values())
    return min(slowed * 2, SLOWEST) if throttled else max(slowed / 2, 1.0)


def interval_after(reading: Reading, interval: timedelta) -> timedelta:
    """How long to the next read, unthrottled: what timed out is no answer and is soon asked again."""
    timed_out = any(why.reason is Reason.TIMEOUT for why in reading.unknown.values())
    return min(interval, AFTER_TIMEOUT) if timed_out else interval


def _checked(answer: object) -> Reading:
    """The answer, if it is a Reading with aware times."""
    if not isinstance(answer, Reading):
        raise TypeError(f"a probe must answer with a Reading, not {type(answer).__name__}")
    for each in (answer, *answer.earlier):
        if each.data_at.tzinfo is None or each.observed_at.tzinfo is None:
            raise ValueError("a reading's times must have a time zone")
    return answer


def _abandon(task: asyncio.Future[Any]) -> None:
    task.cancel()
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
