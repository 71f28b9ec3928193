"""Sign-offs, votes, waivers, decisions and steps of a cutover, each with the key that signed it, if any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from cockpit.decide.counted import Counted
from cockpit.decide.events import Acknowledgement, Change, Decision, Entry, GateUsed, SignOff, Vote, Waiver
from cockpit.decide.gate import gate_status
from cockpit.decide.occurrence_text import answers_of
from cockpit.decide.situation import SignOffStatus, StepStatus
from cockpit.decide.states import StepState
from cockpit.decide.steps import steps
from cockpit.decide.timing import Schedule, StepTime
from cockpit.journal.entry import PERSONAL, Line, Type
from cockpit.plan.model import Gate, Person, Plan, Step
from cockpit.report.model import (
    Asked,
    DecisionAccount,
    GateAccount,
    GateUseAccount,
    Participant,
    Signature,
    StepAccount,
    VoteAccount,
    WaiverAccount,
)
from cockpit.report.step_times import expect_next
from probes.frozen import frozen


@frozen
class Kept:
    """An entry and its writer. `entry.key` is the key whose signature was verified, if any."""

    writer: str
    entry: Entry


def participants(plan: Plan, lines: Sequence[tuple[str, Line]], kept: Sequence[Kept]) -> tuple[Participant, ...]:
    """Everyone who stated something or opened a cockpit; people of the plan first, in its order. What workers of the migration
    note in their own names is no person's.
    """
    known = {person.id: person for person in plan.people}
    entries: dict[str, int] = {}
    keys: dict[str, dict[str, None]] = {}
    aws: dict[str, dict[str, None]] = {}
    for _, line in lines:
        body, actor = line.entry.body, line.entry.actor
        by = body.get("by")
        named = isinstance(by, str) and bool(by)
        who = str(by) if named else actor.id
        if not named and line.entry.type is not Type.OPEN:
            continue
        if named and who not in known and line.entry.type not in PERSONAL:
            continue
        entries[who] = entries.get(who, 0) + named
        if actor.arn and actor.id == who:
            aws.setdefault(who, {})[actor.arn] = None
    for each in (one.entry for one in kept if one.entry.key):
        keys.setdefault(str(getattr(each, "by", "")), {})[each.key] = None
    order = [*(each for each in known if each in entries), *(each for each in entries if each not in known)]
    unknown = Person("", "", ())
    return tuple(
        Participant(
            who,
            known.get(who, unknown).name,
            known.get(who, unknown).roles,
            entries[who],
            tuple(keys.get(who, ())),
            tuple(aws.get(who, ())),
        )
        for who in order
        if who != "cockpit"
    )


def asked(
    subject: str, status: SignOffStatus | None, kept: Iterable[Kept], state: str = "", why: str = ""
) -> Asked | None:
    """Every answer about a subject. `state` STALE (and `why`) is the last state the cockpit recorded."""
    given = [
        (each.entry, each.entry.key)
        for each in kept
        if isinstance(each.entry, SignOff) and each.entry.subject == subject
    ]
    if status is None and not given:
        return None
    stale = (status.stale if status else "") or (why if state == "STALE" else "")
    last = given[-1][0] if given else None
    signatures = tuple(
        Signature(
            entry.at,
            entry.by,
            entry.role,
            entry.answer,
            entry.evidence,
            key,
            entry.rehearsal,
            entry.retracted,
            stale if entry is last and not entry.retracted else "",
        )
        for entry, key in given
    )
    counts = last is not None and not last.retracted and not stale
    return Asked(status.ask if status else "", status.roles if status else (), signatures, counts)


def gate_account(gate: Gate, record: Counted, kept: Iterable[Kept], now: datetime, *, known: bool) -> GateAccount:
    """A gate with its votes. Without the plan (`known` false) its last recorded state counts."""
    status = gate_status(gate, record, now)
    results = [each for each in record.all(Change) if each.subject == gate.id]
    votes = tuple(
        VoteAccount(e.at, e.by, e.role, e.choice, e.why, e.key, e.rehearsal)
        for each in kept
        if isinstance(e := each.entry, Vote) and e.gate == gate.id
    )
    passed = status.passed if known else bool(results) and results[-1].after == "passed"
    first = next((each.at for each in results if each.after == "passed"), None)
    uses = tuple(GateUseAccount(e.at, e.act, e.by, e.votes, e.key) for e in record.all(GateUsed) if e.gate == gate.id)
    return GateAccount(gate.id, gate.title, gate.before, passed, first, status.missing if known else (), votes, uses)


def waivers(kept: Sequence[Kept], titles: Mapping[str, str]) -> tuple[WaiverAccount, ...]:
    """Every waiver with its end; a counter-entry ends the ones before it and is not listed."""
    entries = [(each.entry, each.entry.key) for each in kept if isinstance(each.entry, Waiver)]
    withdrawn = [entry for entry, _ in entries if entry.until <= entry.at]
    return tuple(
        WaiverAccount(
            entry.subject,
            titles.get(entry.subject, entry.subject),
            entry.at,
            entry.until,
            entry.by,
            entry.why,
            key,
            next((b.at for b in withdrawn if b.subject == entry.subject and entry.at <= b.at < entry.until), None),
        )
        for entry, key in entries
        if entry.until > entry.at
    )


def decisions(kept: Iterable[Kept]) -> tuple[DecisionAccount, ...]:
    return tuple(
        DecisionAccount(e.at, e.choice, e.by, e.why, e.advised, e.key, about=answers_of(e))
        for each in kept
        if isinstance(e := each.entry, Decision)
    )


def acknowledgements(kept: Iterable[Kept]) -> tuple[DecisionAccount, ...]:
    return tuple(
        DecisionAccount(
            e.at, "acknowledge", e.by, e.why, "", e.key, e.subject, f"there since {e.since:%H:%M:%S}" if e.since else ""
        )
        for each in kept
        if isinstance(e := each.entry, Acknowledgement)
    )


def step_accounts(
    listed: Sequence[Step], record: Counted, kept: Sequence[Kept], now: datetime, night: Schedule | None
) -> tuple[StepAccount, ...]:
    times = night.of if night is not None else StepTime
    return tuple(_step(status, kept, times(status.id) or StepTime(status.id)) for status in steps(listed, record, now))


def _step(status: StepStatus, kept: Sequence[Kept], time: StepTime) -> StepAccount:
    took = status.ended - status.began if status.began and status.ended else None
    return StepAccount(
        status.id,
        status.title,
        str(status.progress),
        status.duration,
        took,
        status.began,
        status.ended,
        status.by,
        status.seen,
        asked(status.id, status.sign_off, kept),
        time.planned_start,
        time.planned_end,
        time.late if status.began else None,
        expect_next(status.duration, took) if status.progress is StepState.DONE else None,
    )
