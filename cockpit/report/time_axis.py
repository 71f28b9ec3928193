"""What happened when, on one axis: lanes for a picture, moments for a list. Pure: an Account in, values out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cockpit import formatting
from cockpit.decide.events import CLEARED, FAULT, INJECTED
from cockpit.decide.states import State, StepState
from cockpit.report import labels
from cockpit.report.five_sentences import trips, worst_first
from cockpit.report.model import Account, CriterionAccount, StateChange
from probes.frozen import frozen

MOST_FAULTS, MOST_CRITERIA = 5, 6
"""Lanes of one kind; what is beyond is in the lists further down."""
FLAPPING = 3
"""A state entered so often is flapping."""


@frozen
class Bar:
    """A stretch of time in one colour."""

    since: datetime
    until: datetime
    word: str
    """A word of the record, which gives the colour; empty for one without any."""


@frozen
class Mark:
    """One moment: a vote, a decision, a change."""

    at: datetime
    kind: str
    """"go", "bad" or "note"."""


@frozen
class Lane:
    """One row of the picture."""

    title: str
    note: str = ""
    """What the colours do not say: how often, by whom."""
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = ()


@frozen
class Moment:
    at: datetime
    what: str


def lanes(given: Account) -> list[Lane]:
    """Below the verdict: phases, faults, criteria that failed, changes, votes and decisions, steps; only what there is."""
    if given.began is None or given.ended is None:
        return []
    return [lane for lane in _lanes(given, given.ended) if lane.bars or lane.marks]


def _lanes(given: Account, end: datetime) -> Iterator[Lane]:
    ends = [*(each.since for each in given.phases[1:]), end]
    phases = [Bar(each.since, until, "") for each, until in zip(given.phases, ends, strict=False)]
    yield Lane("Phase", ", then ".join(formatting.phase(each.phase) for each in given.phases), tuple(phases))
    faults = _faults(given, end)
    for title, stretches in list(faults.items())[:MOST_FAULTS]:
        yield Lane("Fault injected", title, tuple(Bar(since, until, str(State.PENDING)) for since, until in stretches))
    failed = [each for each in worst_first(given.criteria) if each.kind != "guard" and has_failed(each)]
    for each in failed[:MOST_CRITERIA]:
        yield Lane(each.title, flaps(each), tuple(_failing(each.turns, end)))
    changes = [Mark(turn.at, "note") for each in given.criteria for turn in each.turns]
    yield Lane("Changes of criteria", formatting.count(len(changes), "change"), (), tuple(changes))
    votes = [vote for gate in given.gates for vote in gate.votes]
    marks = [Mark(each.at, "go" if each.choice == "go" else "bad") for each in votes]
    yield Lane("Votes", ", ".join(dict.fromkeys(f"{each.by} {each.choice}" for each in votes)), (), tuple(marks))
    decided = [Mark(each.at, "bad") for each in given.decisions]
    yield Lane(
        "Decisions",
        ", ".join(f"{each.by}: {formatting.decided(each.choice, each.why)}" for each in given.decisions),
        (),
        tuple(decided),
    )
    steps = [each for each in (*given.runbook, *given.rollback_plan) if each.began]
    bars = [Bar(each.began, each.ended or end, _step_word(each.progress)) for each in steps if each.began]
    yield Lane("Steps", f"{len(steps)} begun", tuple(bars))


def _step_word(progress: str) -> str:
    return {str(StepState.DONE): str(State.MET), str(StepState.FAILED): str(State.NOT_MET)}.get(progress, "")


def has_failed(each: CriterionAccount) -> bool:
    """Whether it calls for a look: a trigger that was true, a success criterion that stopped holding or fails at the end."""
    if each.kind == "trigger":
        return any(turn.after in (State.TRIPPED, State.PENDING) for turn in each.turns)
    stopped = any(turn.after == State.NOT_MET and turn.before in (State.MET, State.PROVING) for turn in each.turns)
    return stopped or each.state == State.NOT_MET


def flaps(each: CriterionAccount) -> str:
    """How often it tripped or failed: `3 times, flapping`; empty for once."""
    often = trips(each) or sum(turn.after == State.NOT_MET for turn in each.turns)
    flapping = ", flapping" if often >= FLAPPING else ""
    return f"{formatting.count(often, 'time')}{flapping}" if often > 1 else ""


def _failing(turns: Sequence[StateChange], end: datetime) -> Iterator[Bar]:
    """Every stretch in a state that is not fine."""
    for turn, until in zip(turns, [*(each.at for each in turns[1:]), end], strict=True):
        if turn.after in (State.TRIPPED, State.PENDING, State.NOT_MET, State.RECOVERING, State.UNKNOWN):
            yield Bar(turn.at, until, turn.after)


def _faults(given: Account, end: datetime) -> dict[str, list[tuple[datetime, datetime]]]:
    """What was broken on purpose, by title: from when to when."""
    found: dict[str, list[tuple[datetime, datetime]]] = {}
    for event in given.happened:
        if event.subject != FAULT:
            continue
        if event.text.startswith(INJECTED):
            found.setdefault(event.text.removeprefix(INJECTED), []).append((event.at, end))
        elif stretches := found.get(event.text.removeprefix(CLEARED)):
            stretches[-1] = stretches[-1][0], event.at
    return found


def moments(given: Account) -> list[Moment]:
    """The same as a list, by time."""
    found = [Moment(each.since, f"verdict {each.word or labels.NOT_WATCHING}") for each in given.spans]
    found += [Moment(each.since, f"phase: {formatting.phase(each.phase)}") for each in given.phases]
    found += [Moment(each.at, f"{each.subject} {each.text}") for each in given.happened]
    found += [
        Moment(turn.at, f"{each.title}: {labels.word(turn.after)}")
        for each in given.criteria
        if each.kind != "guard" and has_failed(each)
        for turn in each.turns
        if turn.before != turn.after
    ]
    found += [
        Moment(vote.at, f"{vote.by} votes {vote.choice} ({gate.title})") for gate in given.gates for vote in gate.votes
    ]
    found += [
        Moment(each.at, f"{each.by} decided to {formatting.decided(each.choice, each.why)}") for each in given.decisions
    ]
    return sorted(found, key=lambda each: each.at)
