"""YAML text to plain values with positions. Strict: what YAML would quietly guess is refused with a reason.

A YAML loader keeps the last of two equal keys, and YAML 1.1 reads 22:30:00 as 81000, `no` as False and 0123 as 83. Here keys
are unique, plain scalars follow YAML 1.2 (true, false, decimal numbers; the rest is text), and merges, aliases and tags do
not exist. The tree is built from events, so that a bomb is refused at the event that would light it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from cockpit.plan.position import Position
from cockpit.plan.source.condition_text import ConditionText
from cockpit.plan.source.inclusion import Inclusion
from cockpit.plan.source.problems import PlanError, Problem, dotted
from cockpit.plan.source.source_file import Source
from cockpit.plan.source.source_map import locate
from probes.frozen import frozen
from probes.redact import one_line

MAX_DEPTH = 40
MAX_NODES = 20_000
LONGEST_NAMED = 60
"""Characters of a value that a message repeats."""
MAX_SCALAR = 20_000
MAX_KEY = 100
MAX_PROBLEMS = 200
"""More than anybody reads; the rest is found once these are fixed."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?")
_OLD_BOOLEANS = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false"})
_SEXAGESIMAL = re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?")
_ODD_NUMBER = re.compile(
    r"[-+]?(0[0-9]+(\.[0-9]*)?|0x[0-9a-f]+|0o[0-7]+|0b[01]+|[0-9][0-9_]*_[0-9_.]*|\.[0-9]+|[0-9]+\.|\.?inf|\.?nan|infinity)",
    re.IGNORECASE,
)

Path_ = tuple[str | int, ...]


class TooMany(Exception):  # noqa: N818 - not an error of ours: the reader has enough to do
    """Raised when MAX_PROBLEMS are found: there is no use in looking further."""


@frozen
class Place:
    """Where a value stands: its first character, how many to mark, and the characters it is written in."""

    position: Position
    length: int
    start: int = 0
    end: int = 0
    style: str = ""


@dataclass(slots=True)
class Tree:
    """A document: plain values, and the place of every value and key by path."""

    source: Source
    value: Any = None
    places: dict[Path_, Place] = field(default_factory=dict)
    keys: dict[Path_, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    """Files besides its own that values of it stand in, by name."""
    inclusions: dict[Path_, Inclusion] = field(default_factory=dict)
    """Entries that a part brought."""
    conditions: dict[Path_, ConditionText] = field(default_factory=dict)
    """Conditions as they are compiled."""
    refused: set[Path_] = field(default_factory=set)
    """Values that were refused as text, before anybody asked what they should be: nothing else is said of those."""

    @property
    def file(self) -> str:
        return self.source.file

    def place(self, path: Path_) -> Place:
        """The place of a value, or of the nearest thing around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path) or Place(Position(self.file, 1, 1), 1)

    def value_at(self, path: Path_) -> Any:
        """The value as written, before any reference in it was replaced; None where there is none."""
        value = self.value
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def source_at(self, place: Place) -> Source:
        """The file a place is in."""
        return self.sources.get(place.position.file, self.source)

    def inclusion(self, path: Path_) -> Inclusion | None:
        """What brought the entry that a path leads into; None for the plan's own."""
        return self.inclusions.get(path[:2])

    def within(self, path: Path_, text: str, offset: int, length: int) -> Place:
        """The place of a piece of a scalar's text, however the scalar is written (plain, quoted, block)."""
        place = self.place(path)
        source = self.source_at(place)
        at, count = locate(source.text[place.start : place.end], place.style, text, offset, length)
        return Place(source.position(place.start + at), count)

    def within_condition(self, path: Path_, offset: int, length: int) -> Place:
        """The place of a piece of a condition that was compiled."""
        held = self.conditions[path]
        lead = len(held.text) - len(held.text.lstrip())
        return self.within(path, held.written, *held.origin(offset + lead, length))

    def report(self, path: Path_, message: str, *, on_key: bool = False, at: Place | None = None) -> None:
        """Note a problem: at the value, at its key, or at a place of its own. Raises TooMany."""
        if path in self.refused:
            return
        place = at or (self.keys.get(path) if on_key else None) or self.place(path)
        if (inclusion := self.inclusion(path)) is not None:
            message += f" (part '{inclusion.name}', included in {inclusion.at})"
        line = self.source_at(place).line(place.position.line)
        problem = Problem(place.position, dotted(path), message, line, place.length)
        if problem not in self.problems:
            self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise TooMany


def parse(tree: Tree) -> None:
    """Read `tree.source` into the tree's values and places; what is wrong with them is in `tree.problems`.

    Raises PlanError if it is no YAML, or no plan could be that big, and TooMany.
    """
    source = tree.source
    loader = _LOADER(source.text)
    try:
        _Builder(tree, _events(loader)).document()
    except yaml.MarkedYAMLError as error:
        if odd := _ODD_INDENTATION.search(source.text, 0, _index(error, source)):
            raise PlanError([source.problem(odd.start(1), _ODD_SPACE.format(ord(odd[1])))]) from None
        raise PlanError([*tree.problems, _syntax(error, source)]) from None
    except yaml.YAMLError as error:
        raise PlanError([*tree.problems, source.problem(0, f"is not YAML: {str(error).splitlines()[0]}")]) from None
    finally:
        loader.dispose()


def _events(loader: Any) -> Iterator[yaml.Event]:
    while loader.check_event():
        yield loader.get_event()


def plain_value(text: str) -> bool | int | float | str:
    """An unquoted scalar by the rules of YAML 1.2, without its rarer numbers.

    >>> [plain_value(t) for t in ("true", "2", "0.05", "no", "22:30:00", "0123")]
    [True, 2, 0.05, 'no', '22:30:00', '0123']
    """
    if text in ("true", "false"):
        return text == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


class _Builder:
    """Builds values from events, depth first. Nesting is bounded, so recursion is too."""

    def __init__(self, tree: Tree, events: Iterator[yaml.Event]) -> None:
        self.tree = tree
        self.events = events
        self.count = 0

    def document(self) -> None:
        roots = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                roots += 1
                if roots > 1:
                    raise self._fatal(event, "a second document begins here: a plan is one document")
                self.tree.value = self._node(next(self.events), ())
        if not roots or self.tree.value is None:
            raise PlanError(
                [
                    *self.tree.problems,
                    self.tree.source.problem(
                        0, "holds no values: `cockpit example minimal` prints a plan to start from"
                    ),
                ]
            )

    def _node(self, event: Any, path: Path_) -> Any:
        self.count += 1
        if self.count > MAX_NODES:
            raise self._fatal(event, f"has more than {MAX_NODES:,} values: that is not a plan")
        if len(path) > MAX_DEPTH:
            raise self._fatal(event, f"is nested deeper than {MAX_DEPTH} levels")
        place = self.tree.places[path] = self._place(event)
        if isinstance(event, yaml.AliasEvent):
            self._report(place, path, "aliases are refused: write it out, or use vars: and ${name}")
            return None
        if event.anchor is not None:
            self._report(place, path, "anchors are refused: write the value where it is used, or use vars: and ${name}")
        if event.tag is not None:
            denial = isinstance(event, yaml.ScalarEvent) and re.fullmatch(r"!\w[\w.]*", event.tag)
            instead = f'put it in quotes, "{event.tag}"' if denial else "plain values only"
            self._report(place, path, f"the tag {event.tag} is refused: {instead}")
            if denial:
                return None
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event, place, path)

    def _sequence(self, path: Path_) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self._node(event, (*path, len(values))))
        return values

    def _mapping(self, path: Path_) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event, path, values)
            if key is None:
                self._node(next(self.events), (*path, "?"))
            else:
                values[key] = self._node(next(self.events), (*path, key))
        return values

    def _key(self, event: Any, path: Path_, values: dict[str, Any]) -> str | None:
        """The key, or None (reported) where it is none: its value is then read and left out."""
        place = self._place(event)
        if not isinstance(event, yaml.ScalarEvent):
            if self.tree.source.text[max(0, place.start - 1) : place.start + 1] == "{{":
                raise self._fatal(event, '{{ }} is of another tool: write "${name}", and give name a value under vars')
            if not isinstance(event, yaml.AliasEvent):
                self._node(event, (*path, "?"))
            if isinstance(event, yaml.MappingStartEvent):
                raise self._fatal(event, "this { has no name before it: write name: {...}")
            self._report(place, path, "a key must be a word")
            return None
        key = event.value
        if key == "<<" and not event.style:
            self._report(place, path, "merges (<<) are refused: write it out, or use vars: and ${name}")
        elif event.anchor is not None or event.tag is not None:
            self._report(place, path, "a key takes no anchor and no tag")
        elif not key or len(key) > MAX_KEY:
            self._report(place, path, f"a key must be a word of 1 to {MAX_KEY} characters")
        elif key in values:
            first = self.tree.keys[*path, key].position.line
            self._report(place, (*path, key), f"'{key}' is already given in line {first}")
        else:
            self.tree.keys[*path, key] = place
            return str(key)
        return None

    def _scalar(self, event: Any, place: Place, path: Path_) -> Any:
        text = str(event.value)
        if len(text) > MAX_SCALAR:
            self._report(place, path, f"is longer than {MAX_SCALAR:,} characters")
            return ""
        return text if place.style else self._plain(text, place, path)

    def _plain(self, text: str, place: Place, path: Path_) -> Any:
        named = one_line(text, LONGEST_NAMED)
        if text.lower() in ("", "~", "null"):
            self._refuse(place, path, "has no value: give it one, or leave the key out")
            return None
        if text.lower() in _OLD_BOOLEANS and text not in ("true", "false"):
            self._refuse(
                place,
                path,
                f"'{named}' is a boolean to some YAML readers and text to others: write true or false, or put it in quotes",
            )
        elif _SEXAGESIMAL.fullmatch(text):
            self._refuse(
                place,
                path,
                f"'{named}' is a different number to different YAML readers: "
                f'write a duration as 90s, 5m or 1h30m, a time of day in quotes, "{named}"',
            )
        elif _ODD_NUMBER.fullmatch(text):
            self._refuse(
                place,
                path,
                f"'{named}' is a different number to different YAML readers: put it in quotes, or write it plainly",
            )
        elif _FLOAT.fullmatch(text) and not math.isfinite(float(text)):
            self._refuse(place, path, f"'{named}' is too large a number")
        return plain_value(text)

    def _report(self, place: Place, path: Path_, message: str) -> None:
        self.tree.report(path, message, at=place)

    def _refuse(self, place: Place, path: Path_, message: str) -> None:
        """A value that is refused whatever it should be: the one message there is of it."""
        self._report(place, path, message)
        self.tree.refused.add(path)

    def _place(self, event: Any) -> Place:
        start, end = event.start_mark, event.end_mark
        line = self.tree.source.line(start.line + 1)
        length = end.column - start.column if end.line == start.line else len(line) - start.column
        if isinstance(event, yaml.CollectionStartEvent):
            length = max(1, len(line.rstrip()) - start.column)
        style = getattr(event, "style", None) or ""
        return Place(
            Position(self.tree.file, start.line + 1, start.column + 1), max(1, length), start.index, end.index, style
        )

    def _fatal(self, event: Any, message: str) -> PlanError:
        return PlanError([*self.tree.problems, self.tree.source.problem(event.start_mark.index, message)])


_PLAINLY = {
    "mapping values are not allowed": "a ': ' inside plain text: put the text in quotes (or the indentation is off)",
    "violates indentation": "a tab in the indentation: YAML takes spaces only",
    "could not find expected ':'": "a line without 'key: value'; is the indentation right?",
    "unexpected end of stream": "the file ends inside quotes that begin here",
    "did not find expected '-' indicator": "the indentation is off: the keys of one entry of a list stand below each other",
    "did not find expected key": "the indentation is off: the keys of one mapping stand below each other",
    "did not find expected comment or line break": "> and | begin a text of several lines: put the value in quotes",
    "undefined tag handle": "tags (!...) are refused: plain values only",
    "did not find expected <document start>": "a second document begins here, or the indentation is off: a plan is one document",
}


_FLOW, _COMMA = "while parsing a flow", "did not find expected ','"
_ODD_INDENTATION = re.compile(r"^ *([\u00a0\u2000-\u200b\u202f\u3000])", re.MULTILINE)
_ODD_SPACE = "is not YAML here: a space that only looks like one (U+{:04X}) in the indentation: write plain spaces"


def _index(error: yaml.MarkedYAMLError, source: Source) -> int:
    mark = error.problem_mark or error.context_mark
    return source.text.find("\n", mark.index) if mark and "\n" in source.text[mark.index :] else len(source.text)


def _unclosed(opening: yaml.Mark, found: yaml.Mark, source: Source) -> tuple[yaml.Mark, str]:
    """Where a bracket is not closed, or a comma is missing, and what to do: on a later line all is as it should be."""
    bracket = source.text[opening.index]
    closing = {"{": "}", "[": "]"}[bracket]
    if opening.line == found.line:
        return found, f"a comma or the closing {closing} is missing before this"
    return opening, f"this {bracket} is not closed: its {closing} is missing, or a comma before line {found.line + 1}"


def _syntax(error: yaml.MarkedYAMLError, source: Source) -> Problem:
    """A scanner's complaint, at the place it means and in words that say what to do."""
    what = error.problem or "cannot be read"
    mark = error.problem_mark or error.context_mark
    if "end of stream" in what or "simple key" in str(error.context):
        mark = error.context_mark or mark
    missing = ""
    if mark is not None and error.context_mark is not None and _FLOW in str(error.context) and _COMMA in what:
        mark, missing = _unclosed(error.context_mark, mark, source)
    index = min(mark.index, len(source.text)) if mark else 0
    plainly = missing or next((words for part, words in _PLAINLY.items() if part in what), "")
    if source.text[max(0, index - 1) : index + 1] == "${":
        plainly = "put ${...} in quotes inside { } and [ ]"
    if "cannot start any token" in what:
        found = source.text[index : index + 1]
        plainly = (
            _PLAINLY["violates indentation"] if found == "\t" else f"text cannot begin with '{found}': put it in quotes"
        )
    detail = plainly or f"{what} ({error.context})" if plainly or error.context else what
    return source.problem(index, f"is not YAML here: {detail}")
