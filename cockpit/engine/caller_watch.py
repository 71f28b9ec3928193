"""Account and principal, identified again while the cutover runs: a change blanks every AWS reading until it is accepted."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from cockpit.decide.events import Happened
from cockpit.engine.clock import Clock
from cockpit.engine.poller import LiveSource
from cockpit.engine.ports import Refused
from cockpit.engine.watch import Watch
from probes.clients.caller import Caller
from probes.clients.clients import Clients
from probes.reading import Unseen
from probes.registry import find

log = logging.getLogger(__name__)
AGAIN_S = 30.0
"""Real seconds between two identifications at most; STS's own deadline keeps it under a minute."""


class CallerWatch:
    """Runs beside the probes. A refresh of credentials is seen by its access key, at the next call to AWS."""

    def __init__(self, watch: Watch, source: LiveSource, accepted: Caller | None) -> None:
        self.watch = watch
        self._source = source
        self._clients: Clients = source.clients
        self._clock: Clock = watch.clock
        self._changed = asyncio.Event()
        self._reported: Caller | None = None
        loop = asyncio.get_running_loop()
        self.check = self._clients.hold(accepted, lambda: _wake(loop, self._changed))
        watch.notices.append(self.notice)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S):
                    await self._changed.wait()
            self._changed.clear()

    async def look(self) -> None:
        """Identify the caller now; where it changed, say so and blank what AWS said."""
        if self.check.now is not None:  # else no call to AWS was made yet
            try:
                await self._clients.identify_again()
            except Unseen as unseen:
                log.info("the caller was not identified again: %s", unseen)  # its key is known, so it is still the same
        refused = self.check.refused
        if refused is not None and refused != self._reported:
            was = self.check.accepted.name if self.check.accepted else ""
            self._note(f"WRONG ACCOUNT: the credentials are now of {refused.name}; they were of {was}")
            self._blank(refused)
        self._reported = refused

    def notice(self) -> str:
        refused = self.check.refused
        return f"WRONG ACCOUNT: {refused.name}. AWS is not read; A accepts it by name" if refused else ""

    def wanted(self) -> str:
        return self._refused().name

    def _refused(self) -> Caller:
        refused, account = self.check.refused, self.watch.plan.target.account
        if refused is None:
            raise Refused("the account and principal are the accepted ones")
        if account and refused.account != account:
            raise Refused(f"the plan is for account {account}: switch back to credentials of that account")
        return refused

    def accept(self, name: str) -> str:
        """Go on under the caller of that name, which a person has decided. Raises Refused where another is in use by now."""
        refused = self._refused()
        if refused.name != name:
            raise Refused(f"the credentials changed again: they are now of {refused.name}")
        self.check.accept(refused)
        self._reported = None
        self.watch.decide_soon()
        self._source.probe_now()
        return f"reading AWS as {name}"

    def _blank(self, refused: Caller) -> None:
        """What was read before may be of another account: none of it counts any more."""
        why = self.check.why(refused)
        for name, loop in self._source.loops.items():
            if name not in self._source.held_back and find(loop.spec.uses).iam:
                self._source.queue.put_nowait((name, loop.probe.blind(self._clock.now(), why)))

    def _note(self, text: str) -> None:
        self.watch.record.append(Happened(self._clock.now(), "account", text))
        self.watch.decide_soon()


def _wake(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(event.set)
