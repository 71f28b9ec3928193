"""The built-in actions of a plan's steps: each confirmed by a person, kept in the record, and followed to its end."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.actions import ecs_rollback
from cockpit.actions.ecs_release import service_of
from cockpit.actions.ecs_rollback import RollbackRefused
from cockpit.decide.events import Happened, Record, StepEnded
from cockpit.decide.situation import StepStatus
from cockpit.decide.states import Word
from cockpit.engine.clock import Clock
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from probes.clients.clients import Clients


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the confirmation page shows before anything is done."""

    title: str
    consequences: str
    word: str
    """To be typed exactly."""


@dataclass(slots=True)
class Executor:
    """One action at a time. Every method raises Refused, and then nothing was changed."""

    desk: Desk
    clients: Clients
    record: Record
    clock: Clock
    busy: str = ""

    async def watch_release(self) -> None:
        """Keep what the service runs before its deployment; until cancelled."""
        cluster, service = service_of(self.desk.watch.plan)
        if service:
            await ecs_rollback.capture(self.clients, cluster, service, self.desk.watch)

    async def propose(self, step: StepStatus) -> Proposal:
        """What would be done, looked at now."""
        if step.action != ecs_rollback.NAME:
            raise Refused(f"this cockpit has no action {step.action}")
        if self.busy:
            raise Refused(f"{self.busy} is under way: watch it on this screen")
        verdict = self.desk.watch.situation.verdict
        if verdict.word is Word.FIX_FORWARD:
            raise Refused(f"past the point of no return: a rollback would lose {verdict.loses}. Fix forward")
        self.desk.may_decide()
        try:
            before = await ecs_rollback.check(self.clients, ecs_rollback.earlier(self.desk.watch.counted()))
        except RollbackRefused as refused:
            raise Refused(str(refused)) from None
        revision = before.task_definition.rpartition("/")[2]
        watch = self.desk.watch
        return Proposal(
            f"ROLL BACK {before.service} to {revision} on {watch.account or watch.plan.target.account}",
            f"ECS deploys {revision} in place of what runs now, image {before.digests[:26]}, as it ran at "
            f"{before.at:%H:%M:%S} UTC. The database and the files stay as they are. It is followed to its end here.",
            f"roll back {before.service}",
        )

    async def do(self, step: StepStatus) -> str:
        """Do it, and follow it to its end; what was seen. Raises Refused with what went wrong, which is kept too."""
        before = ecs_rollback.earlier(self.desk.watch.counted())
        if before is None or self.busy:
            raise Refused(self.busy or "what ran before was never seen")
        person = self.desk.may_decide()
        if self.desk.watch.situation.verdict.latch is not None:
            await self.desk.decide("execute", f"{step.title}, done from the cockpit")
        self.busy = step.title
        await self.desk.start_step(step.id)
        self._note(f"begun by {person.id}: back to {before.task_definition}, {before.digests}")
        try:
            seen = await ecs_rollback.roll_back(self.clients, before, self.clock, self._note)
        except RollbackRefused as refused:
            self._note(f"failed: {refused}")
            await self._end(step, "failed", str(refused))
            raise Refused(str(refused)) from None
        finally:
            self.busy = ""
        self._note(f"ended: {seen}")
        await self._end(step, "done", seen)
        return seen

    async def _end(self, step: StepStatus, outcome: str, seen: str) -> None:
        """By the person, or where they cannot sign any more, by the cockpit itself: what was done is kept either way."""
        try:
            await self.desk.end_step(step.id, outcome, seen)
        except Refused:
            self.record.append(StepEnded(self.clock.now(), step.id, "", outcome, seen))

    def _note(self, text: str) -> None:
        self.record.append(Happened(self.clock.now(), ecs_rollback.NAME, text))
        self.desk.watch.decide_soon()
