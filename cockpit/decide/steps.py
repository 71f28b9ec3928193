"""How far the steps of the runbook and the rollback plan are. Steps inform; no verdict rests on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cockpit.decide.counted import Counted
from cockpit.decide.events import Happened, StepBegan, StepEnded
from cockpit.decide.sign_off import sign_off_status
from cockpit.decide.situation import StepStatus
from cockpit.decide.states import StepState
from cockpit.plan.model import Step


def steps(listed: Sequence[Step], record: Counted, now: datetime) -> tuple[StepStatus, ...]:
    """Every step with what is recorded of it."""
    return tuple(_status(step, record, now) for step in listed)


def _status(step: Step, record: Counted, now: datetime) -> StepStatus:
    began, ended = record.latest(StepBegan, step.id), record.latest(StepEnded, step.id)
    if record.place(ended) < record.place(began):  # begun anew, whatever either clock says
        ended = None
    if ended is not None and ended.outcome == StepState.OPEN:
        began = ended = None
    progress = StepState(ended.outcome) if ended else StepState.STARTED if began else StepState.OPEN
    return StepStatus(
        id=step.id,
        title=step.title,
        progress=progress,
        command=step.command,
        expect=step.expect,
        duration=step.duration,
        action=step.action,
        caution=step.caution,
        ref=step.ref,
        position=step.position,
        sign_off=sign_off_status(step.sign_off, step.id, record, None, now),
        began=began.at if began else None,
        ended=ended.at if ended else None,
        by=ended.by if ended else began.by if began else "",
        seen=ended.seen if ended else _happening(step, record, began),
    )


def _happening(step: Step, record: Counted, began: StepBegan | None) -> str:
    """The latest progress of the step's action."""
    if step.action is None or began is None:
        return ""
    latest = record.latest(Happened, str(step.action))
    return latest.text if latest is not None and latest.at >= began.at else ""
