"""How long a phase still takes, between two bounds: by the files that are left, and by their bytes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

SETTLED_S = 20.0
"""Watched for less, the averages of the whole run say more."""
SEEN_S = 5.0
"""Watched for less, a few seconds say nothing."""
YOUNG_S = 60.0
"""Of a run that is younger the averages are mostly its start: the checks, the guards' first readings, the first connections."""
KEPT = 120


def time_left(left: tuple[int, int], done: tuple[int, int], seconds: float) -> tuple[float, float] | None:
    """Least and most seconds for `left` (files, bytes), where `done` took `seconds`; None where nothing can be said.

    A file takes some time for itself and some for its bytes, in a ratio nobody knows. Whatever it is, the truth lies between
    the estimate by files alone and the one by bytes alone, because a sum's ratio lies between the ratios of its parts.

    >>> time_left((10, 4000), (10, 1000), 5.0)
    (5.0, 20.0)
    """
    if seconds <= 0:
        return None
    estimates = [seconds * rest / had for rest, had in zip(left, done, strict=True) if had > 0]
    if not estimates or (len(estimates) < len(done) and left[1] > 0):
        return None
    return min(estimates), max(estimates)


@dataclass(slots=True)
class Pace:
    """What was done in the last minutes in which files could begin: pauses and holds do not count."""

    _steps: deque[tuple[float, int, int]] = field(default_factory=lambda: deque(maxlen=KEPT))
    _before: tuple[float, int, int] | None = None

    def seen(self, now: float, files: int, size: int, *, moving: bool) -> None:
        """At `now` (seconds of one clock) so much was done in all; `moving`: files may begin."""
        before, self._before = self._before, (now, files, size) if moving else None
        if before is not None and moving:
            self._steps.append((now - before[0], files - before[1], size - before[2]))

    def clear(self) -> None:
        self._steps.clear()
        self._before = None

    def left(self, left: tuple[int, int], run: tuple[float, int, int]) -> tuple[float, float] | None:
        """Least and most seconds for what is left; None while too little was seen.

        `run`: seconds, files and bytes of the whole run.
        """
        seconds, files, size = (sum(step[n] for step in self._steps) for n in range(3))
        if seconds < SETTLED_S or not files:
            if run[0] >= YOUNG_S:
                seconds, files, size = run
            elif seconds < SEEN_S:
                return None
        return time_left(left, (int(files), int(size)), seconds)
