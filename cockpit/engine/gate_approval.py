"""Whether a plan's gates let a phase of the migration begin, by what the cutover's record says."""

from __future__ import annotations

from datetime import datetime

from cockpit.decide.gate import poll
from cockpit.engine.recording import newest_of, said_in
from cockpit.journal.folder import find_record
from cockpit.plan.model import Plan

GUARDED = {"copy": "migrate", "purge": "purge"}
"""Phase -> what the gates before it call it."""


def missing(plan: Plan, phase: str, now: datetime, record: str = "", who: str = "") -> list[str]:
    """What is missing, from whom; empty where the phase may begin. `who` begins it. Raises OSError without the record named."""
    gates = [gate for gate in plan.gates if gate.before == GUARDED.get(phase)]
    if not gates:
        return []
    folder = find_record(record) if record else newest_of(plan, now)
    if folder is None:
        return [f"{gate.title}: no record of this cutover is kept here; vote in the cockpit first" for gate in gates]
    kept = said_in(folder, plan)
    if not who and any(gate.poll.exclude_initiator for gate in gates):
        return ["say who begins it with --as: the plan does not count their own vote"]
    polls = [poll(gate, plan, kept, now, who) for gate in gates]
    return [f"{each.title}: {'; '.join(each.missing)}" for each in polls if not each.passed]
