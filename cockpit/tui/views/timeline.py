"""Every entry of the record as a line of the timeline: state changes, what people signed and decided, what was done. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from cockpit import formatting
from cockpit.decide.estimates import measured
from cockpit.decide.events import (
    Acknowledgement,
    Change,
    Decision,
    Entry,
    GateUsed,
    Happened,
    LinesMissing,
    ObserverGap,
    PhaseBegan,
    PointOfNoReturn,
    ReleaseSeen,
    SignOff,
    StepBegan,
    StepEnded,
    StepMeasured,
    Vote,
    Waiver,
)
from cockpit.decide.occurrence_text import answers_of
from cockpit.decide.situation import Situation
from cockpit.decide.withheld import is_holding, note_text

_Statement = SignOff | Vote | Waiver | Acknowledgement | Decision
_Event = (
    StepBegan
    | StepEnded
    | StepMeasured
    | PhaseBegan
    | GateUsed
    | PointOfNoReturn
    | ObserverGap
    | LinesMissing
    | ReleaseSeen
    | Happened
)


def as_change(entry: Entry) -> Change:
    """The entry in the words of the timeline: what it is about, what became of it, and why."""
    match entry:
        case Change():
            return entry
        case SignOff() | Vote() | Waiver() | Acknowledgement() | Decision():
            return _statement(entry)
        case _:
            return _event(entry)


def changes(entries: Iterable[Entry], situation: Situation) -> list[Change]:
    """Entries in the words of the timeline; what does not count says so, and why."""
    refused = {id(each.entry): each.why for each in situation.not_counted}
    return [_refused(as_change(entry), refused.get(id(entry), "")) for entry in entries]


def _refused(change: Change, why: str) -> Change:
    return replace(change, after="NOT COUNTED", because=f"{why}. {change.because}") if why else change


def _statement(entry: _Statement) -> Change:
    """What a person stated."""
    match entry:
        case SignOff():
            word = "WITHDRAWN" if entry.retracted else "SIGNED"
            how = "rehearsed" if entry.rehearsal else "with a key" if entry.key else "not cryptographically signed"
            return Change(
                entry.at, entry.subject, "", word, f"{entry.by} ({formatting.role(entry.role)}, {how}): {entry.answer}"
            )
        case Vote():
            return Change(
                entry.at,
                entry.gate,
                "",
                entry.choice.upper(),
                f"{entry.by} ({formatting.role(entry.role)}) {entry.why}".strip(),
            )
        case Waiver():
            word = "WAIVED" if entry.until > entry.at else "WITHDRAWN"
            return Change(
                entry.at, entry.subject, "", word, f"{entry.by} until {formatting.clock(entry.until)}: {entry.why}"
            )
        case Acknowledgement():
            of = f" (there since {formatting.clock(entry.since)})" if entry.since else ""
            return Change(entry.at, entry.subject, "", "SEEN", f"{entry.by}{of}: {entry.why}")
        case Decision():
            against = f" (advised {entry.advised})" if entry.advised else ""
            answers = f", {answered}" if (answered := answers_of(entry)) else ""
            return Change(
                entry.at,
                "decision",
                "",
                formatting.decided(entry.choice, entry.why).removeprefix("begin the ").upper(),
                f"{entry.by}{against}: {entry.why}{answers}",
            )
        case _:
            assert_never(entry)


def _event(entry: _Event) -> Change:
    """What was done, or seen."""
    match entry:
        case StepBegan():
            return Change(entry.at, entry.subject, "", "STARTED", entry.by)
        case StepEnded():
            return Change(entry.at, entry.subject, "", entry.outcome.upper(), f"{entry.by}: {entry.seen}")
        case PhaseBegan():
            return Change(
                entry.at, "phase", "", "BEGAN", f"{formatting.phase(entry.phase)} {entry.by} {entry.why}".strip()
            )
        case GateUsed():
            return Change(entry.at, entry.gate, "", "USED", f"{entry.by} to {entry.act}: {'; '.join(entry.votes)}")
        case PointOfNoReturn():
            line = formatting.BACK_AGAIN if entry.undone else f"a rollback would lose {entry.loses}"
            return Change(entry.at, "point of no return", "", "UNDONE" if entry.undone else "PASSED", line)
        case ObserverGap():
            return Change(
                entry.at, "cockpit", "", "GAP", f"the cockpit was not watching since {formatting.clock(entry.since)}"
            )
        case LinesMissing():
            return Change(
                entry.at, "shared record", "", "LINES MISSING" if is_holding(entry) else "READ", note_text(entry)
            )
        case StepMeasured():
            return Change(entry.at, entry.subject, "", "MEASURED", measured(entry))
        case ReleaseSeen():
            seen = f"{entry.cluster}/{entry.service} {entry.task_definition.rpartition('/')[2]} {entry.digests}"
            return Change(entry.at, "release", "", "NOTED", seen)
        case Happened():
            return Change(entry.at, entry.subject, "", "NOTE", f"{entry.by} {formatting.note(entry.text)}".strip())
        case _:
            assert_never(entry)
