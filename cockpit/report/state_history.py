"""The history of a state. Where several cockpits watched at once, the worst of their states counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cockpit.decide.events import Change
from cockpit.decide.states import Word, meaning_of
from cockpit.journal.entry import Line, Type
from cockpit.report.model import Session, Span, StateChange

_BEGIN, _CHANGE, _END = range(3)
Seen = tuple[str, Change]
"""(writer, change)"""


def sessions(lines: Iterable[tuple[str, Line]]) -> list[Session]:
    """Every session of every chain, by the time it began."""
    found: list[Session] = []
    runs: dict[str, list[Line]] = {}
    for writer, line in lines:
        if line.entry.type is Type.OPEN and writer in runs:
            found.append(_session(writer, runs.pop(writer)))
        runs.setdefault(writer, []).append(line)
    found += [_session(writer, run) for writer, run in runs.items()]
    return sorted(found, key=lambda each: (each.began, each.writer))


def _session(writer: str, run: Sequence[Line]) -> Session:
    first, last = run[0].entry, run[-1].entry
    return Session(writer, first.actor.id, first.ts, max(last.ts, first.ts), last.type is Type.CLOSE)


@dataclass(slots=True)
class _WorstState:
    """The states shown by the cockpits that are watching, and the changes of the worst of them."""

    word: str
    turns: list[StateChange] = field(default_factory=list)
    watching: set[str] = field(default_factory=set)
    words: dict[str, tuple[str, str]] = field(default_factory=dict)

    def turn(self, at: datetime) -> None:
        if not self.words:
            return
        word, because = min(self.words.values(), key=lambda held: meaning_of(held[0]).badness)
        if word != self.word:
            self.turns.append(StateChange(at, self.word, word, because))
            self.word = word


def changes_of(seen: Sequence[Seen], watched: Sequence[Session]) -> list[StateChange]:
    """The changes of one subject. A session's state ends with it, unless it is the only one.

    The `before` of a session's first change held since that session began.
    """
    if not seen:
        return []
    made = _WorstState(min(seen, key=lambda each: each[1].at)[1].before)
    for at, kind, writer, change in _moments(seen, watched):
        if kind == _END:
            made.watching.discard(writer)
            if len(made.words) > 1:
                made.words.pop(writer, None)
        elif kind == _BEGIN:
            if change is not None and not made.watching:
                made.words = {writer: (change.before, "")}
            made.watching.add(writer)
        elif change is not None:
            made.words = {name: held for name, held in made.words.items() if name in made.watching}
            made.words[writer] = change.after, change.because
        made.turn(at)
    return made.turns


def _moments(seen: Sequence[Seen], watched: Sequence[Session]) -> list[tuple[datetime, int, str, Change | None]]:
    moments: list[tuple[datetime, int, str, Change | None]] = [(c.at, _CHANGE, writer, c) for writer, c in seen]
    for each in watched:
        own = (c for writer, c in seen if writer == each.writer and each.began <= c.at <= each.ended)
        moments.append((each.began, _BEGIN, each.writer, next(own, None)))
        moments.append((each.ended, _END, each.writer, None))
    return sorted(moments, key=lambda moment: moment[:2])


def spans(turns: Sequence[StateChange], watched: Sequence[Session]) -> tuple[Span, ...]:
    """The verdict from the first session to the last, with an empty word wherever no session was open."""
    if not watched:
        return ()
    began, ended = watched[0].began, max(each.ended for each in watched)
    word = turns[0].before if turns else str(Word.HOLD)
    edges = [(began, word, "")] + [(max(turn.at, began), turn.after, turn.because) for turn in turns]
    found: list[Span] = []
    for n, (since, word, because) in enumerate(edges):
        until = edges[n + 1][0] if n + 1 < len(edges) else max(ended, since)
        found += _with_holes(Span(word, since, until, because), watched)
    return tuple(found)


def _with_holes(span: Span, watched: Sequence[Session]) -> Iterator[Span]:
    since = span.since
    for hole_since, hole_until in _holes(watched):
        if hole_until <= since or hole_since >= span.until:
            continue
        if hole_since > since:
            yield Span(span.word, since, hole_since, span.because)
        since = min(hole_until, span.until)
        yield Span("", max(hole_since, span.since), since)
    if since < span.until or since == span.since:
        yield Span(span.word, since, span.until, span.because)


def _holes(watched: Sequence[Session]) -> Iterator[tuple[datetime, datetime]]:
    until = watched[0].ended
    for each in watched[1:]:
        if each.began > until:
            yield until, each.began
        until = max(until, each.ended)
