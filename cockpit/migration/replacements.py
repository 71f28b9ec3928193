"""When workers that ended are replaced: soon, ever later while nothing gets done, and in the end once somebody has looked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from probes.frozen import frozen

FIRST_PAUSE_S = 1.0
MOST_PAUSE_S = 60.0
MOST_DEATHS = 12
"""So often in a row, and no file was done in between: another would die as well. Two files that end their workers take ten."""


@frozen
class Ended:
    """A worker that is no longer there, or never was. `well`: as one ends whose run is over; before that, it is a death too."""

    words: str
    well: bool = False
    worker: str = ""
    """Its name, as its id in the ledger begins; empty where it never was one."""


def pause_after(deaths: int) -> float:
    """Seconds until dead workers are replaced: twice as long each time that no file was done in between.

    >>> [pause_after(deaths) for deaths in (1, 2, 3, 100)]
    [1.0, 2.0, 4.0, 60.0]
    """
    return float(min(MOST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(deaths - 1, 16)))


@dataclass(slots=True)
class Replacements:
    """Counts how often workers ended since a file was done last, in whatever way. `clock` gives seconds that only grow."""

    clock: Callable[[], float] = field(default=time.monotonic)
    _deaths: int = 0
    _done: int = 0
    _resumed: int = 0
    _not_before: float = 0.0

    def resumed(self, times: int) -> None:
        """The run was resumed so often: somebody has looked since the last time, so the count begins again."""
        if times != self._resumed:
            self._resumed, self._deaths, self._not_before = times, 0, 0.0

    def died(self, done: int, *, idle: bool = False) -> bool:
        """Workers died, all that did at about the same time, with `done` files done; whether no other should be started.

        While nothing may be begun (`idle`: paused, or held by a guard) nothing can be done either: such deaths alone end nothing.
        """
        self._deaths = min(self._deaths + 1, MOST_DEATHS - idle) if done == self._done else 1
        self._done = done
        self._not_before = self.clock() + pause_after(self._deaths)
        return self._deaths >= MOST_DEATHS

    @property
    def outlook(self) -> str:
        """What follows from the last death, for people who wait and see nothing move."""
        row = f"{self._deaths} deaths with no file done in between, " if self._deaths > 1 else ""
        if self._deaths >= MOST_DEATHS:
            return f"{row}nobody starts another until the run is resumed"
        return f"{row}another starts in {pause_after(self._deaths):g} s"

    def due(self) -> bool:
        """Whether what is missing may be started now."""
        return self.clock() >= self._not_before
