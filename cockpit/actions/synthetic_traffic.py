"""Traffic in the users' place, for a night in which nobody uses the site: a person starts it, and it stops by itself.

It comes from outside, as users do, so that whatever counts requests counts it with theirs; its User-Agent is `AGENT`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cockpit import formatting
from cockpit.decide.events import Happened, Record, StepEnded
from cockpit.decide.situation import StepStatus
from cockpit.engine.clock import Clock
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.engine.tasks import end
from cockpit.engine.trusted_plans import TrustedPlans
from cockpit.plan.step_action import StepAction, Synthetic, SyntheticRequest
from probes.clients.clients import Clients
from probes.frozen import frozen
from probes.reading import Unseen

AGENT = "cutover-cockpit-synthetic"
MOST_UNDER_WAY = 40
"""Requests not answered yet; a site that answers no more is not asked more often for it."""
TIMEOUT_S = 10.0
NOTED_EVERY = timedelta(minutes=1)
PAUSE = timedelta(milliseconds=500)


@dataclass(slots=True)
class Sent:
    """What became of the requests so far."""

    sent: int = 0
    below_500: int = 0
    failed: int = 0
    """Answered with a 5xx."""
    unanswered: int = 0

    def __str__(self) -> str:
        return f"{self.sent} sent: {self.below_500} answered, {self.failed} with a 5xx, {self.unanswered} not answered"


@frozen
class TrafficProposal:
    """To start the traffic, or to stop it before its time."""

    step: str
    """Id of the step."""
    action: StepAction
    traffic: Synthetic
    stops: bool

    @property
    def title(self) -> str:
        return f"{'STOP' if self.stops else 'SEND'} SYNTHETIC TRAFFIC to {self.traffic.host}"

    @property
    def words(self) -> str:
        """To be typed exactly, and then why."""
        return "stop traffic" if self.stops else "send traffic"

    @property
    def line(self) -> str:
        """All of it, for the record."""
        asked = ", ".join(str(request) for request in self.traffic.requests)
        lasts = formatting.duration(self.traffic.runs_for)
        return f"{self.traffic.per_minute} requests a minute to {self.traffic.host} for {lasts}: {asked}"

    def shown(self) -> Iterator[tuple[str, str]]:
        """Name and value of each line of the confirmation page."""
        yield "site", self.traffic.url
        yield "sends", self.line
        yield "as", AGENT
        if not self.stops:
            yield "then", "it is counted here every minute, and stops by itself, or as soon as this cockpit is closed"


@dataclass(slots=True)
class SyntheticTraffic:
    """The plan's traffic, started at most once at a time. Every method raises Refused, and then nothing was sent."""

    desk: Desk
    clients: Clients
    record: Record
    clock: Clock
    _proposal: TrafficProposal | None = None
    """What is being sent."""
    _starting: bool = False
    _sending: asyncio.Task[None] | None = None
    _requests: set[asyncio.Task[None]] = field(default_factory=set)
    _sent: Sent = field(default_factory=Sent)

    @property
    def running(self) -> bool:
        return self._sending is not None and not self._sending.done()

    def propose(self, step: StepStatus, action: StepAction, traffic: Synthetic) -> TrafficProposal:
        """What would be started, or stopped where it is under way."""
        self.desk.may_decide()
        self._check_allowed(stops=self.running)
        return TrafficProposal(step.id, action, traffic, self.running)

    async def do(self, proposal: TrafficProposal, why: str) -> str:
        """Start it (then the step is under way, and it goes on by itself), or stop it."""
        person = self.desk.may_decide()
        if proposal.stops is not self.running:
            raise Refused("this was started or stopped meanwhile: review it again")
        self._check_allowed(stops=proposal.stops)
        if proposal.stops:
            await self._stop()
            self._end(proposal, f"stopped by {person.id} ({why})")
            return f"synthetic traffic stopped: {self._sent}"
        if self._starting:
            raise Refused("it is being started: its step waits for a signature")
        self._starting = True
        try:
            await self.desk.start_step(proposal.step)
        finally:
            self._starting = False
        self._note(proposal, f"begun by {person.id}: {proposal.line} ({why})")
        self._sent, self._proposal = Sent(), proposal
        self._sending = asyncio.create_task(self._run(proposal), name="synthetic-traffic")
        return f"synthetic traffic: {proposal.line}"

    def _check_allowed(self, *, stops: bool) -> None:
        if not stops and (why := TrustedPlans().traffic_held_back(self.desk.watch.plan)):
            raise Refused(why)

    async def close(self) -> None:
        """Stop it: nothing is sent for a cockpit that is closed."""
        if self.running and self._proposal is not None:
            await self._stop()
            self._end(self._proposal, "stopped: the cockpit was closed")

    async def _stop(self) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            await end((sending, *self._requests))

    async def _run(self, proposal: TrafficProposal) -> None:
        try:
            await self._send(proposal, self.clock.now())
            await asyncio.gather(*self._requests)
        except Exception:
            self._end(proposal, "ended before its time: see the log file")
            raise
        self._end(proposal, f"ended after {formatting.duration(proposal.traffic.runs_for)}")

    async def _send(self, proposal: TrafficProposal, began: datetime) -> None:
        """At a steady rate of the cutover's time, until its time is over."""
        traffic = proposal.traffic
        due, noted = 0, began
        while (now := self.clock.now()) - began < traffic.runs_for:
            wanted = int((now - began) / timedelta(minutes=1) * traffic.per_minute) + 1
            for number in range(due, wanted):
                if len(self._requests) < MOST_UNDER_WAY:
                    self._begin(traffic, traffic.requests[number % len(traffic.requests)])
            due = wanted
            if now - noted >= NOTED_EVERY:
                noted = now
                self._note(proposal, f"{self._sent}; ends at {formatting.clock(began + traffic.runs_for)}")
            await self.clock.sleep(PAUSE)

    def _begin(self, traffic: Synthetic, request: SyntheticRequest) -> None:
        self._sent.sent += 1
        task = asyncio.create_task(self._ask(traffic, request), name="synthetic-request")
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    async def _ask(self, traffic: Synthetic, request: SyntheticRequest) -> None:
        headers = {"User-Agent": AGENT} | ({"Content-Type": "application/json"} if request.body else {})
        try:
            answer = await self.clients.http(
                request.method,
                f"{traffic.url}{request.path}",
                headers=headers,
                timeout_s=TIMEOUT_S,
                content=request.body or None,
            )
        except Unseen:
            self._sent.unanswered += 1
            return
        if answer.status >= 500:
            self._sent.failed += 1
        else:
            self._sent.below_500 += 1

    def _end(self, proposal: TrafficProposal, how: str) -> None:
        """Kept by the cockpit itself: nobody need be there when it ends."""
        seen = f"{how}; {self._sent}"
        self._note(proposal, seen)
        self.record.append(StepEnded(self.clock.now(), proposal.step, "", "done", seen))

    def _note(self, proposal: TrafficProposal, text: str) -> None:
        self.record.append(Happened(self.clock.now(), str(proposal.action), text))
        self.desk.watch.decide_soon()
