"""Files on this machine, read in daemon threads: a network drive that hangs must not hang the cockpit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from probes.clients.threads import DaemonThreads
from probes.reading import Reason, Unknown, Unseen

WITHIN_S = 5.0
T = TypeVar("T")


class LocalFiles:
    """Reads under a deadline. Close it at the end; a read that hangs is left to its thread."""

    def __init__(self) -> None:
        self._threads = DaemonThreads(size=1, name="files")

    async def read(self, place: str, look: Callable[[Path], T], hint: str = "check the path in the plan") -> T:
        """What `look` makes of the path. Raises Unseen, naming the path."""
        try:
            async with asyncio.timeout(WITHIN_S):
                return await self._threads.run(lambda: look(Path(place).expanduser()))
        except TimeoutError:
            unknown = Unknown(Reason.TIMEOUT, f"{place} was not read within {WITHIN_S:g} s", "a network drive?")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            unknown = Unknown(Reason.NOT_FOUND, f"there is no {place}", hint)
        except PermissionError:
            unknown = Unknown(Reason.ACCESS_DENIED, f"{place} may not be read", "check whose file it is")
        except UnicodeDecodeError:
            unknown = Unknown(Reason.ERROR, f"{place} is not text", hint)
        except (OSError, RuntimeError) as error:
            unknown = Unknown(Reason.ERROR, f"{place}: {getattr(error, 'strerror', None) or 'cannot be read'}", hint)
        raise Unseen(unknown)

    def close(self) -> None:
        """Never waits."""
        self._threads.close()
