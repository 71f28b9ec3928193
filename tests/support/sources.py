"""A source that says nothing: readings are put on the board by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime

from probes.reading import Reading


class NoSource:
    """Keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """Probes that were to be read at once; an empty name means all."""
        self.paused = False
        self.slowed: Mapping[str, float] = {}

    async def readings(self) -> AsyncIterator[tuple[str, Reading]]:
        return
        yield

    def of_deployment(self, began: Callable[[], datetime | None]) -> None: ...

    def probe_now(self, probe: str = "") -> None:
        self.asked.append(probe)

    def toggle_pause(self) -> None:
        self.paused = not self.paused

    async def close(self) -> None: ...
