"""Which sign-off counts now, and why the last one no longer does."""

from __future__ import annotations

from datetime import datetime

from cockpit import formatting
from cockpit.decide.counted import Counted
from cockpit.decide.events import SignOff
from cockpit.decide.situation import SignOffStatus
from cockpit.decide.state_machine import MachineState
from cockpit.plan.model import Ask


def sign_off_status(
    ask: Ask | None, subject: str, record: Counted, reached: MachineState | None, now: datetime
) -> SignOffStatus | None:
    """None where no sign-off is asked. `reached` is the state of its evidence, if it has any."""
    if ask is None:
        return None
    given, refused = record.latest(SignOff, subject), record.refused(subject)
    if given is not None and not given.retracted:
        stale = _stale(ask, given, reached, now)
    elif refused is not None and not refused[0].retracted and record.place(refused[0]) > record.place(given):
        given, stale = refused  # it came after what was taken back, whatever either clock says
    else:
        return SignOffStatus(ask.ask, ask.roles)
    return SignOffStatus(
        ask.ask,
        ask.roles,
        given.by,
        given.role,
        given.answer,
        given.at,
        given.rehearsal,
        given.key,
        given.evidence,
        stale,
    )


def _stale(ask: Ask, given: SignOff, reached: MachineState | None, now: datetime) -> str:
    if ask.valid_for is not None and now > given.at + ask.valid_for:
        return f"it was valid for {formatting.duration(ask.valid_for)}"
    if reached is not None and reached.failed_at is not None and reached.failed_at > given.at:
        return f"the evidence failed at {formatting.clock(reached.failed_at)}, after it was signed"
    if reached is not None and reached.turned_at is not None and reached.turned_at > given.at:
        return f"the evidence changed at {formatting.clock(reached.turned_at)}, after it was signed"
    return ""
