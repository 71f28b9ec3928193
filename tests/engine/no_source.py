"""A source that says nothing: readings are put on the board by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from probes.reading import Reading


class NoSource:
    def __init__(self) -> None:
        self.paused = False
        self.slowed: Mapping[str, float] = {}

    async def readings(self) -> AsyncIterator[tuple[str, Reading]]:
        return
        yield

    def probe_now(self, probe: str = "") -> None: ...

    def toggle_pause(self) -> None: ...

    async def close(self) -> None: ...
