"""The crew at the runbook: what `crew_steps` finds to do is stated at the desk of the person who does it, as anybody's is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cockpit.decide.events import PhaseBegan
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Keeper, Refused
from cockpit.engine.tasks import end
from cockpit.engine.watch import Watch
from cockpit.plan.model import Phase
from cockpit.stories.crew_steps import Act, AtWork, Deed, files_wait, moves_files, next_deed, prepared, release

log = logging.getLogger(__name__)
AGAIN = timedelta(seconds=30)
"""After something was refused."""
MoveFiles = Callable[[Desk], Awaitable[str]]
"""Move the plan's files, as the person at a desk; what was moved, in words. Raises Refused."""


@dataclass(slots=True)
class CrewAtWork:
    """Call `work` again and again; `close` at the end. What it waits for, where something was refused, is `waiting_for`."""

    watch: Watch
    keeper: Keeper
    move_files: MoveFiles | None = None
    """None where this rehearsal moves none."""
    waiting_for: str = ""
    _begun: set[str] = field(default_factory=set)
    _moving: asyncio.Task[str] | None = None
    _stated: int = -1
    """Which situation it was that the last statement was made in."""
    _not_before: datetime | None = None

    @property
    def prepared(self) -> bool:
        """Whether what the runbook has before the deployment is done."""
        return prepared(self.watch.plan, self.watch.situation)

    @property
    def over(self) -> bool:
        """Whether every step is over."""
        return all(step.over for step in self.watch.situation.runbook)

    @property
    def files_wait(self) -> bool:
        """Whether files are still to be moved here."""
        return self.move_files is not None and files_wait(self.watch.plan, self.watch.situation)

    async def work(self) -> None:
        """State the next thing, if there is one now."""
        situation, now = self.watch.situation, self.watch.clock.now()
        began = self.watch.record.all(PhaseBegan)
        if self.watch.revision == self._stated or not began or began[-1].phase is not situation.verdict.phase:
            return  # what was just stated is not in this situation yet
        if self._not_before is not None and now < self._not_before:
            return
        deed = next_deed(self.watch.plan, situation, self._known())
        if deed is None:
            return
        try:
            await self._do(deed)
        except Refused as refused:
            self._put_off(refused)
        else:
            self._stated, self.waiting_for = self.watch.revision, ""

    async def close(self) -> None:
        """Nothing is moved any more."""
        if self._moving is not None:
            await end((self._moving,))

    def _known(self) -> AtWork:
        began = [each.at for each in self.watch.record.all(PhaseBegan) if each.phase is Phase.POST_DEPLOY]
        stands = release(self.watch.plan, self.watch.board.readings, began[-1] if began else None)
        moved = None if self.move_files is None else ""
        if self._moving is not None and self._moving.done():
            moved = self._moving.result()
        return AtWork(frozenset(self._begun), stands, moved)

    async def _do(self, deed: Deed) -> None:
        desk = Desk(self.watch, self.keeper, deed.by.id)
        if deed.act is Act.SIGN:
            await desk.sign(deed.step, deed.seen)
        elif deed.act is not Act.START:
            await desk.end_step(deed.step, str(deed.act), deed.seen)
        else:
            await desk.start_step(deed.step)
            self._begun.add(deed.step)
            step = next(each for each in self.watch.plan.runbook if each.id == deed.step)
            if self.move_files is not None and moves_files(self.watch.plan, step):
                self._moving = asyncio.create_task(self._move(self.move_files, desk), name="crew moves files")

    async def _move(self, move_files: MoveFiles, desk: Desk) -> str:
        """Until they are moved: whatever refuses it is asked again."""
        while True:
            try:
                return await move_files(desk)
            except Refused as refused:
                self._put_off(refused)
                await self.watch.clock.sleep(AGAIN)

    def _put_off(self, refused: Refused) -> None:
        log.info("the crew waits: %s", refused)
        self.waiting_for, self._not_before = str(refused), self.watch.clock.now() + AGAIN
