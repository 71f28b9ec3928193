"""The states of everything shown, each defined with all that follows from it: one row a state, and no second table anywhere.

A word is defined together with its meaning, so that one without a symbol, a tone, a rank or a sentence cannot be imported.
Journals keep the words as text: never rename one, and read old text through `meaning_of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum
from typing import Self

from cockpit import exit_codes
from cockpit.plan.model import Kind
from probes.frozen import frozen


class Tone(StrEnum):
    """How a word is coloured. The word and its symbol always stand beside the colour."""

    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"
    UNKNOWN = "unknown"
    QUIET = "quiet"


class Badness(IntEnum):
    """How bad a word is, the worst first: of several cockpits that look at once, the worst word counts."""

    ALARM = 0
    FAILING = 1
    UNSEEN = 2
    SUSPECT = 3
    WAITING = 4
    FINE = 5


@frozen
class Meaning:
    """What follows from a word."""

    symbol: str
    """One cell wide."""
    tone: Tone
    badness: Badness
    help: str
    """One sentence for the help screen."""
    done: bool = False
    """Whether it does not stand in the way of GO."""
    failing: bool = False
    """Whether a report counts it as failed. A word that is neither done nor failing was not judged: an error."""
    label: str = ""
    """What people read in the place of the recorded text; empty where that says it."""

    @property
    def stands_out(self) -> bool:
        """Whether a list that shows only what is wrong shows it."""
        return self.badness < Badness.WAITING


class Shown(StrEnum):
    """A word that is shown, defined as `NAME = "TEXT", Meaning(...)`.

    >>> State.PENDING.label, Check.PENDING.label, str(State.PENDING)
    ('BREACHING', 'TO SIGN', 'PENDING')
    """

    meaning: Meaning
    label: str
    """What people read; the text itself is what journals and JSON keep."""

    def __new__(cls, text: str, meaning: Meaning | None = None) -> Self:
        """Called for each member as it is defined; a look-up by text (`Check("PASS")`) never comes here."""
        return cls._defined(text, meaning)

    @classmethod
    def _defined(cls, text: str, meaning: Meaning | None) -> Self:
        if meaning is None:
            raise TypeError(f"{cls.__name__} {text!r} is defined without its meaning")
        member = str.__new__(cls, text)
        member._value_ = text
        member.meaning = meaning
        member.label = meaning.label or text
        return member


class Word(Shown):
    """The verdict."""

    exit_code: int
    """As in `cockpit.exit_codes`."""

    def __new__(cls, text: str, meaning: Meaning | None = None, exit_code: int | None = None) -> Self:
        member = cls._defined(text, meaning)
        if exit_code is None:
            raise TypeError(f"{text!r} is defined without its exit code")
        member.exit_code = exit_code
        return member

    GO = (
        "GO",
        Meaning("✓", Tone.GOOD, Badness.FINE, "everything holds, and has held for the dwell time", done=True),
        exit_codes.GO,
    )
    HOLD = (
        "HOLD",
        Meaning("■", Tone.WAITING, Badness.WAITING, "something is missing, suspected or cannot be seen"),
        exit_codes.HOLD,
    )
    ROLLBACK = (
        "ROLLBACK",
        Meaning(
            "✗", Tone.BAD, Badness.ALARM, "a trigger has tripped; it stays until a named person decides", failing=True
        ),
        exit_codes.ROLLBACK,
    )
    FIX_FORWARD = (
        "FIX FORWARD",
        Meaning(
            "✗", Tone.BAD, Badness.ALARM, "a trigger has tripped, and a rollback would lose something", failing=True
        ),
        exit_codes.ROLLBACK,
    )
    ROLLED_BACK = (
        "ROLLED BACK",
        Meaning(
            "«", Tone.WAITING, Badness.WAITING, "a rollback has ended: the release before runs and is healthy",
            failing=True,
        ),
        exit_codes.HOLD,
    )  # fmt: skip

    @property
    def calls_for_decision(self) -> bool:
        """Whether a named person has to decide."""
        return self.meaning.badness is Badness.ALARM


@frozen
class Judging:
    """What the verdict makes of a criterion's state."""

    kinds: frozenset[Kind]
    """The kinds of criteria that can be in it."""
    urgency: int
    """Orders the reasons of the verdict: lower is more urgent."""
    wanted: str
    """What must happen before GO: "must clear"."""
    running: bool = False
    """Whether a window is running: it is left when enough further samples agree."""
    suspected: bool = False
    """For a trigger: whether it is, or has just been, seen to be true."""
    tripped: bool = False
    """For a trigger: whether it has tripped and is not clear again; missing data never ends it."""


_SUCCESS, _TRIGGER = frozenset({Kind.SUCCESS}), frozenset({Kind.TRIGGER})


class State(Shown):
    """The state of a criterion."""

    judging: Judging

    def __new__(cls, text: str, meaning: Meaning | None = None, judging: Judging | None = None) -> Self:
        member = cls._defined(text, meaning)
        if judging is None:
            raise TypeError(f"{text!r} is defined without what the verdict makes of it")
        member.judging = judging
        return member

    NOT_MET = (
        "NOT MET",
        Meaning("✗", Tone.BAD, Badness.FAILING, "does not hold", failing=True),
        Judging(_SUCCESS, urgency=4, wanted="must hold"),
    )
    PROVING = (
        "PROVING",
        Meaning(
            "…", Tone.WAITING, Badness.WAITING, "holds, but not yet for long enough", failing=True, label="HOLDING"
        ),
        Judging(_SUCCESS, urgency=8, wanted="must keep holding", running=True),
    )
    MET = (
        "MET",
        Meaning("✓", Tone.GOOD, Badness.FINE, "holds, and has held for long enough", done=True),
        Judging(_SUCCESS, urgency=9, wanted="must hold"),
    )
    CLEAR = (
        "CLEAR",
        Meaning("✓", Tone.GOOD, Badness.FINE, "a trigger that is not true", done=True),
        Judging(_TRIGGER, urgency=9, wanted="must hold"),
    )
    PENDING = (
        "PENDING",
        Meaning(
            "!",
            Tone.WAITING,
            Badness.SUSPECT,
            "a trigger is true, but not yet for long enough",
            failing=True,
            label="BREACHING",
        ),
        Judging(_TRIGGER, urgency=1, wanted="must clear", running=True, suspected=True),
    )
    TRIPPED = (
        "TRIPPED",
        Meaning("✗", Tone.BAD, Badness.ALARM, "a trigger has been true for long enough", failing=True),
        Judging(_TRIGGER, urgency=0, wanted="must clear", suspected=True, tripped=True),
    )
    RECOVERING = (
        "RECOVERING",
        Meaning(
            "…", Tone.WAITING, Badness.WAITING, "a tripped trigger is clear, but not yet for long enough", failing=True
        ),
        Judging(_TRIGGER, urgency=2, wanted="must stay clear", running=True, suspected=True, tripped=True),
    )
    UNKNOWN = (
        "UNKNOWN",
        Meaning("?", Tone.UNKNOWN, Badness.UNSEEN, "cannot be seen: never counts as healthy"),
        Judging(_SUCCESS | _TRIGGER, urgency=7, wanted="must be seen"),
    )


class Check(Shown):
    """The state of a checklist item. Only PASS and WAIVED are done."""

    PASS = "PASS", Meaning("✓", Tone.GOOD, Badness.FINE, "what was asked is seen, signed where it must be", done=True)
    FAIL = "FAIL", Meaning("✗", Tone.BAD, Badness.ALARM, "a probe sees that it does not hold", failing=True)
    UNKNOWN = "UNKNOWN", Meaning("?", Tone.UNKNOWN, Badness.UNSEEN, "cannot be seen: never counts as healthy")
    PENDING = "PENDING", Meaning("!", Tone.WAITING, Badness.SUSPECT, "waits for a sign-off", label="TO SIGN")
    STALE = "STALE", Meaning("?", Tone.WAITING, Badness.SUSPECT, "the sign-off no longer counts; the line shows why")
    WAIVED = "WAIVED", Meaning("~", Tone.GOOD, Badness.FINE, "suspended by a named person until a time", done=True)


class GateState(Shown):
    """The state of a gate."""

    PASSED = "passed", Meaning("✓", Tone.GOOD, Badness.FINE, "a gate with enough go votes", done=True)
    OPEN = "open", Meaning("○", Tone.WAITING, Badness.WAITING, "a gate that still wants votes")


class StepState(Shown):
    """How far a step of the runbook or the rollback plan is."""

    OPEN = "open", Meaning("·", Tone.QUIET, Badness.WAITING, "a step that has not been started")
    STARTED = "started", Meaning("▸", Tone.WAITING, Badness.WAITING, "a step that is under way")
    DONE = "done", Meaning("✓", Tone.GOOD, Badness.FINE, "a step that was done", done=True)
    FAILED = "failed", Meaning("✗", Tone.BAD, Badness.FAILING, "a step that did not work", failing=True)
    SKIPPED = "skipped", Meaning("~", Tone.QUIET, Badness.FINE, "a step that was left out", done=True)


class RollbackFit(Shown):
    """Whether a rollback still fits into the change window. It is advice: no verdict rests on it."""

    NOT_DEPLOYED = (
        "not deployed",
        Meaning("·", Tone.QUIET, Badness.WAITING, "the deployment has not begun: there is nothing to roll back"),
    )
    FITS = "fits", Meaning("·", Tone.QUIET, Badness.WAITING, "a rollback begun now ends within the change window")
    SOON = "30m left", Meaning("!", Tone.WAITING, Badness.SUSPECT, "30 minutes are left to begin a rollback that fits")
    LAST = "10m left", Meaning("!", Tone.WAITING, Badness.SUSPECT, "10 minutes are left to begin a rollback that fits")
    TOO_LATE = (
        "too late",
        Meaning("✗", Tone.BAD, Badness.FAILING, "a rollback begun now ends after the change window", failing=True),
    )
    UNDER_WAY = "rolling back", Meaning("▸", Tone.WAITING, Badness.WAITING, "the rollback has begun")
    FIX_FORWARD = (
        "forward only",
        Meaning(
            "✗", Tone.BAD, Badness.FAILING, "past the point of no return: only fixing forward is left", failing=True
        ),
    )
    UNTIMED = (
        "untimed",
        Meaning(
            "?", Tone.UNKNOWN, Badness.UNSEEN, "no step of the rollback plan has a duration: nobody knows when it ends"
        ),
    )


class Visibility(Shown):
    """How much of what it reads one probe sees now."""

    SEES = "SEES", Meaning("✓", Tone.GOOD, Badness.FINE, "every field is known, or plainly absent", done=True)
    PARTLY = "PARTLY", Meaning("…", Tone.WAITING, Badness.SUSPECT, "some fields cannot be read", failing=True)
    STALE = "STALE", Meaning("?", Tone.WAITING, Badness.SUSPECT, "its newest data is too old to count", failing=True)
    BLIND = "BLIND", Meaning("?", Tone.UNKNOWN, Badness.UNSEEN, "nothing can be read", failing=True)
    WAITING = "WAITING", Meaning("·", Tone.QUIET, Badness.WAITING, "waits for its first reading")


def by_text(words: Iterable[Shown]) -> Mapping[str, Meaning]:
    """Meanings of words by the text a journal keeps. TypeError where two of one text look different: only the text is kept."""
    found: dict[str, Meaning] = {}
    for member in words:
        held = found.setdefault(str(member), member.meaning)
        if (held.symbol, held.tone, held.badness) != (
            member.meaning.symbol,
            member.meaning.tone,
            member.meaning.badness,
        ):
            raise TypeError(f"{member!r} looks other than another word of the same text")
    return found


_BY_TEXT = by_text((*Word, *State, *Check, *GateState, *RollbackFit))


def meaning_of(text: str) -> Meaning:
    """What a word of a record means; one this program does not know counts as UNKNOWN.

    >>> meaning_of("TRIPPED").symbol, meaning_of("a word of tomorrow").symbol
    ('✗', '?')
    """
    return known_meaning(text) or State.UNKNOWN.meaning


def known_meaning(text: str) -> Meaning | None:
    """What a word means, or None where the text is no word of a criterion, item, gate or verdict."""
    return _BY_TEXT.get(text)
