"""Why the time of an entry cannot be what its writer's clock says, and what counts all the same.

Others may set the clock of whoever states something. So what could let something go on does not count by a time that cannot be;
what only keeps it from going on does, from when it is learned of.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from cockpit import formatting
from cockpit.decide.events import Decision, Entry, SignOff, Statement, StepBegan, StepEnded, Vote, Waiver

CLOCKS_DIFFER = timedelta(minutes=1)
"""How far the clocks of two machines may be apart before a time is in the future, or outside its session."""
E = TypeVar("E", bound=Entry)
EXECUTE = "execute"
"""Choice of the decision to roll back."""


def as_stated(entry: E) -> E:
    """As its writer stated it: what tells a copy."""
    stated = entry.proof.stated
    return stated if isinstance(stated, type(entry)) else entry


def time_doubt(entry: Entry, now: datetime) -> str:
    """Why an entry cannot be of the time it bears, at `now`; empty where it can."""
    proof, dated = entry.proof, as_stated(entry).at
    if proof.late:
        return proof.late
    if dated > (proof.received or now) + CLOCKS_DIFFER:
        return f"it is dated in the future: {formatting.clock(dated)}"
    early = proof.opened is not None and dated < proof.opened - CLOCKS_DIFFER
    behind = proof.written is not None and dated > proof.written + CLOCKS_DIFFER
    if isinstance(entry, Statement) and entry.by and (early or behind):
        return "it is dated outside the session it was made in"
    return ""


def holds_back(entry: Entry) -> bool:
    """Whether it can only keep something from going on: a no, what is taken back, a step that is open again, a rollback that
    answers no trip. That counts whatever the clock of its writer says.
    """
    match entry:
        case Vote():
            return entry.choice in ("no-go", "hold")
        case SignOff():
            return entry.retracted
        case Waiver():
            return entry.until <= entry.at
        case StepBegan():
            return True
        case StepEnded():
            return entry.outcome in ("open", "failed")
        case Decision():
            return entry.choice == EXECUTE and entry.answers == ()
        case _:
            return False
