"""Two ways a network hides a server: silence, and a cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Wire:
    """A TCP relay that can fall silent (accepts, forwards nothing) or cut every connection."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.silent = False
        self.port = 0
        self.accepted = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.add(writer)
        if self.silent or not self.target_port:
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        self._writers.add(far_writer)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if self.silent:
                    continue
                sink.write(self.change(data))
                await sink.drain()
        sink.close()

    def change(self, data: bytes) -> bytes:
        """What goes on in the place of what came, either way."""
        return data

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def end(self) -> None:
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def wire_to(target_port: int = 0, kind: type[Wire] = Wire) -> AsyncIterator[Wire]:
    """A relay on a port of its own; without a target it is a black hole that accepts and never answers."""
    wire = kind(target_port)
    relay = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.port = relay.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        await wire.end()
        relay.close()
