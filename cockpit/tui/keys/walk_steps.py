"""The keys with which a person walks the steps of the runbook and the rollback plan. The rules are the desk's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from cockpit.decide.situation import StepStatus
from cockpit.decide.states import StepState
from cockpit.engine.given_text import asks_for, observation, typed_reason
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.tui.keys.choices import STEP_DONE, STEP_FAILED, STEP_SKIP, STEP_START
from cockpit.tui.keys.sign_and_decide import DeskKeys
from cockpit.tui.screens.answer import AnswerScreen
from cockpit.tui.views.lookup import step_of
from cockpit.tui.views.steps import proposal_text, step_text

if TYPE_CHECKING:
    from cockpit.actions.executor import Executor
    from cockpit.tui.cockpit import Cockpit


class StepKeys:
    """Opens the page of a step, or that of what the cockpit would do in it."""

    def __init__(self, cockpit: Cockpit, desk_keys: DeskKeys) -> None:
        self._cockpit = cockpit
        self._desk_keys = desk_keys
        self._looking = False

    def open(self, step_id: str) -> None:
        """The page of a step: start it, then record how it ended."""
        desk = self._cockpit.desk
        status = self._step(step_id)
        if desk is None or status is None:
            self._cockpit.refuse("no record is kept here, so nothing can be signed")
            return
        if status.action and self._cockpit.armed and self._cockpit.executor is not None:
            self._desk_keys.run(self._act(self._cockpit.executor, status))
            return

        async def submit(text: str) -> str:
            return await self._record_step(desk, step_id, text.strip())

        started = status.progress is StepState.STARTED
        hint = "↑ ↓ chooses; describe the result" if started else "↑ ↓ chooses; why it is skipped"
        if status.command:
            hint += "   |   F6 copies the command"
        if status.action and not self._cockpit.armed:
            hint += "   (F9 arms the cockpit to do it)"
        page = AnswerScreen(
            status.title,
            lambda width, _: self._step_text(step_id, width),
            hint,
            submit,
            about=step_id,
            choices=(STEP_DONE, STEP_FAILED) if started else (STEP_START, STEP_SKIP),
            dangerous=True,  # enter opened it
        )
        self._desk_keys.push(page)

    async def _record_step(self, desk: Desk, step_id: str, text: str) -> str:
        """Start or skip a step that is not under way; else end it, done or failed. Raises Refused."""
        status = self._step(step_id)
        if status is not None and status.progress is not StepState.STARTED:
            if text.lower().startswith("skip"):
                await desk.end_step(step_id, "skipped", text[4:].lstrip(": "))
                return "skipped, with the reason"
            if text.lower() != STEP_START.value:
                raise Refused("choose start, or skip and why")
            await desk.start_step(step_id)
            return "started: do it, then press enter again and describe the result"
        if text.lower().startswith("failed"):
            await desk.end_step(step_id, "failed", text[6:].lstrip(": "))
            return "recorded as failed"
        if not text.lower().startswith("done"):
            raise Refused(
                "choose done or failed; then describe the result"
            )  # a failure is not kept as done for want of a key
        text = text[4:].lstrip(": ")
        executor = self._cockpit.executor
        if status is not None and status.action is not None:
            if executor is None:
                raise Refused(
                    f"this cockpit cannot see whether {status.action.on} is back, so the step cannot be done here"
                )
            text = await executor.seen_back(status.action, observation(text))
        await desk.end_step(step_id, "done", text)
        return "done"

    async def _act(self, executor: Executor, status: StepStatus) -> str:
        """Look, ask for the word, and only then do it."""
        if self._looking:  # pressed twice: one page, of one proposal
            return ""
        self._looking = True
        try:
            proposal = await executor.propose(status)
        finally:
            self._looking = False

        async def submit(text: str) -> str:
            why = typed_reason(proposal.words, text)
            if not self._cockpit.armed:
                raise Refused("read-only: F9 arms the cockpit; nothing was changed")
            self._desk_keys.run(executor.do(proposal, why))
            return f"{proposal.action}: checking once more before it starts"

        page = AnswerScreen(
            proposal.title,
            lambda width, _: proposal_text(proposal.shown(), width),
            asks_for(proposal.words),
            submit,
            about=status.id,
            dangerous=True,
        )
        self._desk_keys.push(page)
        return ""

    def _step(self, step_id: str) -> StepStatus | None:
        return step_of(self._cockpit.cutover.situation, step_id)

    def _step_text(self, step_id: str, width: int) -> Text:
        status = self._step(step_id)
        return Text("") if status is None else step_text(status, self._cockpit.cutover.situation, width)
