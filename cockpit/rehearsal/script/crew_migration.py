"""How the crew moves the plan's files: as a person at the terminal does, phase by phase, each looked at, decided and begun."""

from __future__ import annotations

import asyncio

from cockpit.decide.gate import GATE_OF_PHASE
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.formatting import count
from cockpit.migration.controller import Controller
from cockpit.migration.states import OPEN, ItemState, PhaseName

WHY = "rehearsal: the crew moves the files"
LOOKS_EVERY_S = 0.2
_FINISHED = "done"


async def move_files(controller: Controller, desk: Desk) -> str:
    """Copy and verify every file, as the person at the desk; how many, in words. Raises Refused.

    It goes on from wherever the migration is: of a run that somebody else began it awaits the end. The purge stays for a person.
    """
    while (phase := phase_left(controller)) is not None:
        if controller.progress.active:
            await asyncio.sleep(LOOKS_EVERY_S)
            continue
        before = controller.progress.run
        await _begin(controller, desk, phase)
        while controller.progress.run == before or controller.progress.active:
            if controller.trouble:
                raise Refused(controller.trouble)
            await asyncio.sleep(LOOKS_EVERY_S)
        if controller.progress.outcome != _FINISHED:
            raise Refused(f"{phase} ended: {controller.progress.outcome}")
    progress = controller.progress
    kept_out = progress.count(ItemState.QUARANTINED, ItemState.SKIPPED)
    moved = count(progress.count(ItemState.VERIFIED, ItemState.PURGED), "file")
    return f"{moved} copied and read back from S3, {progress.count(ItemState.QUARANTINED)} failed" + (
        f", {kept_out} left out" if kept_out else ""
    )


def phase_left(controller: Controller) -> PhaseName | None:
    """Which phase is to be begun, or is under way; None once every file was read back."""
    progress = controller.progress
    copied = progress.prepared and progress.run and not progress.count(*OPEN[PhaseName.COPY])
    return None if copied and not progress.active and not progress.count(ItemState.SWITCHED) else controller.next_phase


async def _begin(controller: Controller, desk: Desk, phase: PhaseName) -> None:
    who = desk.may_decide().id
    proposal = await controller.propose(phase, who)
    if not proposal.stated:
        await desk.migrate(WHY, proposal.line, GATE_OF_PHASE.get(phase, ""))
    begun = controller.begin(proposal, WHY, who)
    if not controller.runs_here:
        raise Refused(begun)
