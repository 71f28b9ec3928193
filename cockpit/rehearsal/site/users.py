"""People using the application at a steady rate of the cutover's time. They arrive whether it answers or not."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.types import ASGIApp, Message, Scope

from cockpit.engine.clock import Clock
from probes.frozen import frozen

MIX: Mapping[str, tuple[float, int]] = {
    "browse": (26.0, 1),
    "sign_in": (4.0, 3),
    "new_project": (4.0, 1),
    "ask": (12.0, 1),
    "upload": (6.0, 1),
}
"""What they do: journeys a minute of the cutover's time, and requests each makes. Together 60 requests a minute."""

MOST_AT_ONCE = 80
"""Arrivals taken on in one go, about those of a minute and a half; a longer backlog is thinned evenly instead of being run late.
A world that is slow to serve them slows the clock down: fewer users than the scenario has would change what it ends in."""
MOST_UNDER_WAY = 150


@frozen
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


async def call(
    app: ASGIApp,
    method: str,
    url: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    client: str = "10.0.9.1",
) -> Reply:
    """One request to an ASGI application in this process: no socket, no copies. What the application raises comes out."""
    parts = urlsplit(url)
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": (client, 50000),
        "server": ("transparent-trust.company.com", 443),
    }
    status, answered, chunks = 0, {}, []
    inbox: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return inbox.pop() if inbox else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status, answered
        if message["type"] == "http.response.start":
            status = message["status"]
            answered = {name.decode().lower(): value.decode() for name, value in message.get("headers", ())}
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    return Reply(status, answered, b"".join(chunks))


class Users:
    """A seeded crowd. `rate` scales the mix: 1.0 is 60 requests a minute of the cutover's time."""

    def __init__(self, app: ASGIApp, google: ASGIApp, clock: Clock, *, rate: float = 1.0, seed: int = 1) -> None:
        self._app = app
        self._google = google
        self._clock = clock
        self._chance = random.Random(seed)
        self._names = list(MIX)
        self._weights = [MIX[name][0] for name in self._names]
        self._gap = timedelta(minutes=1) / (sum(self._weights) * rate)
        self._tasks: set[asyncio.Task[None]] = set()
        self._next = clock.now()
        self.asleep = False
        """Nobody comes: only what probes and monitors ask reaches the site."""
        self.journeys = 0
        self.shed = 0
        self.absorbed = 0
        """Journeys whose request raised instead of being answered: a defect of the application, kept in the log."""
        self.on_error: Callable[[BaseException], None] = lambda _: None

    @property
    def under_way(self) -> int:
        """How many are at it now."""
        return len(self._tasks)

    async def run(self) -> None:
        """Arrive until cancelled."""
        try:
            while True:
                self.arrive(self._clock.now())
                await self._clock.sleep(max(self._next - self._clock.now(), timedelta(milliseconds=50)))
        finally:
            await self.leave()

    def arrive(self, now: datetime) -> None:
        """Take on everybody due by `now`; of a long backlog only an evenly spread part."""
        if self.asleep:
            self._next = now
            return
        due: list[str] = []
        while self._next <= now:
            due.append(self._chance.choices(self._names, self._weights)[0])
            self._next += self._gap * self._chance.uniform(0.5, 1.5)
        room = min(MOST_AT_ONCE, MOST_UNDER_WAY - len(self._tasks))
        taken = thin(due, room)
        self.shed += len(due) - len(taken)
        for name in taken:
            self._begin(name)

    async def leave(self) -> None:
        """Everybody goes home."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, name: str) -> None:
        journey: Callable[[], Coroutine[Any, Any, None]] = getattr(self, f"_{name}")
        self.journeys += 1
        task = asyncio.ensure_future(journey())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.absorbed += 1
            self.on_error(error)

    # -- what they do ------------------------------------------------------------------------------------------------

    async def _browse(self) -> None:
        pages = ("/", "/projects", "/library", "/api/projects", "/api/documents")
        await call(self._app, "GET", self._chance.choice(pages))

    async def _sign_in(self) -> None:
        """csrf, sign-in, Google's page, and back through the callback; who is stopped at Google does not come back."""
        start = await call(self._app, "GET", "/api/auth/csrf")
        if start.status != 200:
            return
        token, cookie = json.loads(start.body)["csrfToken"], start.headers.get("set-cookie", "").split(";")[0]
        headers = {"cookie": cookie, "content-type": "application/x-www-form-urlencoded"}
        sent = await call(
            self._app, "POST", "/api/auth/signin/google", urlencode({"csrfToken": token}).encode(), headers
        )
        location = urlsplit(sent.headers.get("location", ""))
        if sent.status != 302 or "client_id" not in parse_qs(location.query):
            return
        page = await call(self._google, "GET", f"{location.path}?{location.query}")
        if page.status == 200:
            await call(self._app, "GET", f"/api/auth/callback/google?code={self._chance.getrandbits(64):x}&state=x")

    async def _new_project(self) -> None:
        body = {"name": f"RFP {self._chance.randrange(10_000)}", "owner": self._somebody()}
        await self._post_json("/api/projects", body)

    async def _ask(self) -> None:
        await self._post_json(
            f"/api/projects/project-{self._chance.randrange(1, 6):03}/questions",
            {"question": "Is customer data encrypted at rest?"},
        )

    async def _upload(self) -> None:
        name = urlencode({"filename": f"evidence {self._chance.randrange(10_000)}.pdf"})
        body = self._chance.randbytes(self._chance.randrange(2_048, 16_384))
        await call(self._app, "POST", f"/api/documents?{name}", body, {"content-type": "application/pdf"})

    async def _post_json(self, path: str, body: Mapping[str, str]) -> None:
        await call(self._app, "POST", path, json.dumps(body).encode(), {"content-type": "application/json"})

    def _somebody(self) -> str:
        return f"user-{self._chance.randrange(1, 51):03}"


def thin(due: list[str], room: int) -> list[str]:
    """At most `room` of `due`, spread evenly over it.

    >>> thin(["a", "b", "c", "d"], 2)
    ['a', 'c']
    """
    if len(due) <= room:
        return due
    if room <= 0:
        return []
    return [due[i * len(due) // room] for i in range(room)]
