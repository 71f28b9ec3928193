"""Has an authority timestamp the journal's head now and then, in the background: nothing waits for it, not even quitting."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from cockpit.engine.recording import Recording
from cockpit.engine.tasks import end
from cockpit.journal.entry import Type
from cockpit.journal.timestamps import MOST_BYTES, BadTimestamp, Timestamp, answered, request
from cockpit.journal.writer import Draft
from probes.clients.http import HttpClient
from probes.reading import Unseen

log = logging.getLogger(__name__)
EVERY_S = 300.0
TIMEOUT_S = 20.0


class NoTimestamp(Exception):  # noqa: N818 - the authority's answer, or that there was none
    """The authority gave none; the message says why."""


async def timestamp(http: HttpClient, url: str, line: bytes) -> Timestamp:
    """An authority's timestamp of one line, as it stands in its file. Raises NoTimestamp."""
    asked = request(line)
    host = urlsplit(url).hostname or ""
    try:
        answer = await http.exchange(
            "POST",
            url,
            headers={"Content-Type": "application/timestamp-query"},
            timeout_s=TIMEOUT_S,
            content=asked.as_bytes(),
            most_bytes=MOST_BYTES,
        )
    except Unseen as unseen:
        raise NoTimestamp(f"{host}: {unseen.unknown.reason}") from None
    if answer.status != 200:
        raise NoTimestamp(f"{host} answered HTTP {answer.status}")
    try:
        return answered(asked, line, answer.body, host)
    except BadTimestamp as error:
        raise NoTimestamp(f"{host}: {error}") from None


class Timestamper:
    """Takes timestamps of one journal."""

    def __init__(self, kept: Recording, url: str, http: HttpClient) -> None:
        self._kept, self._url, self._http = kept, url, http
        self._last = ""
        """Head after the last timestamp was kept: nothing was written since."""
        self.trouble = ""
        """Why the last one could not be had, in one line; empty while they can."""

    async def once(self) -> None:
        """Timestamp the head, if there is a new one, and keep the answer. Never raises but for cancellation."""
        if self._kept.journal.head == self._last:
            return
        try:
            note = Draft(Type.ANCHOR, {"where": urlsplit(self._url).hostname or ""})
            line = await asyncio.wrap_future(self._kept.writer_thread.submit(note))
            stamp = await timestamp(self._http, self._url, line.raw)
            self._last = (await asyncio.wrap_future(self._kept.writer_thread.submit(stamp.draft()))).hash
        except NoTimestamp as error:
            self.trouble = f"the journal is not being timestamped: {error}"
            log.warning(self.trouble)
        except (OSError, ValueError) as error:
            log.warning("no timestamp was kept: %s", error)  # the journal says so itself
        else:
            self.trouble = ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(EVERY_S)


@asynccontextmanager
async def timestamping(kept: Recording, url: str, notices: list[Callable[[], str]]) -> AsyncIterator[None]:
    """Timestamp the journal from now on; without a `url` of an authority, nothing. `notices` are shown to the operator."""
    if not url:
        yield
        return
    http = HttpClient()
    stamper = Timestamper(kept, url, http)
    notices.append(lambda: stamper.trouble)
    running = asyncio.create_task(stamper.run(), name="timestamps")
    try:
        yield
    finally:
        await end((running,))
        await http.close()
