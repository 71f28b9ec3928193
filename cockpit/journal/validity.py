"""What the body of a line must be like to be taken in, whoever wrote it.

A line of the right form whose body is not as a cockpit writes it is set aside: it stays in its file, nothing rests on it, and
it is counted and shown. Bodies of a kind this program does not know say nothing to it and are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cockpit.journal.codec import from_body, moment
from cockpit.journal.entry import JournalEntry, Type, as_hash
from probes.redact import one_line

TOOK_IN = "took_in"
"""Kind of the note that other writers' lines were taken in."""
COUNTS = "counts"
"""Kind of the note from which on a person's entry, by the hash of its line, was decided by."""
WATCHING = "watching"
"""Kind of the note that a session began to watch."""
UNCHANGED = "stood"
"""Kind of the note that a decision changed nothing."""
SHARED_IN = "shared_in"
"""Kind of the note of an object by which a session knows its share again."""
LONGEST_REASON = 160
LONGEST_NAME = 200
"""Characters of an id, a digest or a name."""

_Reader = Callable[[Any], object]


def why_not(entry: JournalEntry) -> str:
    """Why the entry is not valid, as `vote.choice: int is not str`; empty where it is."""
    try:
        _check(entry)
    except ValueError as error:
        return one_line(str(error))[:LONGEST_REASON]
    return ""


def _check(entry: JournalEntry) -> None:
    """Raises ValueError."""
    if entry.type is Type.OPEN:
        _fields("open", entry.body, _OPEN)
    elif from_body(entry.body) is None:
        kind = entry.body.get("kind")
        if isinstance(kind, str) and kind in _NOTES:
            _fields(kind, entry.body, _NOTES[kind])
    if entry.type in _OF_TYPE:
        _fields(str(entry.type), entry.body, _OF_TYPE[entry.type])


def _fields(what: str, body: Mapping[str, Any], readers: Mapping[str, _Reader]) -> None:
    """Every field that is there can be read, and those that must be there are (`!`). Raises ValueError."""
    for name, read in readers.items():
        field = name.removesuffix("!")
        if field in body:
            try:
                read(body[field])
            except (TypeError, ValueError) as error:
                raise ValueError(f"{what}.{field}: {error}") from None
        elif field != name:
            raise ValueError(f"{what} lacks {field}")


def _is(kind: type) -> _Reader:
    def read(value: Any) -> object:
        if type(value) is not kind:
            raise TypeError(f"{type(value).__name__} is not {kind.__name__}")
        return value

    return read


def _name(value: Any) -> object:
    if len(str(_is(str)(value))) > LONGEST_NAME:
        raise ValueError(f"has more than {LONGEST_NAME} characters")
    return value


def _each(read: _Reader) -> _Reader:
    def of_list(value: Any) -> object:
        _is(list)(value)
        return [read(each) for each in value]

    return of_list


def _whole(readers: Mapping[str, _Reader]) -> _Reader:
    def of_mapping(value: Any) -> object:
        _fields("it", _mapping(value), readers)
        return value

    return of_mapping


def _mapping(value: Any) -> Mapping[str, Any]:
    _is(dict)(value)
    found: Mapping[str, Any] = value
    return found


def _by_name(read: _Reader) -> _Reader:
    def of_mapping(value: Any) -> object:
        return {name: read(each) for name, each in _mapping(value).items()}

    return of_mapping


_OPEN: Mapping[str, _Reader] = {
    "record": _name,
    "writer": _name,
    "plan": _name,
    "plan_digest": _name,
    "started_at": moment,
    "vars": _by_name(_is(str)),
    "rehearsal": _is(bool),
    "shared": _is(bool),
    "own": _each(_name),
    "session": _by_name(_name),
    "mark": _name,
    "claimed_because": _is(str),
    "machine": _by_name(_name),
}
_TORN: Mapping[str, _Reader] = {"line!": _is(int), "bytes": _is(int), "sha256!": as_hash}
_OF_TYPE: Mapping[Type, Mapping[str, _Reader]] = {
    Type.PLAN_CHANGED: {"plan": _name, "plan_digest": _name, "vars": _by_name(_is(str))},
    Type.RECOVERED: {"torn": _each(_whole(_TORN))},
}
_NOTES: Mapping[str, Mapping[str, _Reader]] = {
    TOOK_IN: {"heads!": _by_name(as_hash), "late": _each(as_hash), "at": moment},
    COUNTS: {"line!": as_hash},
    WATCHING: {"since!": moment, "readings": _is(int)},
    UNCHANGED: {"at!": moment},
    SHARED_IN: {"object!": _name},
    "clock_went_back": {"from!": moment, "to!": moment},
}
