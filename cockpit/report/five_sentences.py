"""A cutover in five sentences: what it was, how it ended, what it cost, who decided, and what is left open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from cockpit import formatting
from cockpit.decide.states import State, StepState, Word
from cockpit.report import labels
from cockpit.report.model import NO_RETURN, UNDONE, Account, CriterionAccount, Event, Sentence, StepAccount

MOST = 3
"""Of one kind named in a sentence; the others are counted."""


def summary(given: Account) -> tuple[Sentence, ...]:
    """The five sentences, in this order. Each is whole by itself and ends with a full stop."""
    return (
        Sentence("What", _what(given)),
        Sentence("Outcome", _outcome(given)),
        Sentence("Impact", _impact(given)),
        Sentence("Decisions", _decisions(given)),
        Sentence("Left open", _left_open(given)),
    )


def _what(given: Account) -> str:
    kind = "A rehearsal of" if given.rehearsal else "The cutover"
    where = f" ({given.plan.environment})" if given.plan.environment else ""
    if given.began is None or given.ended is None:
        return f"{kind} {labels.title(given)}{where}, of which nothing was recorded."
    same = given.began.date() == given.ended.date()
    until = formatting.time_of_day(given.ended) if same else f"{given.ended:%Y-%m-%d %H:%M}"
    watched = f"watched from {given.began:%Y-%m-%d %H:%M} to {until} UTC ({formatting.duration(given.lasted)})"
    by = f"by {formatting.count(len({each.writer for each in given.sessions}), 'cockpit')}"
    deployed = next((each for each in given.phases if each.phase == "post_deploy"), None)
    began = (
        f"; the deployment began at {formatting.clock(deployed.since)}"
        if deployed
        else "; the deployment was not begun"
    )
    return f"{kind} {labels.title(given)}{where}, {watched} {by}{began}."


def _outcome(given: Account) -> str:
    last = next((span for span in reversed(given.spans) if span.word), None)
    if last is None:
        return "No verdict was recorded."
    words = [span.word for span in given.spans if span.word]
    turns = sum(before != after for before, after in pairwise(words))
    before = f" after {formatting.count(turns, 'change')} of the verdict" if turns else ""
    because = f": {given.because}" if given.because else ""
    done = "; ".join(each for each in (_done("runbook", given.runbook), _done_back(given)) if each)
    return f"It ended in {last.word}, since {labels.stamp(last.since, given)} UTC{before}{because}{f'; {done}' if done else ''}."


def _done(name: str, steps: Sequence[StepAccount]) -> str:
    return f"{name} {labels.done(steps)}" if steps else ""


def _done_back(given: Account) -> str:
    """How much of the rollback plan was done, where going back was called for or begun."""
    begun = any(each.progress != StepState.OPEN for each in given.rollback_plan)
    called = any(span.word in (Word.ROLLBACK, Word.ROLLED_BACK) for span in given.spans)
    return _done("rollback plan", given.rollback_plan) if begun or called else ""


def _impact(given: Account) -> str:
    parts = [_tripped(each, given) for each in worst_first(given.criteria) if each.kind == "trigger" and trips(each)]
    alarms = [span for span in given.spans if any(span.word == word and word.calls_for_decision for word in Word)]
    if alarms:
        whole = sum((span.lasted for span in alarms[1:]), alarms[0].lasted)
        parts.append(f"{formatting.duration(whole)} in {' or '.join(dict.fromkeys(span.word for span in alarms))}")
    lost = _lost([event for event in given.happened if event.subject == NO_RETURN], given)
    unseen = sum((span.lasted for span in given.spans if not span.word), timedelta(0))
    unseen += sum((gap.until - gap.since for gap in given.gaps), timedelta(0))
    parts += [lost] if lost else []
    if not alarms and not any(trips(each) for each in given.criteria):
        parts.insert(0, "no trigger tripped")
    if unseen:
        parts.append(f"{formatting.duration(unseen)} in which no cockpit was watching")
    return _sentence(parts)


def _lost(noted: Sequence[Event], given: Account) -> str:
    """What a rollback loses as the record ends; once it loses nothing any more, from when until when it did."""
    if not noted:
        return ""
    last = noted[-1].text
    if not last.startswith(UNDONE):
        return last
    return f"past the point of no return from {labels.stamp(noted[0].at, given)}, {UNDONE} at {labels.stamp(noted[-1].at, given)}"


def _tripped(each: CriterionAccount, given: Account) -> str:
    times = trips(each)
    first = next(turn.at for turn in each.turns if turn.after == State.TRIPPED)
    often = f"{formatting.count(times, 'time')}, first" if times > 1 else ""
    worst = labels.worst(each)
    return " ".join(
        part
        for part in (each.title, "tripped", often, f"at {labels.stamp(first, given)}", f"({worst})" if worst else "")
        if part
    )


def trips(each: CriterionAccount) -> int:
    """How many times a trigger tripped."""
    return sum(turn.after == State.TRIPPED for turn in each.turns)


def worst_first(criteria: Iterable[CriterionAccount]) -> list[CriterionAccount]:
    """Triggers first, and of each kind the worst first: what tripped, then by its state at the end."""
    kinds = ("trigger", "success", "guard")
    return sorted(
        criteria,
        key=lambda each: (
            kinds.index(each.kind) if each.kind in kinds else len(kinds), not trips(each), labels.badness(each),
        ),
    )  # fmt: skip


def _decisions(given: Account) -> str:
    alike: dict[tuple[str, str, str], list[str]] = {}
    for each in given.decisions:
        against = f", against the advice {each.advised}" if _against(each.choice, each.advised) else ""
        decided = formatting.decided(each.choice, each.why)
        alike.setdefault((each.by, decided, against), []).append(labels.stamp(each.at, given))
    parts = [
        f"{by} decided to {decided} at {formatting.listed(times)}{against}"
        for (by, decided, against), times in alike.items()
    ]
    begun = [each for each in given.phases if each.by and each.phase == "post_deploy"]
    parts += [f"{each.by} began the deployment at {labels.stamp(each.since, given)}" for each in begun]
    for gate in given.gates:
        votes = {vote.by: vote.choice for vote in gate.votes}
        if votes:
            parts.append(f"{gate.title}: {', '.join(f'{by} {choice}' for by, choice in votes.items())}")
    waived = {each.by: None for each in given.waivers}
    if waived:
        parts.append(f"{formatting.count(len(given.waivers), 'waiver')} by {', '.join(waived)}")
    return _sentence(parts) if parts else "No decision, vote or waiver was recorded."


def _against(choice: str, advised: str) -> bool:
    """Whether a person decided otherwise than the cockpit advised."""
    wanted = {str(Word.ROLLBACK): "execute", str(Word.FIX_FORWARD): "fix_forward"}.get(advised)
    return wanted is not None and choice != wanted


def _left_open(given: Account) -> str:
    if not given.open and not given.next_actions:
        return "Nothing was left open."
    return _sentence(
        [
            *([f"next is {'; '.join(_first(given.next_actions))}"] if given.next_actions else []),
            *(
                [f"{formatting.count(len(given.open), 'question')} open: {'; '.join(_first(given.open))}"]
                if given.open
                else []
            ),
        ]
    )


def _first(listed: Sequence[str]) -> Iterator[str]:
    yield from listed[:MOST]
    if len(listed) > MOST:
        yield f"{len(listed) - MOST} more"


def _sentence(parts: Sequence[str]) -> str:
    """Parts as one sentence; of many the first ones, and how many more there are."""
    text = "; ".join([*parts[: 2 * MOST], *([f"{len(parts) - 2 * MOST} more"] if len(parts) > 2 * MOST else [])])
    return f"{text[:1].upper()}{text[1:]}."
