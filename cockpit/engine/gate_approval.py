"""Whether a plan's gates let a phase of the migration begin, according to the cutover's record."""

from __future__ import annotations

from datetime import datetime

from cockpit.decide.gate import GATE_OF_PHASE, missing_before, worded
from cockpit.engine.recording import newest_of, record_in
from cockpit.journal.record_folder import find_record
from cockpit.plan.model import Plan


def missing(plan: Plan, phase: str, now: datetime, record: str = "", who: str = "") -> list[str]:
    """What is missing, from whom; empty where the phase may begin. `who` begins it. Raises OSError without the record named."""
    gates = [gate for gate in plan.gates if gate.before == GATE_OF_PHASE.get(phase)]
    if not gates:
        return []
    folder = find_record(record) if record else newest_of(plan, now)
    if folder is None:
        return [f"{gate.title}: no record of this cutover on this machine; vote in the cockpit first" for gate in gates]
    found = missing_before(plan, record_in(folder), GATE_OF_PHASE[phase], now, who)
    return worded(found, "name the initiator with --as: the plan does not count the initiator's vote")
