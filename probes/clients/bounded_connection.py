"""A connection to PostgreSQL that takes in so much of an answer and no more: one field may be a gigabyte long."""

from __future__ import annotations

import fcntl
import struct
import termios
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import AsyncConnection

from probes.reading import Reason, Unknown, Unseen

if TYPE_CHECKING:
    from psycopg.abc import PQGen

MAX_BYTES = 16_000_000
"""Nobody reads more, and the driver hands over no part of a row before it has the whole of it, three times over."""
RV = TypeVar("RV")


class BoundedConnection(AsyncConnection[dict[str, Any]]):
    """Counts what lies at its socket each time the driver is about to read it. Set `taken` to 0 before each question."""

    taken = 0

    async def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:
        """As the driver's. Raises Unseen, and is closed then: the rest of the answer would still come."""
        try:
            return await super().wait(self._counted(gen), *args, **kwargs)
        except Unseen:
            self.pgconn.finish()
            raise

    def _counted(self, gen: PQGen[RV]) -> Generator[Any, Any, RV]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                self.taken += _lies_at(self.pgconn.socket)
                if self.taken > MAX_BYTES:
                    raise Unseen(
                        Unknown(
                            Reason.ERROR,
                            f"an answer of more than {MAX_BYTES / 1e6:g} MB",
                            "select less of it: left(text, 1000), octet_length(bytes)",
                        )
                    )
                wanted = gen.send(ready)
        except StopIteration as ended:
            result: RV = ended.value
            return result


def _lies_at(socket: int) -> int:
    """How many bytes wait there to be read."""
    (found,) = struct.unpack("i", fcntl.ioctl(socket, termios.FIONREAD, b"\0" * 4))
    return int(found)
