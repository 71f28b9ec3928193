"""Builds the Account from a record's content. Pure; `load_record` reads the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import assert_never

from cockpit import formatting
from cockpit.decide.counted import Counted, counted, unruled
from cockpit.decide.criterion import active_waiver
from cockpit.decide.events import (
    LAST_SAFE_MOMENT,
    Acknowledgement,
    Change,
    Decision,
    Entry,
    GateUsed,
    Happened,
    LinesMissing,
    NotCounted,
    ObserverGap,
    PhaseBegan,
    PointOfNoReturn,
    Record,
    ReleaseSeen,
    SignOff,
    StepBegan,
    StepEnded,
    StepMeasured,
    Vote,
    Waiver,
)
from cockpit.decide.latch import standing
from cockpit.decide.sign_off import sign_off_status
from cockpit.decide.withheld import note_text
from cockpit.journal.codec import to_body
from cockpit.journal.entry import Line
from cockpit.journal.provenance import Kind
from cockpit.plan.model import VERDICT, Criterion, Item, Plan, Section
from cockpit.report import sign_offs
from cockpit.report.five_sentences import summary
from cockpit.report.model import (
    NO_RETURN,
    UNDONE,
    Account,
    CriterionAccount,
    Event,
    Gap,
    ItemAccount,
    Measure,
    NotCountedAccount,
    PhaseSpan,
    Planned,
    Session,
    StateChange,
)
from cockpit.report.open_items import open_items
from cockpit.report.proof import Readings, Verification
from cockpit.report.sign_offs import Kept
from cockpit.report.state_history import Seen, changes_of, sessions, spans
from cockpit.report.step_times import at_the_end, night_account
from probes.frozen import frozen

UNKNOWN = "UNKNOWN"


@frozen
class Material:
    """What a record holds, read and checked."""

    record: str
    plan: Plan
    """As its copy says, or `unplanned` where `planned.problem` says why not."""
    planned: Planned
    lines: Sequence[tuple[str, Line]]
    kept: Sequence[Kept]
    proof: Verification
    kind: Kind = field(default_factory=lambda: Kind(rehearsal=False, claimed_because=""))
    measures: Mapping[str, Measure] = field(default_factory=dict)
    readings: Readings = field(default_factory=Readings)
    saw_something: bool = False
    next_actions: Sequence[str] = ()
    """What was next for each person when the record ended; empty where its readings are not at hand."""
    words_at_the_end: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The verdict, criteria, items and gates when the record ended, each with why; empty where its readings are not at hand."""


@frozen
class _Context:
    """The material, indexed for the questions a report asks."""

    given: Material
    record: Record
    counts: Counted
    watched: Sequence[Session]
    turns: Mapping[str, Sequence[StateChange]]
    now: datetime
    """Time of the last entry: the report is as of then."""

    @property
    def known(self) -> bool:
        return not self.given.planned.problem

    def because(self, subject: str, word: str, then: str) -> str:
        """Why it has its word as the record ends. `then` is why it got it: what is left where the end is not known."""
        held, because = self.given.words_at_the_end.get(subject, ("", ""))
        return because if held == word else then


def account(given: Material) -> Account:
    """Everything a record holds, as of its last entry."""
    context = _context(given)
    plan, record, kept = given.plan, context.record, given.kept
    verdict_spans = spans(context.turns.get(VERDICT, ()), context.watched)
    guards = plan.guards()
    listed = [*((each, str(each.kind)) for each in plan.criteria()), *((each, "guard") for each in guards)]
    criteria = tuple(_criterion(each, kind, context) for each, kind in listed)
    last = next((span for span in reversed(verdict_spans) if span.word), None)
    night = at_the_end(plan, context.counts, context.now, last.word if last else "")
    titles = {each.id: each.title for each, _ in listed} | {item.id: item.title for _, item in plan.items()}
    made = Account(
        record=given.record,
        rehearsal=given.kind["rehearsal"],
        claimed_because=given.kind["claimed_because"],
        not_counted=tuple(_not_counted(each, titles) for each in context.counts.left_out),
        began=context.watched[0].began if context.watched else None,
        ended=context.now if context.watched else None,
        closed=bool(context.watched) and all(each.closed for each in context.watched),
        plan=given.planned,
        verdict=last.word if last else "",
        because=context.because(VERDICT, last.word, last.because) if last else "",
        judged=given.saw_something,
        spans=verdict_spans,
        phases=tuple(PhaseSpan(str(e.phase), e.at, e.by, e.why) for e in context.counts.all(PhaseBegan)),
        people=sign_offs.participants(plan, given.lines, kept),
        sessions=tuple(context.watched),
        criteria=criteria,
        items=tuple(_item(section, item, context) for section, item in plan.items()),
        gates=tuple(
            sign_offs.gate_account(each, context.counts, kept, context.now, known=context.known) for each in plan.gates
        ),
        waivers=sign_offs.waivers(kept, titles),
        acknowledgements=sign_offs.acknowledgements(kept),
        decisions=sign_offs.decisions(kept),
        runbook=sign_offs.step_accounts(plan.runbook, context.counts, kept, context.now, night),
        rollback_plan=sign_offs.step_accounts(plan.rollback_plan, context.counts, kept, context.now, night),
        night=night_account(night, context.turns.get(LAST_SAFE_MOMENT, ())),
        happened=happened(record, context.counts),
        gaps=tuple(Gap(e.since, e.at) for each in kept if isinstance(e := each.entry, ObserverGap)),
        undecided=standing((), context.counts, context.now).latch is not None,
        open=(),
        next_actions=tuple(given.next_actions),
        proof=given.proof,
        readings=given.readings,
    )
    opened = replace(made, open=open_items(made))
    return replace(opened, summary=summary(opened))


def _not_counted(each: NotCounted, titles: Mapping[str, str]) -> NotCountedAccount:
    entry = each.entry
    subject = str(getattr(entry, "subject", getattr(entry, "gate", "")))
    by, role = str(getattr(entry, "by", "")), str(getattr(entry, "role", ""))
    return NotCountedAccount(entry.at, to_body(entry)["kind"], titles.get(subject, subject), by, role, each.why)


def _context(given: Material) -> _Context:
    record = Record([each.entry for each in given.kept], **given.kind)
    watched = sessions(given.lines)
    seen: dict[str, list[Seen]] = {}
    for each in given.kept:
        if isinstance(each.entry, Change):
            seen.setdefault(each.entry.subject, []).append((each.writer, each.entry))
    turns = {subject: changes_of(changes, watched) for subject, changes in seen.items()}
    epoch = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    now = max((each.ended for each in watched), default=epoch)
    now = max([now, *(each.entry.at for each in given.kept if not each.entry.proof.flaw)])
    counts = unruled(record) if given.planned.problem else counted(given.plan, record, now)
    return _Context(given, record, counts, watched, turns, now)


def _waived(subject: str, context: _Context) -> str:
    waiver = active_waiver(context.counts, subject, context.now)
    return f"{waiver.by}: {waiver.why} (until {waiver.until:%Y-%m-%d %H:%M:%S} UTC)" if waiver else ""


def _criterion(criterion: Criterion, kind: str, context: _Context) -> CriterionAccount:
    turns = context.turns.get(criterion.id, ())
    last = turns[-1] if turns else None
    kept, known = context.given.kept, context.known
    status = sign_off_status(criterion.sign_off, criterion.id, context.counts, None, context.now)
    return CriterionAccount(
        id=criterion.id,
        title=criterion.title,
        kind=kind,
        severity=str(criterion.severity) if known else "",
        enforced=criterion.enforced,
        condition=criterion.condition.source if criterion.condition else "",
        holds_for=criterion.needs,
        state=last.after if last else UNKNOWN,
        since=last.at if last else None,
        because=context.because(criterion.id, last.after, last.because) if last else "",
        turns=tuple(turns),
        waived=_waived(criterion.id, context),
        sign_off=sign_offs.asked(criterion.id, status, kept),
        measure=context.given.measures.get(criterion.id),
        ref=criterion.ref,
    )


def _item(section: Section, item: Item, context: _Context) -> ItemAccount:
    turns = context.turns.get(item.id, ())
    last = turns[-1] if turns else None
    status = sign_off_status(item.sign_off, item.id, context.counts, None, context.now)
    state, then = (last.after, last.because) if last else (_never_changed(item), "")
    because = context.because(item.id, state, then)
    return ItemAccount(
        id=item.id,
        title=item.title,
        section=section.title,
        phase=str(section.phase) if context.known else "",
        blocking=item.blocking,
        killer=item.killer,
        state=state,
        since=last.at if last else None,
        because=because,
        turns=tuple(turns),
        waived=_waived(item.id, context),
        sign_off=sign_offs.asked(item.id, status, context.given.kept, state, because),
        ref=item.ref,
    )


def _never_changed(item: Item) -> str:
    """The state of an item without a recorded change: PENDING if it only needs a sign-off, else UNKNOWN."""
    waits = item.expect is None and item.sign_off is not None
    return "PENDING" if waits else UNKNOWN


def happened(record: Record, counts: Counted) -> tuple[Event, ...]:
    """Actions and phases of the migration, and the point of no return, by time.

    That the point of no return is undone is said by what counts alone: another cockpit cannot undo it.
    """
    counting = {id(each) for each in counts.all(PointOfNoReturn)}
    held = [e for e in record.entries if not (isinstance(e, PointOfNoReturn) and e.undone) or id(e) in counting]
    events = filter(None, map(_event, held))
    return tuple(sorted(events, key=lambda event: event.at))


def _event(entry: Entry) -> Event | None:
    """An entry as an event; None for entries with a section of their own, and for releases."""
    match entry:
        case Happened():
            return Event(entry.at, entry.subject, formatting.note(entry.text), entry.by)
        case PointOfNoReturn():
            undone = f"{UNDONE}: {formatting.BACK_AGAIN}"
            return Event(entry.at, NO_RETURN, undone if entry.undone else f"from here a rollback loses {entry.loses}")
        case LinesMissing():
            return Event(entry.at, "shared record", note_text(entry))
        case SignOff() | Vote() | Waiver() | Acknowledgement() | Decision() | StepBegan() | StepEnded():
            return None
        case PhaseBegan() | GateUsed() | Change() | ObserverGap() | ReleaseSeen() | StepMeasured():
            return None
        case _:
            assert_never(entry)
