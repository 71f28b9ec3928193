"""Sends notifications when the verdict changes, a gate is decided or the migration turns; the journal's head goes along, so that
it is anchored.

Each channel has a task and a bounded queue of its own: what cannot be reached delays neither the cockpit nor the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from cockpit.decide.events import LAST_SAFE_MOMENT, MIGRATION, Change, Happened
from cockpit.decide.next_action import worded
from cockpit.engine.recording import Recording
from cockpit.engine.tasks import end
from cockpit.engine.watch import Watch
from cockpit.notifications.channels import Channel, Notice
from cockpit.plan.model import VERDICT
from probes.clients.http import HttpClient
from probes.clients.threads import in_thread
from probes.reading import Unseen

log = logging.getLogger(__name__)
MOST_WAITING = 100
"""Of one channel; when more wait, the oldest is given up."""
TRIES = 8
TIMEOUT_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
GRACE_S = 0.3
"""What is still on its way when the cockpit closes may take so long."""
LAST_NOTICE_S = 4.0
"""The same for a rehearsal without a terminal, whose last word is a notice."""
Sleep = Callable[[float], Awaitable[None]]


class Refusal(Exception):  # noqa: N818 - the other side's answer
    """It was not taken. The message names no address."""

    def __init__(self, why: str, *, again: bool, after_s: float = 0.0) -> None:
        super().__init__(why)
        self.again = again
        self.after_s = after_s


class Outbox:
    """What waits for one channel, in order."""

    def __init__(self, channel: Channel, kept: Recording, http: HttpClient, sleep: Sleep) -> None:
        self.channel = channel
        self.lost = 0
        """Notices that were given up."""
        self.why = ""
        """Why the newest attempt failed; empty after one that did not."""
        self._kept = kept
        self._http = http
        self._sleep = sleep
        self._waiting: deque[Notice] = deque()
        self._due = asyncio.Event()
        self._busy = False
        self.idle = asyncio.Event()
        """Set while nothing waits and nothing is on its way."""
        self.idle.set()

    def put(self, notice: Notice) -> None:
        """Queue it. Never waits."""
        if not self.channel.wants(notice):
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self._lose(self.why or "too slow")
        self._waiting.append(notice)
        self.idle.clear()
        self._due.set()

    @property
    def trouble(self) -> str:
        """For the screen: what does not arrive."""
        if not self.why:
            return ""
        waiting = len(self._waiting) + self._busy
        more = [f"{many} {what}" for many, what in ((waiting, "waiting"), (self.lost, "given up")) if many]
        return ", ".join((f"{self.channel.name} cannot be reached: {self.why}", *more))

    async def run(self) -> None:
        """Send what comes, in order, until cancelled."""
        while True:
            await self._due.wait()
            while self._waiting:
                notice, self._busy = self._waiting.popleft(), True
                try:
                    await self._send(notice)
                except Exception as error:  # noqa: BLE001 - the next notice must still be sent; a traceback could hold the address
                    self._lose(type(error).__name__)
                finally:
                    self._busy = False
            self._due.clear()
            self.idle.set()

    async def _send(self, notice: Notice) -> None:
        try:
            head = await in_thread(self._kept.anchor, self.channel.name)
        except (OSError, ValueError):
            log.exception("no anchor for %s", self.channel.name)
            head = ""  # the message says so
        body = self.channel.body(notice, head)
        pause = FIRST_PAUSE_S
        for tried in range(1, TRIES + 1):
            try:
                await self._post(body)
            except Refusal as refusal:
                self.why = str(refusal)
                log.warning("%s, attempt %d: %s", self.channel.name, tried, self.why)
                if not refusal.again or tried == TRIES:
                    self._lose(self.why)
                    return
                await self._sleep(min(LONGEST_PAUSE_S, max(pause, refusal.after_s)))
                pause *= 2
            else:
                self.why = ""
                return

    async def _post(self, body: str) -> None:
        """Raises Refusal."""
        try:
            answer = await self._http.exchange(
                "POST",
                self.channel.url,
                headers={"Content-Type": "application/json"},
                timeout_s=TIMEOUT_S,
                content=body,
            )
        except Unseen as unseen:
            # Its detail may hold the address, and that is the secret.
            raise Refusal(str(unseen.unknown.reason), again=True) from None
        if not 200 <= answer.status < 300:
            again = answer.status == 429 or answer.status >= 500
            raise Refusal(f"HTTP {answer.status}", again=again, after_s=_seconds(answer.headers.get("retry-after", "")))

    def _lose(self, why: str) -> None:
        self.why = why
        self.lost += 1
        log.error("a notice for %s was given up: %s", self.channel.name, why)


class Notices:
    """Looks at what was recorded after every decision."""

    def __init__(self, watch: Watch, kept: Recording, boxes: Sequence[Outbox], *, rehearsal: bool) -> None:
        self._watch = watch
        self._kept = kept
        self._boxes = boxes
        self._rehearsal = rehearsal
        self._titles = {gate.id: gate.title for gate in watch.plan.gates} | {"verdict": "verdict"}
        self._titles[LAST_SAFE_MOMENT] = LAST_SAFE_MOMENT
        self._seen = len(watch.record.all(Change))
        self._noted = len(watch.record.all(Happened))

    def look(self, _: object = None) -> None:
        """Hand on what is new. Called by the watch; never waits."""
        changes = self._watch.record.all(Change)
        fresh, self._seen = changes[self._seen :], len(changes)
        for change in fresh:
            if change.subject in self._titles and _is_news(change):
                self._put(self._notice(change))
        happened = self._watch.record.all(Happened)
        fresh_notes, self._noted = happened[self._noted :], len(happened)
        # Other cockpits tell what they noted themselves.
        if turns := [each for each in fresh_notes if each.subject == MIGRATION and each.proof.own]:
            self._put(self._of_migration(turns))

    def _put(self, notice: Notice) -> None:
        for box in self._boxes:
            box.put(notice)

    def trouble(self) -> str:
        return " · ".join(text for box in self._boxes if (text := box.trouble))

    async def delivered(self) -> None:
        """Until nothing waits."""
        for box in self._boxes:
            await box.idle.wait()

    def _notice(self, change: Change) -> Notice:
        verdict = self._watch.situation.verdict
        shown = change.subject == VERDICT and verdict.word == change.after
        return Notice(
            at=change.at,
            plan=self._watch.plan.name,
            environment=self._watch.plan.environment,
            record=self._kept.folder.id,
            subject=self._titles[change.subject],
            before=change.before,
            after=change.after,
            label=verdict.label if shown else change.after,
            because=change.because,
            rehearsal=self._rehearsal,
            actions=worded(self._watch.situation) if shown else (),
        )

    def _of_migration(self, turns: Sequence[Happened]) -> Notice:
        """All that was noted at once: whoever begins beside a migration reads its last twenty events from the ledger."""
        *before, newest = turns
        return Notice(
            at=newest.at,
            plan=self._watch.plan.name,
            environment=self._watch.plan.environment,
            record=self._kept.folder.id,
            subject=MIGRATION,
            before="",
            after="",
            label=newest.text,
            because="before it: " + "; ".join(each.text for each in reversed(before)) if before else "",
            rehearsal=self._rehearsal,
        )


@asynccontextmanager
async def notifying(
    watch: Watch,
    kept: Recording,
    where: Sequence[Channel],
    *,
    rehearsal: bool = False,
    grace_s: float = GRACE_S,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[Notices]:
    """Notify every channel from now on; at the end what is on its way has `grace_s` to arrive."""
    http = HttpClient()
    boxes = [Outbox(channel, kept, http, sleep) for channel in where]
    notices = Notices(watch, kept, boxes, rehearsal=rehearsal)
    watch.on_change.append(notices.look)
    watch.on_unchanged.append(notices.look)
    watch.notices.append(notices.trouble)
    tasks = [asyncio.create_task(box.run(), name=f"notices to {box.channel.name}") for box in boxes]
    try:
        yield notices
    finally:
        watch.on_change.remove(notices.look)
        watch.on_unchanged.remove(notices.look)
        try:
            async with asyncio.timeout(grace_s):
                await notices.delivered()
        except TimeoutError:
            log.error("the cockpit closed before every notice had arrived: %s", notices.trouble() or "slow")
        finally:
            await end(tasks)
            await http.close()


def _is_news(change: Change) -> bool:
    """Whether a channel may want it."""
    return change.before != change.after or bool(change.latched)


def _seconds(text: str) -> float:
    """What Retry-After asks for; 0 where it names a date or nothing."""
    return float(text) if text.isascii() and text.isdigit() else 0.0
