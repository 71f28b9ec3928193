"""Whether somebody looks at this terminal: when the last key was pressed, and what counts as new since then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

AWAY_S = 60.0
"""Seconds without a key after which nobody is taken to look."""


class Attention:
    """`seconds` is a clock of this machine: a rehearsal's runs faster than the person before it."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._key = seconds()
        self._looked: datetime | None = None
        self._came_back = 0.0
        self._before: datetime | None = None

    def key(self, now: datetime) -> None:
        """A key was pressed at `now`, by the cutover's clock."""
        at = self._seconds()
        if self.away:
            self._came_back, self._before = at, self._looked
        self._key, self._looked = at, now

    @property
    def away(self) -> bool:
        """Whether no key was pressed for so long."""
        return self._looked is not None and self._seconds() - self._key >= AWAY_S

    @property
    def since(self) -> datetime | None:
        """What is later is new: since the last key while nobody looks, and for a minute after somebody has come back."""
        if self.away:
            return self._looked
        return self._before if self._before is not None and self._seconds() - self._came_back < AWAY_S else None
