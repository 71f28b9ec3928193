"""Whether a plan's gates let a phase of the migration begin or go on, according to the cutover's record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from cockpit.decide import gate
from cockpit.decide.counted import counted
from cockpit.decide.events import Record
from cockpit.decide.gate import GATE_OF_PHASE, Missing, Opening, missing_before, missing_to_go_on, worded
from cockpit.engine.record_look import RecordLook
from cockpit.plan.model import Plan


def missing(plan: Plan, phase: str, now: datetime, look: RecordLook, who: str = "") -> list[str]:
    """What is missing, from whom; empty where the phase may begin. `who` begins it. Raises OSError."""
    return _missing(plan, phase, now, look, lambda kept, act: missing_before(plan, kept, act, now, who))


def missing_to_resume(plan: Plan, phase: str, now: datetime, look: RecordLook) -> list[str]:
    """The same for a run that was begun: it goes on by the votes it was begun with, until somebody votes against it."""
    return _missing(plan, phase, now, look, lambda kept, act: missing_to_go_on(plan, kept, act, now))


def opening(plan: Plan, phase: str, lines: Collection[str], now: datetime, look: RecordLook, who: str = "") -> Opening:
    """What the record holds that `who` begins the phase just as one of `lines` says. Raises OSError."""
    return gate.opening(plan, look.record(), GATE_OF_PHASE.get(phase, ""), lines, now, who)


def _missing(
    plan: Plan, phase: str, now: datetime, look: RecordLook, rule: Callable[[Record, str], tuple[Missing, ...]]
) -> list[str]:
    gates = [each for each in plan.gates if each.before == GATE_OF_PHASE.get(phase)]
    if not gates:
        return []
    if look.folder is None:
        return [f"{each.title}: no record of this cutover on this machine; vote in the cockpit first" for each in gates]
    record = look.record()
    found = in_lines(rule(record, GATE_OF_PHASE[phase]))
    withheld = counted(plan, record, now).withheld
    return [*found, f"{withheld.ends}: A in the cockpit"] if found and withheld.sentences else found


def in_lines(found: Iterable[Missing]) -> list[str]:
    """What is missing, as the command line says it."""
    return worded(found, "name the initiator with --as: the plan does not count the initiator's vote")
