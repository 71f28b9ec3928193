"""Keys of the Migration screen. Gates are checked before a copy and a purge; destructive actions need a typed confirmation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cockpit.decide.gate import GATE_OF_PHASE, missing_before, worded
from cockpit.engine.operator_desk import IDENTIFY, Desk
from cockpit.engine.ports import Refused
from cockpit.migration.states import OPEN, PhaseName, Wanted
from cockpit.tui.action_registry import Handler, handled
from cockpit.tui.screens.confirm import ConfirmScreen
from probes.reading import Unseen

if TYPE_CHECKING:
    from cockpit.migration.controller import Controller
    from cockpit.tui.cockpit import Cockpit

CAPS = (100, 500, 2_000, 0)


class MigrationKeys:
    """Keys to the migration controller; every answer is shown on screen."""

    def __init__(self, cockpit: Cockpit) -> None:
        self._cockpit = cockpit
        self._writing: set[asyncio.Task[None]] = set()

    def do(self, action: str) -> None:
        controller = self._cockpit.controller
        if controller is None:
            self._cockpit.show_message("this plan has no migration")
            return
        KEYS[action](self, controller)

    def _start(self, controller: Controller) -> None:
        phase = controller.progress.phase if controller.progress.active else controller.next_phase
        if not self._gate(phase):
            return
        self._launch(controller, phase)

    def _hold(self, controller: Controller) -> None:
        resume = controller.progress.wanted is Wanted.PAUSE or controller.progress.halted
        wanted = Wanted.RUN if resume else Wanted.PAUSE
        self._write(controller.want(wanted))

    def _drain(self, controller: Controller) -> None:
        self._write(controller.want(Wanted.DRAIN))

    def _abort(self, controller: Controller) -> None:
        title = f"ABORT run {controller.progress.run} ({controller.progress.phase}) on {self._place()}"
        consequences = (
            "Files in flight are interrupted; the next run starts them again. No file is lost or moved twice."
        )
        self._ask(title, consequences, "abort", lambda: self._write(controller.want(Wanted.ABORT)))

    def _more(self, controller: Controller) -> None:
        self._write(controller.concurrency(2.0))

    def _fewer(self, controller: Controller) -> None:
        self._write(controller.concurrency(0.5))

    def _rate(self, controller: Controller) -> None:
        most = controller.progress.files_per_s_most
        self._write(controller.rate(CAPS[(CAPS.index(most) + 1) % len(CAPS)] if most in CAPS else CAPS[0]))

    def _retry(self, controller: Controller) -> None:
        self._write(controller.retry())

    def _purge(self, controller: Controller) -> None:
        if not self._gate("purge"):
            return
        from cockpit.migration.purge_question import PurgeQuestion
        from cockpit.migration.runs import RunError

        try:
            question = PurgeQuestion.of(controller.progress, _database(controller))
        except RunError as error:
            self._cockpit.show_message(str(error))
            return
        title = f"PURGE {question.files:,} files on {self._place()}"
        self._ask(
            title,
            question.consequences,
            question.words,
            lambda: self._launch(controller, PhaseName.PURGE, question.words),
        )

    def _restore(self, controller: Controller) -> None:
        files = controller.progress.count(*OPEN[PhaseName.RESTORE])
        consequences = (
            f"{files:,} files are copied back to {_database(controller)} and checked; their rows lose the S3 keys. "
            "The objects stay until a sweep."
        )
        title = f"RESTORE {files:,} files on {self._place()}"
        self._ask(
            title,
            consequences,
            f"restore {_database(controller)}",
            lambda: self._cockpit.show_message(controller.start(PhaseName.RESTORE, who=self._who())),
        )

    def _launch(self, controller: Controller, phase: PhaseName, confirm: str = "") -> None:
        """Start the process of a phase, and state that the gates before it were used."""
        before = controller.launched
        message = controller.start(phase, confirm=confirm, who=self._who())
        self._cockpit.show_message(message)
        desk, act = self._cockpit.desk, GATE_OF_PHASE.get(phase)
        if act is not None and desk is not None and desk.person is not None and controller.launched > before:
            self._write(_use(desk, act, message))

    # -- how ---------------------------------------------------------------------------------------------------------

    def _gate(self, phase: str) -> bool:
        """Whether the plan's gates let this phase begin; the first reason is shown where they do not."""
        watch, before = self._cockpit.cutover, GATE_OF_PHASE.get(phase)
        if before is None:
            return True
        found = worded(missing_before(watch.plan, watch.record, before, watch.clock.now(), self._who()), IDENTIFY)
        if found:
            self._cockpit.show_message(found[0])
        return not found

    def _who(self) -> str:
        desk = self._cockpit.desk
        return desk.person.id if desk is not None and desk.person is not None else ""

    def _place(self) -> str:
        watch = self._cockpit.cutover
        return f"{watch.account or watch.plan.target.account} ({self._cockpit.label})"

    def _ask(self, title: str, consequences: str, word: str, then: Callable[[], None]) -> None:
        self._cockpit.push_screen(ConfirmScreen(title, consequences, word, then))

    def _write(self, change: Awaitable[str]) -> None:
        async def done() -> None:
            self._cockpit.show_message(await change)

        task = asyncio.ensure_future(done())
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)


async def _use(desk: Desk, act: str, message: str) -> str:
    """State that the gates before an act were used; what to show."""
    try:
        await desk.use_gates(act)
    except Refused as refused:
        return f"{message}. That its gate was used is not kept: {refused}"
    return message


def _database(controller: Controller) -> str:
    from cockpit.migration.database import host_and_name

    try:
        return host_and_name(controller.migration.database)
    except Unseen:
        return "the database"


KEYS = handled(
    Handler.MIGRATION,
    {
        "move_start": MigrationKeys._start,
        "move_hold": MigrationKeys._hold,
        "move_drain": MigrationKeys._drain,
        "move_abort": MigrationKeys._abort,
        "move_more": MigrationKeys._more,
        "move_fewer": MigrationKeys._fewer,
        "move_rate": MigrationKeys._rate,
        "move_retry": MigrationKeys._retry,
        "move_purge": MigrationKeys._purge,
        "move_restore": MigrationKeys._restore,
    },
)
