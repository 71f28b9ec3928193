"""Labels every format of the report shares."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cockpit import formatting
from cockpit.decide.states import Check, Shown, State, StepState, meaning_of
from cockpit.journal.findings import Outcome, Standing, Subject
from cockpit.report.escaping import short
from cockpit.report.model import Account, Asked, CriterionAccount, ItemAccount, Measure, StepAccount

NOT_WATCHING = "the cockpit was not watching"
KINDS = {"success": "Success criteria", "trigger": "Rollback triggers", "guard": "Guards of the migration"}
_MEANING = {each.word: each.meaning for each in Outcome}


def title(account: Account) -> str:
    return short(account.plan.title or account.plan.name or account.record, 200)


def verdict(account: Account) -> str:
    """The last word, or that there is none."""
    return account.verdict or "no verdict"


def stamp(at: datetime | None, account: Account) -> str:
    """Time of day, UTC; with the date where the cutover went past midnight."""
    if at is None:
        return ""
    days = {each.date() for each in (account.began, account.ended) if each}
    return formatting.clock(at) if days == {at.date()} else f"{at:%Y-%m-%d %H:%M:%S}"


def span(value: timedelta | None) -> str:
    return formatting.duration(value) if value is not None else ""


def by_key(key: str, *, rehearsal: bool = False) -> str:
    """Whether a key proves who made the entry."""
    if rehearsal:
        return "rehearsal"
    return f"signed {key}" if key else "not cryptographically signed"


def answer(asked: Asked | None) -> str:
    """The newest answer, and by whom."""
    if asked is None:
        return ""
    last = asked.given[-1] if asked.given else None
    if last is None:
        return f"never signed (needs {formatting.roles(asked.roles)})"
    if last.retracted:
        return f"withdrawn by {last.by}"
    late = f"; no longer counts: {last.stale}" if last.stale else ""
    return f"{formatting.person(last.by, last.role)}, {by_key(last.key, rehearsal=last.rehearsal)}: {last.answer}{late}"


def reason(status: CriterionAccount | ItemAccount) -> str:
    """Why it is in its state."""
    return f"waived by {status.waived}" if status.waived else status.because


def state(status: CriterionAccount | ItemAccount) -> str:
    """Its state; WAIVED while a waiver is active."""
    return "WAIVED" if status.waived else status.state


def shown(status: CriterionAccount | ItemAccount) -> str:
    """Its state as people read it: BREACHING, TO SIGN."""
    return word(state(status), of_item=isinstance(status, ItemAccount))


def word(text: str, *, of_item: bool = False) -> str:
    """A word of a record as people read it: PENDING is BREACHING of a trigger and TO SIGN of an item.

    >>> word("PENDING"), word("PENDING", of_item=True), word("PROVING"), word("GO")
    ('BREACHING', 'TO SIGN', 'HOLDING', 'GO')
    """
    kinds: tuple[type[Shown], ...] = (Check,) if of_item else (State,)
    return next((member.label for kind in kinds for member in kind if member == text), text)


def badness(status: CriterionAccount | ItemAccount) -> int:
    """Orders by how bad its state is, the worst first."""
    return int(meaning_of(state(status)).badness)


def worst(each: CriterionAccount) -> str:
    """The value furthest past the limit, and the limit: `at worst 11.4 %, limit 5.0 %`; empty where nothing was measured."""
    of = each.measure
    if of is None or of.threshold is None or of.unit == "bool":
        return ""
    ends = [end for point in of.points for end in (point.low, point.high) if end is not None]
    if not ends:
        return ""
    bad_is_high = (each.kind == "success") == of.operator.startswith("<")
    return f"at worst {value(max(ends) if bad_is_high else min(ends), of.unit)}, limit {value(of.threshold, of.unit)}"


def planned_and_took(step: StepAccount) -> str:
    """
    >>> none = StepAccount("a", "A", "done", timedelta(minutes=5), timedelta(minutes=7), None, None, "", "")
    >>> planned_and_took(none)
    'planned 5m, took 7m'
    """
    planned = f"planned {formatting.duration(step.planned)}" if step.planned is not None else "no time planned"
    return planned + (f", took {formatting.duration(step.took)}" if step.took is not None else "")


def lateness(step: StepAccount) -> str:
    """Against the plan, where it is a minute or more."""
    if step.late is None or abs(step.late) < timedelta(minutes=1):
        return ""
    return f"{formatting.duration(abs(step.late))} {'late' if step.late > timedelta(0) else 'early'}"


def next_time(step: StepAccount) -> str:
    return f"expected: {formatting.duration(step.expect_next)}" if step.expect_next is not None else ""


def between(since: datetime | None, until: datetime | None) -> str:
    """Clock times, UTC; empty where there are none."""
    if since is None:
        return ""
    return f"{formatting.time_of_day(since)} to {formatting.time_of_day(until) if until else '...'}"


def night(account: Account) -> list[str]:
    """The change window, and until when a rollback fitted into it: a sentence each."""
    of = account.night
    if of is None:
        return []
    lines = [
        f"Change window: {of.begins:%Y-%m-%d %H:%M} to {of.ends:%Y-%m-%d %H:%M} UTC, by the clocks of {of.time_zone}."
    ]
    if of.last_safe_moment is not None and of.rollback_takes is not None:
        reserve = f", reserve {formatting.duration(of.reserve)}" if of.reserve else ""
        takes = f"a rollback takes {formatting.duration(of.rollback_takes)}{reserve}"
        lines.append(f"Last safe moment to go back: {formatting.time_of_day(of.last_safe_moment)} UTC ({takes}).")
    lines += [f"{stamp(turn.at, account)} {turn.after}: {turn.because}" for turn in of.turns]
    return lines


def limit(measure: Measure, kind: str) -> str:
    """The threshold as text; empty where there is none."""
    if measure.threshold is None:
        return ""
    word = "needs" if kind == "success" else "trips"
    return f"{word} {measure.operator} {value(measure.threshold, measure.unit)}"


def value(number: float, unit: str) -> str:
    """
    >>> value(1.0, "bool"), value(0.05, "ratio")
    ('yes', '5.0 %')
    """
    if unit == "bool":
        return "yes" if number else "no"
    return formatting.value(int(number) if number == int(number) else number, unit)


def proof(account: Account) -> str:
    return f"{account.proof.result}: {_MEANING.get(account.proof.result, '')}"


def provable(account: Account) -> list[str]:
    """What of the record is proven, in words: one sentence a subject."""
    standing_words = {Standing.PROVEN: "Proven", Standing.NOT_PROVABLE: "Cannot be proven", Standing.BROKEN: "Not true"}
    standings = account.proof.standings.items()
    return [f"{standing_words[Standing(standing)]}: {Subject(subject).question}." for subject, standing in standings]


def done(steps: Sequence[StepAccount]) -> str:
    """What of a runbook was done, and what was not.

    >>> step = StepAccount("a", "A", "open", None, None, None, None, "", "")
    >>> done([step, step])
    '0 of 2 steps done'
    """
    states = [each.progress for each in steps]
    others = (StepState.SKIPPED, StepState.FAILED, StepState.STARTED)
    parts = [f"{states.count(str(state))} {state.label}" for state in others if str(state) in states]
    return ", ".join([f"{states.count(str(StepState.DONE))} of {len(steps)} steps done", *parts])
