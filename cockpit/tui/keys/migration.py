"""Keys of the Migration screen. Gates are checked before a copy and a purge; destructive actions need a typed confirmation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from rich.text import Text

from cockpit.decide.gate import GATE_OF_PHASE, missing_before, missing_to_go_on, worded
from cockpit.engine.given_text import asks_for, typed_reason
from cockpit.engine.operator_desk import IDENTIFY
from cockpit.engine.ports import Refused
from cockpit.migration.states import PhaseName, Wanted
from cockpit.tui.action_registry import Handler, handled
from cockpit.tui.screens.answer import AnswerScreen
from cockpit.tui.screens.confirm import ConfirmScreen
from cockpit.tui.views.steps import proposal_text
from probes.reading import Unseen

if TYPE_CHECKING:
    from cockpit.migration.controller import Controller
    from cockpit.tui.cockpit import Cockpit

OF_A_RUN = ("move_hold", "move_drain", "move_abort", "move_more", "move_fewer", "move_rate")
"""What is asked of a run while there is one."""
CAPS = (100, 500, 2_000, 0)


class MigrationKeys:
    """Keys to the migration controller; every answer is shown on screen."""

    def __init__(self, cockpit: Cockpit) -> None:
        self._cockpit = cockpit
        self._looking = False
        self._writing: set[asyncio.Task[None]] = set()

    def do(self, action: str) -> None:
        controller = self._cockpit.controller
        if controller is None:
            self._cockpit.refuse("this plan has no migration")
            return
        if action in OF_A_RUN and not controller.progress.active:
            self._cockpit.refuse("no run is active: m starts one")
            return
        KEYS[action](self, controller)

    def _start(self, controller: Controller) -> None:
        if controller.progress.active:
            if self._approved(controller.progress.phase, resumed=True):
                self._cockpit.show_message(controller.go_on(self._who()))
            return
        self._propose(controller, controller.next_phase)

    def _hold(self, controller: Controller) -> None:
        if controller.progress.wanted is Wanted.PAUSE or controller.progress.halted:
            self._write(controller.resume(lambda phase: self._missing(phase, resumed=True)))
        else:
            self._write(controller.want(Wanted.PAUSE))

    def _drain(self, controller: Controller) -> None:
        self._write(controller.want(Wanted.DRAIN))

    def _abort(self, controller: Controller) -> None:
        title = f"ABORT run {controller.progress.run} ({controller.progress.phase}) on {self._place()}"
        consequences = (
            "Files in flight are interrupted; the next run starts them again. No file is lost or moved twice."
        )
        self._ask(
            title, consequences, f"abort {_database(controller)}", lambda: self._write(controller.want(Wanted.ABORT))
        )

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
        self._propose(controller, PhaseName.PURGE)

    def _restore(self, controller: Controller) -> None:
        self._propose(controller, PhaseName.RESTORE)

    def _propose(self, controller: Controller, phase: PhaseName) -> None:
        """Look, show all of it, ask for the words and why; then keep the decision, and only then begin."""
        desk = self._cockpit.desk
        if not self._approved(phase) or self._looking:  # pressed twice: one page, of one proposal
            return
        if desk is None:
            self._cockpit.refuse("no record is kept here, so nothing can be decided")
            return

        action = self._cockpit.doing

        async def ask() -> str:
            try:
                proposal = await controller.propose(phase, self._who())
            except Refused as refused:
                self._cockpit.refuse(str(refused), action)
                return ""
            finally:
                self._looking = False

            async def submit(text: str) -> str:
                why = typed_reason(proposal.words, text)
                self._still_armed()
                now = await controller.propose(phase, self._who())
                if different := proposal.differences(now):
                    raise Refused(f"it changed since it was shown: {'; '.join(different)}; nothing was changed")
                if not now.stated:
                    await desk.migrate(why, proposal.line, GATE_OF_PHASE.get(phase, ""))
                return controller.begin(proposal, why, self._who())

            def shown(width: int, _: int) -> Text:
                return proposal_text(proposal.shown(), width)

            if not isinstance(self._cockpit.screen, AnswerScreen | ConfirmScreen):
                self._cockpit.push_screen(
                    AnswerScreen(proposal.title, shown, asks_for(proposal.words), submit, dangerous=True)
                )
            return ""

        self._looking = True
        self._cockpit.show_message(f"{phase}: looking at the account, the database and the bucket …")
        self._write(ask())

    # -- how ---------------------------------------------------------------------------------------------------------

    def _approved(self, phase: str, *, resumed: bool = False) -> bool:
        """Whether the plan's gates let this phase begin, or its run go on; the first reason is shown where they do not."""
        missing = self._missing(phase, resumed=resumed)
        if missing:
            self._cockpit.refuse(missing[0])
        return not missing

    def _missing(self, phase: str, *, resumed: bool) -> list[str]:
        """Of a gate that was used it is not known yet whether anything was begun by that: who looks at the ledger says so."""
        watch, act = self._cockpit.cutover, GATE_OF_PHASE.get(phase, "")
        now = watch.clock.now()
        found = begun = missing_to_go_on(watch.plan, watch.record, act, now)
        if not resumed:
            found = missing_before(watch.plan, watch.record, act, now, self._who())
            if not begun and not any(each.initiator_unknown for each in found):
                found = ()
        return worded(found, IDENTIFY)

    def _who(self) -> str:
        desk = self._cockpit.desk
        return desk.person.id if desk is not None and desk.person is not None else ""

    def _place(self) -> str:
        watch = self._cockpit.cutover
        return f"{watch.account or watch.plan.target.account} ({self._cockpit.label})"

    def _ask(self, title: str, consequences: str, word: str, then: Callable[[], None]) -> None:
        def confirmed() -> None:
            try:
                self._still_armed()
            except Refused as refused:
                self._cockpit.refuse(str(refused))
            else:
                then()

        self._cockpit.push_screen(ConfirmScreen(title, consequences, word, confirmed))

    def _still_armed(self) -> None:
        """A page may have been opened while it was. Raises Refused."""
        if not self._cockpit.armed:
            raise Refused("read-only: F9 arms the cockpit; nothing was changed")

    def _write(self, change: Awaitable[str]) -> None:
        async def done() -> None:
            if answer := await change:
                self._cockpit.show_message(answer)

        task = asyncio.ensure_future(done())
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)


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
