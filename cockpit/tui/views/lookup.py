"""What an id of a row names: the criterion, item, gate, probe or change behind it. Pure."""

from __future__ import annotations

from cockpit.decide.events import Change
from cockpit.decide.situation import Situation, StepStatus
from cockpit.engine.ports import Watching
from cockpit.tui.views.evidence_bundle import Subject
from cockpit.tui.views.timeline import changes


def find(situation: Situation, id_: str) -> Subject | None:
    """What an id names."""
    for status in situation.criteria:
        if status.id == id_:
            return status
    for section in situation.sections:
        for item in section.items:
            if item.id == id_:
                return item
    for gate in situation.gates:
        if gate.id == id_:
            return gate
    return next((probe for probe in situation.probes if probe.name == id_), None)


def read_again(situation: Situation, id_: str) -> tuple[str, ...]:
    """The probes that one cause has made blind, where it blinds this line or probe too; empty where nothing does."""
    return tuple(
        probe
        for cause in situation.root_causes
        if id_ in cause.subjects or id_ in cause.probes
        for probe in cause.probes
    )


def step_of(situation: Situation, id_: str) -> StepStatus | None:
    """The step of the runbook or the rollback plan that an id names."""
    return next((step for step in (*situation.runbook, *situation.rollback_plan) if step.id == id_), None)


def change_of(watch: Watching, key: str) -> Change | None:
    """The change a timeline's row key (`change:3`) names."""
    kind, _, number = key.partition(":")
    is_one = kind == "change" and number.isdigit() and int(number) < len(watch.record.entries)
    return changes([watch.record.entries[int(number)]], watch.situation)[0] if is_one else None


def is_known(watch: Watching, id_: str) -> bool:
    """Whether there is evidence to show for an id."""
    return bool(id_) and (find(watch.situation, id_) is not None or change_of(watch, id_) is not None)
