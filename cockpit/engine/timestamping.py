"""Has others prove now and then when the journal's head was there, in the background: nothing waits for it, not even quitting."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import field
from urllib.parse import urlsplit

from cockpit.engine.recording import Recording
from cockpit.engine.tasks import end
from cockpit.journal.entry import Line, Type
from cockpit.journal.timestamps import MOST_BYTES, BadTimestamp, Timestamp, answered, request
from cockpit.journal.transparency_log import KEY, PATH, BadLogEntry, EntryKey, LogEntry, LogKey
from cockpit.journal.writer import Draft
from cockpit.plan.model import Witness
from probes.clients.http import HttpAnswer, HttpClient
from probes.frozen import frozen
from probes.reading import Unseen

log = logging.getLogger(__name__)
EVERY_S = 300.0
TIMEOUT_S = 20.0


class NoTimestamp(Exception):  # noqa: N818 - the answer, or that there was none
    """None was given; the message says why."""


async def timestamp(http: HttpClient, url: str, line: bytes) -> Timestamp:
    """An authority's timestamp of one line, as it stands in its file. Raises NoTimestamp."""
    asked = request(line)
    answer = await _posted(http, url, "application/timestamp-query", asked.as_bytes(), status=200)
    try:
        return answered(asked, line, answer.body, _host(url))
    except BadTimestamp as error:
        raise NoTimestamp(f"{_host(url)}: {error}") from None


async def log_entry(http: HttpClient, url: str, head: str, key: EntryKey, of_log: LogKey) -> LogEntry:
    """A log's entry of one line, which names `key`. Raises NoTimestamp."""
    content = json.dumps(key.proposed(head)).encode()
    answer = await _posted(http, url.rstrip("/") + PATH, "application/json", content, status=201)
    try:
        made = LogEntry.answered(head, answer.body, _host(url))
        made.time(of_log, key.public)
    except BadLogEntry as error:
        raise NoTimestamp(f"{_host(url)}: {error}") from None
    return made


async def _posted(http: HttpClient, url: str, kind: str, content: bytes, *, status: int) -> HttpAnswer:
    """Raises NoTimestamp for another status."""
    try:
        answer = await http.exchange(
            "POST",
            url,
            headers={"Content-Type": kind},
            timeout_s=TIMEOUT_S,
            content=content,
            most_bytes=MOST_BYTES,
        )
    except Unseen as unseen:
        raise NoTimestamp(f"{_host(url)}: {unseen.unknown.reason}") from None
    if answer.status != status:
        raise NoTimestamp(f"{_host(url)} answered HTTP {answer.status}")
    return answer


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


@frozen
class Asking:
    """Whom to ask about a line."""

    what: str
    """What is not being done while it fails: "timestamped"."""
    where: str
    ask: Callable[[Line], Awaitable[Draft]]
    """What to keep of the answer. Raises NoTimestamp."""
    body: Mapping[str, str] = field(default_factory=dict)
    """What the line has to hold for it."""


def by_authority(http: HttpClient, url: str) -> Asking:
    """A timestamp authority."""

    async def ask(line: Line) -> Draft:
        return (await timestamp(http, url, line.raw)).draft()

    return Asking("timestamped", _host(url), ask)


def by_log(http: HttpClient, named: Witness) -> Asking:
    """A transparency log. Raises ValueError for a key that is none."""
    key, of_log = EntryKey(), LogKey.read(named.pem)

    async def ask(line: Line) -> Draft:
        return (await log_entry(http, named.url, line.hash, key, of_log)).draft()

    return Asking("put in the transparency log", _host(named.url), ask, {KEY: key.public})


class Timestamper:
    """Has the head of one journal proven by one of those."""

    def __init__(self, kept: Recording, asking: Asking) -> None:
        self._kept, self._asking = kept, asking
        self._last = ""
        """Head after the last answer was kept: nothing was written since."""
        self.trouble = ""
        """Why the last one could not be had, in one line; empty while they can."""

    async def once(self) -> None:
        """Ask about the head, if there is a new one, and keep the answer. Never raises but for cancellation."""
        if self._kept.journal.head == self._last:
            return
        try:
            note = Draft(Type.ANCHOR, {"where": self._asking.where, **self._asking.body})
            line = await asyncio.wrap_future(self._kept.writer_thread.submit(note))
            answer = await self._asking.ask(line)
            self._last = (await asyncio.wrap_future(self._kept.writer_thread.submit(answer))).hash
        except NoTimestamp as error:
            self.trouble = f"the journal is not being {self._asking.what}: {error}"
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
async def timestamping(
    kept: Recording, url: str, notices: list[Callable[[], str]], transparency_log: Witness | None = None
) -> AsyncIterator[None]:
    """Have the journal timestamped and logged from now on; without an authority's `url` and a log, nothing.

    `notices` are shown to the operator.
    """
    http = HttpClient()
    asked = [by_authority(http, url)] if url else []
    asked += [by_log(http, transparency_log)] if transparency_log else []
    stampers = [Timestamper(kept, each) for each in asked]
    notices.extend(map(_trouble, stampers))
    running = [asyncio.create_task(each.run(), name="timestamps") for each in stampers]
    try:
        yield
    finally:
        await end(running)
        await http.close()


def _trouble(stamper: Timestamper) -> Callable[[], str]:
    return lambda: stamper.trouble
