"""What others may have stated and is not known here: lines of theirs that are missing, and a share that cannot be read.

Whoever can keep lines from arriving could else keep a no, or what was taken back, from arriving. So they can only hold: there is
no GO and no gate opens, and while lines are known to be missing nothing counts that they could have taken back or ended. A share
that merely cannot be read ends nothing that was given. Somebody who decides may go on without what is missing, by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import zip_longest

from cockpit import formatting
from cockpit.decide.events import Decision, Entry, LinesMissing, Record, SignOff, Vote, Waiver
from cockpit.decide.time_doubt import holds_back
from probes.frozen import frozen

GO_WITHOUT = "go_without"
"""Choice of the decision to go on without what is missing."""
MISSING = "missing lines"
"""Subject of the occurrence such a decision names: the note that lists it. No id of a plan has spaces."""


@frozen
class Withheld:
    """What is not known here of what others stated, without what somebody decided to go on without."""

    lines: tuple[str, ...] = ()
    """Lines of others that are known to be missing: a sentence for each of their cockpits."""
    names: tuple[str, ...] = ()
    """Those lines by name: objects of the share, lines that others had read."""
    unread: datetime | None = None
    """Since when the share is not read; None while it is, and where there is none."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """Why it holds; empty where all is known."""
        if self.unread is None:
            return self.lines
        since = formatting.clock(self.unread)
        return (
            *self.lines,
            f"the share is not read: what others stated or took back since {since} is not known here",
        )

    @property
    def what(self) -> str:
        """What is not here, by name, in a few words."""
        more = f" (+{len(self.names) - 1} more)" if len(self.names) > 1 else ""
        since = f"the share since {formatting.clock(self.unread)}" if self.unread else ""
        return ", ".join(filter(None, [f"{self.names[0]}{more}" if self.names else "", since]))

    @property
    def cause(self) -> str:
        """What to look at, in a few words."""
        return f"a rollback may be decided in {self.what}" if self.sentences else ""

    @property
    def ends(self) -> str:
        """What ends it."""
        back = (
            "the cockpit that wrote them, running again, puts the lines there again"
            if self.names
            else "reach the share, or name it with --share"
        )
        return f"{back}; or ask the others, then go on without {'them' if self.names else 'it'}, by name"


NOTHING = Withheld()


def is_holding(note: LinesMissing) -> bool:
    """Whether a note says that something is missing, or cannot be read."""
    return bool(note.of or note.unread)


def note_text(note: LinesMissing) -> str:
    """What a note says."""
    found = Withheld(note.of, (), note.unread).sentences
    return "; ".join(found) or "what the shared record announces of others is here"


def withheld(record: Record, counts: Callable[[Decision], bool]) -> Withheld:
    """What is withheld by the newest note of this cockpit. `counts`: whether a decision does."""
    note = record.lines_missing
    if note is None or not is_holding(note):
        return NOTHING
    accepted = _accepted(record, counts)
    names = frozenset(name for each in accepted for name in each.names)
    left = [
        (line, writer)
        for line, writer in zip_longest(note.of, note.writers, fillvalue="")
        if not (of := note.names_of(writer)) or not of <= names
    ]
    unread = None if note.unread in {each.unread for each in accepted} else note.unread
    writers = {writer for _, writer in left}
    named = tuple(name for writer in sorted(writers) for name in sorted(note.names_of(writer) - names))
    return Withheld(tuple(line for line, _ in left), named, unread)


def _accepted(record: Record, counts: Callable[[Decision], bool]) -> list[LinesMissing]:
    """The notes that somebody at this cockpit decided to go on without: what was noted later is not among it."""
    notes = record.all(LinesMissing)
    found = []
    for decision in record.all(Decision):
        if decision.choice != GO_WITHOUT or not decision.proof.own or not counts(decision):
            continue
        named = {each.since for each in decision.answers or () if each.subject == MISSING}
        before = [each for each in notes if record.places[id(each)] < record.places[id(decision)] and each.at in named]
        found += before[-1:]
    return found


def may_be_withdrawn(entry: Entry) -> bool:
    """Whether it lets something go on that a later line could end."""
    match entry:
        case SignOff() | Vote() | Waiver():
            return not holds_back(entry)
        case Decision():
            return entry.choice == "dismiss" and entry.until is not None
        case _:
            return False
