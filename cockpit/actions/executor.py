"""The built-in actions of a plan's steps: each confirmed by a person, kept in the record, and followed to its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from cockpit.actions import ecs_rollback
from cockpit.actions.ecs_rollback import Looked, RollbackRefused
from cockpit.actions.proposal import Proposal
from cockpit.actions.synthetic_traffic import SyntheticTraffic, TrafficProposal
from cockpit.decide.events import Happened, Record, StepEnded
from cockpit.decide.situation import StepStatus
from cockpit.engine.clock import Clock
from cockpit.engine.given_text import reason
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.plan.ecs_services import services_watched
from cockpit.plan.step_action import EcsService, StepAction, Synthetic
from probes.clients.clients import Clients
from probes.reading import Unseen


@dataclass(slots=True)
class Executor:
    """One action at a time. Every method raises Refused, and then nothing was changed."""

    desk: Desk
    clients: Clients
    record: Record
    clock: Clock
    busy: str = ""
    _open: Proposal | TrafficProposal | None = None
    """The newest proposal, until it is done: only that one may be."""
    _traffic: SyntheticTraffic = field(init=False)

    def __post_init__(self) -> None:
        self._traffic = SyntheticTraffic(self.desk, self.clients, self.record, self.clock)

    async def close(self) -> None:
        """Stop what does not outlive this cockpit."""
        await self._traffic.close()

    async def watch_release(self) -> None:
        """Keep what each service runs before its deployment; until cancelled."""
        services = dict.fromkeys(services_watched(self.desk.watch.plan.probes).values())
        async with asyncio.TaskGroup() as group:
            for service in services:
                group.create_task(ecs_rollback.capture(self.clients, service, self.desk.watch))

    async def propose(self, step: StepStatus) -> Proposal | TrafficProposal:
        """What would be done, looked at now. It takes the place of any earlier proposal."""
        if step.action is None:
            raise Refused("this step has no action")
        self._open = None
        if isinstance(step.action.on, Synthetic):
            self._open = self._traffic.propose(step, step.action, step.action.on)
            return self._open
        self._may_act()
        self._open = (await self._look(self.clients, step.id, step.action))[0]
        return self._open

    async def do(self, proposal: Proposal | TrafficProposal, why: str) -> str:
        """Do what was proposed, if all of it still holds, and follow it to its end; what was seen. Does it once.

        Raises Refused with what went wrong, which is kept too once it was begun.
        """
        if isinstance(proposal, Proposal):
            self._may_act()
        if proposal is not self._open:
            raise Refused("this proposal is outdated or already used: review it again")
        if isinstance(proposal, TrafficProposal):
            self._open = None
            return await self._traffic.do(proposal, reason(why))
        self._open, self.busy = None, f"{proposal.action}"
        try:
            return await self._do(proposal, reason(why))
        finally:
            self.busy = ""

    async def _do(self, proposal: Proposal, why: str) -> str:
        session = await self._same_credentials()
        await self._look_again(session, proposal)
        await self.desk.execute(f"{why} ({proposal.line})")
        await self.desk.start_step(proposal.step)
        person = self.desk.may_decide()
        try:
            looked = await self._look_again(session, proposal)  # signing twice may have taken a while
            self.desk.may_go_back()
            self._note(proposal, f"begun by {person.id}: {proposal.line}")
            await ecs_rollback.deploy(session, looked, lambda text: self._note(proposal, text))
            seen = await ecs_rollback.follow(self.clients, looked, self.clock, lambda text: self._note(proposal, text))
        except (RollbackRefused, Refused) as refused:
            self._note(proposal, f"failed: {refused}")
            await self._end(proposal, "failed", str(refused))
            raise Refused(str(refused)) from None
        outcome = f"{seen}, in {proposal.region}"
        self._note(proposal, f"ended: {outcome}")
        await self._end(proposal, "done", outcome)
        return outcome

    async def seen_back(self, action: StepAction, text: str) -> str:
        """What to keep of a step with an action that a person did by hand and says is done.

        Raises Refused where its service is not back, or cannot be seen. Where no release was noted before the deployment, the
        text must begin with the revision it is back on, and what is kept says that nobody compared it with what ran.
        """
        if isinstance(action.on, Synthetic):
            return text
        before = ecs_rollback.earlier(self.desk.watch.counted(), action.on)
        try:
            if before is not None:
                return f"{text} ({await ecs_rollback.is_back(self.clients, before)})"
            seen = await ecs_rollback.runs_named(self.clients, action.on, text)
        except RollbackRefused as refused:
            raise Refused(
                f"{refused}. It is done when the service is back; otherwise enter failed: and what happened"
            ) from None
        return f"NOT COMPARED with what ran before, which was not recorded. {text} ({seen})"

    # -- how ---------------------------------------------------------------------------------------------------------

    def _may_act(self) -> None:
        if self.busy:
            raise Refused(f"{self.busy} is under way: watch it on this screen")
        self.desk.may_go_back()
        self.desk.may_decide()

    async def _same_credentials(self) -> Clients:
        """AWS by the credentials in use now and no others, so that what STS says of them holds for the change."""
        try:
            return await self.clients.pinned()
        except Unseen as unseen:
            raise Refused(
                f"no AWS credentials for this action: {unseen.unknown.detail}. {unseen.unknown.hint}"
            ) from None

    async def _look(self, clients: Clients, step: str, action: StepAction) -> tuple[Proposal, Looked]:
        """Everything about an action, asked of STS and the world now."""
        now, plan = self.clock.now(), self.desk.watch.plan
        assert isinstance(action.on, EcsService)
        before = ecs_rollback.earlier(self.desk.watch.counted(), action.on)
        try:
            caller = await clients.aws("sts", "get_caller_identity")
            looked = await ecs_rollback.check(clients, action.on, before)
        except Unseen as unseen:
            raise Refused(
                f"the acting principal cannot be determined: {unseen.unknown.detail}. {unseen.unknown.hint}"
            ) from None
        except RollbackRefused as refused:
            raise Refused(str(refused)) from None
        account, principal = str(caller.get("Account", "")), str(caller.get("Arn", ""))
        _, _, _, region, owner, *_ = [*looked.now.task_definition.split(":"), *[""] * 6]
        wanted = plan.target
        if account != owner or wanted.account not in ("", account) or wanted.region not in ("", region):
            raise Refused(
                f"{action.on} is in account {owner}, region {region}, and these credentials are of {account}; "
                f"the plan is for {wanted.account or 'any account'}, {wanted.region or 'any region'}. Nothing was changed"
            )
        back, of = looked.before, looked.now.task_definition
        made = Proposal(
            step, action, account, region, principal, of, back.task_definition, back.digests, looked.checks, now
        )
        return made, looked

    async def _look_again(self, session: Clients, proposal: Proposal) -> Looked:
        """Raises Refused where anything is not as it was proposed."""
        now, looked = await self._look(session, proposal.step, proposal.action)
        if different := proposal.differences(now):
            raise Refused(f"this is not as it was shown, so nothing was done: {'; '.join(different)}. Look again")
        return looked

    async def _end(self, proposal: Proposal, outcome: str, seen: str) -> None:
        """By the person, or where they cannot sign any more, by the cockpit itself: what was done is kept either way."""
        try:
            await self.desk.end_step(proposal.step, outcome, seen)
        except Refused:
            self.record.append(StepEnded(self.clock.now(), proposal.step, "", outcome, seen))

    def _note(self, proposal: Proposal, text: str) -> None:
        self.record.append(Happened(self.clock.now(), str(proposal.action), text))
        self.desk.watch.decide_soon()
