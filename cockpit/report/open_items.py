"""What a cutover left open: not signed, not observed, not decided. One sentence each, the most serious first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain

from cockpit import formatting
from cockpit.decide.states import Check, State, Word, meaning_of
from cockpit.plan.model import Phase
from cockpit.report import labels
from cockpit.report.model import Account, Asked, CriterionAccount


def open_items(given: Account) -> tuple[str, ...]:
    """All open items of a record."""
    return tuple(
        chain(
            _verdict(given), _criteria(given.criteria), _items(given), _gates(given), _waivers(given), _steps(given),
            _gaps(given), _record(given),
        )
    )  # fmt: skip


def _verdict(given: Account) -> Iterator[str]:
    if not given.spans:
        yield "no verdict was recorded"
        return
    if not given.judged:
        yield "no probe returned a value to evaluate"
    if _calls(given.verdict):
        since = _called_since(given)
        if given.undecided or not any(
            each.at >= since and each.choice in ("execute", "fix_forward") for each in given.decisions
        ):
            yield f"{given.verdict} since {formatting.clock(since)}: no decision recorded"


def _calls(word: str) -> bool:
    """Whether a verdict calls for a decision."""
    return any(word == each and each.calls_for_decision for each in Word)


def _called_since(given: Account) -> datetime:
    """Since when the last call for a decision has stood; a gap in watching does not end it."""
    since = given.spans[-1].since
    for span in reversed(given.spans):
        if span.word and not _calls(span.word):
            break
        since = span.since if span.word else since
    return since


def _criteria(criteria: Iterable[CriterionAccount]) -> Iterator[str]:
    for each in criteria:
        if each.kind == "guard" or each.waived:
            continue
        note = "" if each.enforced else " (not enforced)"
        if each.state == State.UNKNOWN:
            never = "was never observed" if not each.turns else "was still UNKNOWN at the end"
            yield f"{each.title}{note} {never}" + (f": {each.because}" if each.because else "")
        elif not meaning_of(each.state).done:
            yield f"{each.title}{note} was {labels.word(each.state)} at the end"
        yield from _unsigned(each.title, each.sign_off)


def _unsigned(title: str, asked: Asked | None) -> Iterator[str]:
    if asked is None or asked.counts or not asked.ask:
        return
    stale = asked.given[-1].stale if asked.given else ""
    why = f"no longer counted: {stale}" if stale else "was withdrawn" if asked.given else "was never signed"
    yield f"{title}: the sign-off of {formatting.roles(asked.roles)} {why}"


def _items(given: Account) -> Iterator[str]:
    for item in given.items:
        if meaning_of(item.state).done or item.waived:
            continue
        note = "" if item.blocking else " (not blocking)"
        unsigned = list(_unsigned(f"{item.title}{note}", item.sign_off))
        if unsigned and item.state in (Check.PENDING, Check.STALE):
            yield from unsigned
        elif item.state == Check.UNKNOWN:
            yield f"{item.title}{note} " + ("was still UNKNOWN at the end" if item.turns else "was never observed")
        else:
            yield f"{item.title}{note} was {labels.word(item.state, of_item=True)} at the end"


def _gates(given: Account) -> Iterator[str]:
    for gate in given.gates:
        if not gate.passed and gate.first_passed is not None:
            yield f"gate {gate.title} passed at {formatting.clock(gate.first_passed)} and was not passed at the end"
        elif not gate.passed and gate.before == "deploy" and _begins_after_the_deployment(given):
            yield f"gate {gate.title} was not voted on in this record, which begins after the deployment did"
        elif not gate.passed:
            yield f"gate {gate.title} was never passed" + (f": {'; '.join(gate.missing)}" if gate.missing else "")


def _begins_after_the_deployment(given: Account) -> bool:
    """Whether whatever came before the deployment is in no part of this record."""
    return bool(given.phases) and all(each.phase == Phase.POST_DEPLOY for each in given.phases)


def _waivers(given: Account) -> Iterator[str]:
    for each in given.waivers:
        if given.ended is not None and each.taken_back is None and each.until > given.ended:
            yield f"{each.title} is waived until {each.until:%Y-%m-%d %H:%M:%S} UTC by {each.by}"


def _steps(given: Account) -> Iterator[str]:
    left = sum(step.progress == "open" for step in given.runbook)
    if left:
        yield f"runbook: {labels.done(given.runbook)}"
    for step in (*given.runbook, *given.rollback_plan):
        if step.progress == "started":
            yield f"step {step.title} was started by {step.by} and never ended"
        elif step.progress == "failed":
            yield f"step {step.title} failed: {step.seen}"
        elif step.progress != "open":
            yield from _unsigned(f"step {step.title}", step.sign_off)


def _gaps(given: Account) -> Iterator[str]:
    for gap in given.gaps:
        yield f"the cockpit was not watching for {formatting.duration(gap.until - gap.since)} from {formatting.clock(gap.since)}"
    for span in given.spans:
        if not span.word:
            yield f"no cockpit was open for {formatting.duration(span.lasted)} from {formatting.clock(span.since)}"


def _record(given: Account) -> Iterator[str]:
    if given.plan.problem:
        yield f"the plan is not known: {given.plan.problem}"
    if given.readings.problem:
        yield given.readings.problem
    for each in given.sessions:
        if not each.closed:
            yield f"the session of {each.writer} from {formatting.clock(each.began)} was not closed"
    if given.proof.broken:
        yield f"the record is BROKEN in {formatting.count(len(given.proof.broken), 'place')}: what it says cannot be relied on"
