"""The runbook (read, do, describe the result) and the rollback: the decision, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import BindingType

from cockpit.decide.next_action import next_for
from cockpit.decide.situation import StepStatus
from cockpit.tui import theme
from cockpit.tui.action_registry import DECIDE_FOOTER, STEPS_FOOTER, Action, Where
from cockpit.tui.screens.base import own_bindings
from cockpit.tui.screens.lists import Lines, ListScreen
from cockpit.tui.views import gantt, steps
from cockpit.tui.views.lookup import step_of
from cockpit.tui.widgets.grid import Column, Row


class StepsScreen(ListScreen):
    """A list of steps."""

    columns: Sequence[Column] = steps.STEPS
    footer = STEPS_FOOTER

    def step(self, key: str) -> StepStatus | None:
        return step_of(self.cockpit.cutover.situation, key)

    def about(self, row: Row) -> Lines:
        step = self.step(row.key)
        if step is None:
            status = next((c for c in self.cockpit.cutover.situation.criteria if c.id == row.key), None)
            return ((status.because.line if status else row.cell("seen").plain, theme.TEXT),)
        asked = f"signature: {step.sign_off.ask}" if step.sign_off else ""
        schedule = self.cockpit.cutover.situation.schedule
        time = schedule.of(step.id) if schedule else None
        return (
            (f"{step.title}: {step.seen or step.expect or 'F7 starts it'}", theme.TEXT),
            (gantt.when_text(step, time) if time else "", theme.QUIET),
            (step.caution, theme.HOLD),
            (asked, theme.QUIET),
        )

    def clipboard_line(self) -> str:
        """The title of a step without a command."""
        row = self.grid.selected
        step = self.step(row.key) if row is not None else None
        return super().clipboard_line() if step is None else step.title

    def open_selected(self) -> None:
        """The page of a step or of a decision; the evidence of any other line."""
        row = self.grid.selected
        if row is not None and row.key.startswith("decide:"):
            self.cockpit.decide(row.key.removeprefix("decide:"))
        elif row is not None and self.step(row.key) is not None:
            self.cockpit.open_step(row.key)
        else:
            super().open_selected()


class RunbookScreen(StepsScreen):
    screen_id = "go_runbook"
    columns = steps.RUNBOOK
    empty = "this plan has no runbook"

    def rows(self) -> list[Row]:
        return steps.runbook(self.cockpit.cutover.situation, self.grid.widths.get("chart", 0))


class RollbackScreen(StepsScreen):
    """While there is something to decide it has keys for that, and the cursor waits on the first choice; then on what is next."""

    screen_id = "go_rollback"
    empty = "this plan has no rollback plan"
    follow = True
    BINDINGS: ClassVar[list[BindingType]] = own_bindings(Where.ROLLBACK)

    def __init__(self) -> None:
        super().__init__()
        self._decided = False

    def paint_body(self) -> None:
        situation = self.cockpit.cutover.situation
        before, self._decided = self._decided, situation.verdict.under_way is not None
        if self._decided and not before:  # enter does what is next, and does not ask for another decision
            self._due = next_for(situation, self.cockpit.who).subject
        super().paint_body()

    def rows(self) -> list[Row]:
        keys = {action.id: action.shown for action in self.cockpit.actions()}
        return steps.rollback(self.cockpit.cutover.situation, keys)

    def offers(self, action: str) -> bool:
        offered = steps.choices_now(self.cockpit.cutover.situation.verdict)
        return action in {steps.KEY_OF[choice] for choice in offered}

    def footer_keys(self) -> tuple[str, ...]:
        offered = steps.choices_now(self.cockpit.cutover.situation.verdict)
        return (*(steps.KEY_OF[choice] for choice in offered), *DECIDE_FOOTER) if offered else self.footer

    def _keys(self) -> list[Action]:
        """What dismisses before a decision withdraws it afterwards."""
        decided = self.cockpit.cutover.situation.verdict.under_way is not None
        withdraw = steps.KEY_OF["dismiss"] if decided else ""
        return [replace(each, label="withdraw") if each.id == withdraw else each for each in super()._keys()]
