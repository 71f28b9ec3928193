"""A newcomer's first night in five stages: each is done when the record shows it. Pure; nothing here does anything by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cockpit.decide.events import FAULT, INJECTED, Decision, Happened, PhaseBegan, Record, SignOff, Vote
from cockpit.decide.next_action import worded
from cockpit.decide.situation import Situation
from cockpit.plan.model import Phase
from probes.frozen import frozen

STAGE_CELLS = 32
"""What a notice has room for at 80 columns, beside a reason of any length."""


@frozen
class Stage:
    """One thing to try: the key, what it is in a few words, why, and what in the record shows that it was done."""

    key: str
    what: str
    why: str
    done: Callable[[Record, str], bool]


def _signed(record: Record, who: str) -> bool:
    return any(each.by == who and not each.rehearsal for each in record.all(SignOff))


def _voted(record: Record, who: str) -> bool:
    return any(each.by == who and not each.rehearsal for each in record.all(Vote))


def _began(record: Record, _: str) -> bool:
    return any(each.phase is Phase.POST_DEPLOY for each in record.all(PhaseBegan))


def _broke(record: Record, _: str) -> bool:
    return any(each.subject == FAULT and each.text.startswith(INJECTED) for each in record.all(Happened))


def _decided(record: Record, _: str) -> bool:
    return bool(record.all(Decision))


STAGES: Sequence[Stage] = (
    Stage("n", "sign an open line", "write what you checked; the crew signs the rest", _signed),
    Stage("v", "vote go at the gate", "down chooses go, enter; the backup follows", _voted),
    Stage("F8", "at GO, begin", "once it is GO: type deploy; a release goes out", _began),
    Stage("f", "break something", "enter injects the first fault; a trigger breaches", _broke),
    Stage("5", "decide at ROLLBACK", "five minutes later: back, forward or dismiss", _decided),
)


def stage_now(record: Record, who: str) -> int:
    """How many stages are done, in order: the next one is at this place."""
    return next((n for n, stage in enumerate(STAGES) if not stage.done(record, who)), len(STAGES))


def crew_may_sign(record: Record, who: str) -> bool:
    """In a tour the crew signs once the newcomer has signed something."""
    return _signed(record, who)


def crew_may_vote(record: Record, who: str) -> bool:
    return _voted(record, who)


def tour_line(record: Record, who: str) -> str:
    """The stage to do now, in STAGE_CELLS.

    >>> tour_line(Record([]), "primary")
    'TOUR 1/5 n: sign an open line'
    """
    at = stage_now(record, who)
    if at == len(STAGES):
        return "TOUR done: q quits, see report"
    return f"TOUR {at + 1}/{len(STAGES)} {STAGES[at].key}: {STAGES[at].what}"


def opening_card(title: str, who: str) -> list[str]:
    """What a newcomer reads first: the story, the goal and five keys."""
    return [
        title,
        "",
        f"You are {who}, on call. Tonight a system moves to AWS: probes check most of the list, some lines need a person.",
        "",
        "GOAL  take a release live, see it break, and decide. The top lines always give the verdict and what to do NEXT.",
        "",
        *(f"{stage.key:>4}  {stage.what}: {stage.why}" for stage in STAGES),
        "",
        "esc closes this card; ? is help on every screen; q quits. Nothing outside this machine is touched.",
    ]


def closing_card(situation: Situation, commands: Sequence[str]) -> list[str]:
    """What is left once somebody decided, and how to read about the night."""
    left = worded(situation)
    return [
        f"THE TOUR IS DONE: {situation.verdict.label}",
        "",
        "LEFT",
        *(f"  {each}" for each in (left or ("nothing",))),
        "",
        *commands,
        "",
        "esc closes this card; q quits and prints these commands again.",
    ]
