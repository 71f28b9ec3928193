"""What the time is by what others say: AWS by the Date header of its answers, PostgreSQL by its clock_timestamp().

It is measured against this machine's ticks, which nobody can set, so that setting the clock in between changes nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from probes.frozen import frozen

SHOWN_FROM_S = 5.0
KEPT = 8
"""Answers of each source that are kept: together they bound the time more narrowly than one with whole seconds."""
_DATE_RESOLUTION_S = 1.0
"""A Date header has whole seconds."""
_COUNTS_SLEEP: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux has it under this name; on macOS the monotonic clock goes on while the machine sleeps."""


def ticks() -> float:
    """Real seconds since an arbitrary moment, the machine's sleep included. No setting of the clock changes them."""
    return time.clock_gettime(_COUNTS_SLEEP)


@frozen
class MachineTime:
    """The two clocks of this machine."""

    ticks: Callable[[], float] = ticks
    wall: Callable[[], float] = time.time
    """What its clock says, in epoch seconds. It can be set."""

    def origin(self) -> float:
        """The epoch second of tick 0 by its clock now: the same until somebody sets that."""
        return self.wall() - self.ticks()


@frozen
class _Bounds:
    """Between which epoch seconds tick 0 lay, by one answer: the longer it took, the less it proves."""

    least: float
    most: float

    def nearest(self, to: float) -> float:
        return min(max(to, self.least), self.most)


@dataclass(slots=True)
class ClockOffset:
    """What others say the time is. Written by any thread, read by any."""

    machine: MachineTime = field(default_factory=MachineTime)
    _answers: dict[tuple[str, str], deque[_Bounds]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def measure_date(self, by: str, source: str, date: str, asked: float) -> None:
        """Note one answer by its Date header; see `measure`. A header nobody can read says nothing."""
        try:
            theirs = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        self.measure(by, source, theirs, asked, _DATE_RESOLUTION_S)

    def measure(self, by: str, source: str, theirs: float, asked: float, resolution_s: float = 0.0) -> None:
        """Note one answer that has just come.

        `by` is shown ("AWS"), `source` tells its clocks apart; `theirs` in epoch seconds, `asked` in ticks.
        """
        bounds = _Bounds(theirs - self.machine.ticks(), theirs + resolution_s - asked)
        with self._lock:
            self._answers.setdefault((by, source), deque(maxlen=KEPT)).append(bounds)

    def behind_s(self, origin: float) -> float | None:
        """By how many seconds a clock whose tick 0 was at epoch second `origin` is behind, as far as that is certain.

        The median of the sources; where an even number of them disagrees, what is nearest to that clock. None before any.
        """
        with self._lock:
            found = sorted(_together(answers).nearest(origin) - origin for answers in self._answers.values())
        if not found:
            return None
        lower, upper = found[(len(found) - 1) // 2], found[len(found) // 2]
        return min(max(0.0, lower), upper)

    @property
    def is_known(self) -> bool:
        """Whether anybody has told the time."""
        with self._lock:
            return bool(self._answers)

    @property
    def seconds(self) -> float:
        """By how many seconds this machine's clock is behind now. 0 before any answer."""
        return self.behind_s(self.machine.origin()) or 0.0

    def now(self) -> float:
        """Epoch seconds: this machine's clock, put right."""
        return self.machine.wall() + self.seconds

    @property
    def notice(self) -> str:
        """One line for the screen, once it matters; else empty."""
        behind = self.seconds
        if abs(behind) <= SHOWN_FROM_S:
            return ""
        with self._lock:
            who = " and ".join(sorted({by for by, _ in self._answers}))
        side = "behind" if behind > 0 else "ahead of"
        return (
            f"CLOCK: this machine is {abs(behind):.0f} s {side} {who}; times here are corrected by that: set its clock"
        )


def _together(answers: Iterable[_Bounds]) -> _Bounds:
    """What the newest answer says, narrowed by those before it as long as they agree."""
    newest, *before = reversed(list(answers))
    for each in before:
        least, most = max(newest.least, each.least), min(newest.most, each.most)
        if least > most:
            break
        newest = _Bounds(least, most)
    return newest
