"""A substitute for a plan that cannot be loaded, made only of what the journal names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cockpit.decide.events import Change, Entry, SignOff, StepBegan, StepEnded, Vote
from cockpit.decide.states import Check, GateState, State
from cockpit.plan.model import VERDICT, Criterion, Gate, Item, Kind, Phase, Plan, Poll, Section, Step
from cockpit.plan.position import Position

HERE = Position("plan.yaml", 0)


def _only(kind: Kind) -> frozenset[str]:
    """States that only a criterion of this kind can have."""
    return frozenset(str(state) for state in State if state.judging.kinds == {kind}) - {str(check) for check in Check}


def unplanned(entries: Sequence[Entry], name: str, digest: str) -> Plan:
    """A plan with the ids the journal names, classified by their recorded states."""
    words = _words(entries)
    voted = {each.gate: each for each in entries if isinstance(each, Vote)}
    acted = dict.fromkeys(each.subject for each in entries if isinstance(each, StepBegan | StepEnded))
    signed = dict.fromkeys(each.subject for each in entries if isinstance(each, SignOff) and each.subject not in acted)
    success = [subject for subject, states in words.items() if states & _only(Kind.SUCCESS)]
    triggers = [subject for subject, states in words.items() if states & _only(Kind.TRIGGER)]
    gates = dict.fromkeys([*(subject for subject, states in words.items() if states & set(GateState)), *voted])
    named = {*success, *triggers, *gates, *acted}
    items = [subject for subject in dict.fromkeys([*words, *signed]) if subject not in named]
    return Plan(
        name=name,
        title=name,
        environment="",
        path="plan.yaml",
        digest=digest,
        checklist=(Section("", Phase.POST_DEPLOY, tuple(Item(each, each, HERE) for each in items)),) if items else (),
        gates=tuple(Gate(each, each, "", Poll((), 1), HERE) for each in gates),
        success_criteria=tuple(Criterion(each, each, Kind.SUCCESS, None, HERE) for each in success),
        rollback_triggers=tuple(Criterion(each, each, Kind.TRIGGER, None, HERE) for each in triggers),
        runbook=tuple(Step(each, each, HERE) for each in acted),
    )


def _words(entries: Iterable[Entry]) -> dict[str, set[str]]:
    words: dict[str, set[str]] = {}
    for entry in entries:
        if isinstance(entry, Change) and entry.subject != VERDICT:
            words.setdefault(entry.subject, set()).update((entry.before, entry.after))
    return words
