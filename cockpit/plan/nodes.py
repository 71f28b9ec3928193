"""YAML text to plain values with positions. Strict: what YAML would quietly guess is refused with a reason.

PyYAML keeps the last of two equal keys, reads 22:30:00 as 81000, `no` as False and 0123 as 83. Here keys are unique, plain
scalars follow YAML 1.2 (true, false, null, decimal numbers; the rest is text), and merges, aliases and tags do not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cockpit.plan.model import Position
from cockpit.plan.problems import PlanError, Problem, dotted

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_NODES = 50_000

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")
_OLD_WORDS = {"yes", "no", "on", "off", "y", "n"}
_SEXAGESIMAL = re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?")
_ODD_NUMBER = re.compile(
    r"[-+]?(0[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+|[0-9][0-9_]*_[0-9_]*|\.inf|\.nan)", re.IGNORECASE
)

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: its first character, how many to mark, and the line it ends in."""

    position: Position
    length: int
    end_line: int = 0


@dataclass(slots=True)
class Tree:
    """A document: plain values, and the place of every value and key by path."""

    file: str
    lines: list[str]
    value: Any = None
    places: dict[Path_, Place] = field(default_factory=dict)
    keys: dict[Path_, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path_) -> Place:
        """The place of a value, or of the nearest thing around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path) or Place(Position(self.file, 1, 1), 1)

    def line(self, number: int) -> str:
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def within(self, path: Path_, text: str, offset: int, length: int) -> Place:
        """The place of a piece of a scalar's text, however the scalar is written (plain, quoted, block)."""
        place = self.place(path)
        piece = text[offset : offset + length].split("\n", maxsplit=1)[0].strip()
        if not piece:
            return place
        before = text[:offset].count(piece)
        start = place.position.column - 1
        for number in range(place.position.line, max(place.end_line, place.position.line) + 1):
            line = self.line(number)
            at = line.find(piece, start)
            while at >= 0:
                if before == 0:
                    return Place(Position(self.file, number, at + 1), len(piece))
                before -= 1
                at = line.find(piece, at + len(piece))
            start = 0
        return place

    def problem(self, path: Path_, message: str, *, on_key: bool = False) -> Problem:
        place = (self.keys.get(path) if on_key else None) or self.place(path)
        return Problem(place.position, dotted(path), message, self.line(place.position.line), place.length)

    def report(self, path: Path_, message: str, *, on_key: bool = False) -> None:
        self.problems.append(self.problem(path, message, on_key=on_key))


def read(path: str | Path) -> tuple[str, bytes]:
    """A file's text and bytes. Raises PlanError for what cannot be a plan, reading at most a megabyte."""
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _fatal(name, f"cannot be read: {error.strerror or error}") from None
    if len(raw) > MAX_BYTES:
        raise _fatal(name, f"is larger than {MAX_BYTES // 1_000_000} MB: that is not a plan")
    if b"\0" in raw:
        raise _fatal(name, "is a binary file, not YAML")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _fatal(name, "is not UTF-8 text here", line) from None
    if not text.strip():
        raise _fatal(name, "is empty: start from checklists/minimal.yaml")
    return text, raw


def parse(text: str, file: str) -> Tree:
    """The document as values with positions; its own problems are in `tree.problems`. Raises PlanError if it is no YAML."""
    tree = Tree(file, text.splitlines())
    for number, line in enumerate(tree.lines, 1):
        lead = line[: len(line) - len(line.lstrip())]
        if "\t" in lead and line.strip():
            raise _fatal(file, "a tab in the indentation: YAML takes spaces only", number, lead.index("\t") + 1, line)
    try:
        _bounded(text, file)
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, tree) from None
    except yaml.YAMLError as error:
        raise _fatal(file, f"is not YAML: {str(error).splitlines()[0]}") from None
    if node is None:
        raise _fatal(file, "is empty: start from checklists/minimal.yaml")
    tree.value = _Builder(tree).build(node, ())
    return tree


def _bounded(text: str, file: str) -> None:
    """Refuse, while still reading events, what would take the composer forever: deep nesting, aliases, floods of nodes."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        if isinstance(event, yaml.AliasEvent):
            raise _fatal(
                file, f"*{event.anchor}: aliases are refused; write it out, or use vars: and ${{name}}", line, column
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise _fatal(file, f"is nested deeper than {MAX_DEPTH} levels", line, column)
        if count > MAX_NODES:
            raise _fatal(file, f"has more than {MAX_NODES:,} parts: that is not a plan", line, column)


class _Builder:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def build(self, node: yaml.Node, path: Path_) -> Any:
        self.tree.places[path] = self._place(node)
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path)

    def _pairs(self, node: yaml.MappingNode, path: Path_) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._at(key_node, path, "a key must be a word")
                continue
            key = str(key_node.value)
            if key == "<<":
                self._at(key_node, path, "merges (<<) are refused; write it out, or use vars: and ${name}")
                continue
            here = (*path, key)
            if key in seen:
                self._at(key_node, here, f"'{key}' is already given in line {seen[key]}")
                continue
            seen[key] = key_node.start_mark.line + 1
            self.tree.keys[here] = self._place(key_node)
            yield key, self.build(value_node, here)

    def _scalar(self, node: yaml.ScalarNode, path: Path_) -> Any:
        text = str(node.value)
        if node.style is not None:
            return text
        if node.tag not in ("tag:yaml.org,2002:str", *_IMPLICIT):
            self._at(node, path, f"the tag {node.tag} is refused: plain values only")
            return text
        return self._plain(node, text, path)

    def _plain(self, node: yaml.ScalarNode, text: str, path: Path_) -> Any:
        if text in ("true", "false"):
            return text == "true"
        if text in ("", "~", "null"):
            self._at(node, path, "has no value")
            return None
        if text.lower() in _OLD_WORDS or text.lower() in ("true", "false"):
            self._at(node, path, f"'{text}' is ambiguous in YAML: write true, false, or put it in quotes")
        elif _SEXAGESIMAL.fullmatch(text) or _ODD_NUMBER.fullmatch(text):
            self._at(node, path, f"'{text}' means different things to different YAML readers: put it in quotes")
        elif _INT.fullmatch(text):
            return int(text)
        elif _FLOAT.fullmatch(text):
            return float(text)
        return text

    def _at(self, node: yaml.Node, path: Path_, message: str) -> None:
        place = self._place(node)
        line = self.tree.line(place.position.line)
        self.tree.problems.append(Problem(place.position, dotted(path), message, line, place.length))

    def _place(self, node: yaml.Node) -> Place:
        start, end = node.start_mark, node.end_mark
        length = end.column - start.column if end.line == start.line else 1
        return Place(Position(self.tree.file, start.line + 1, start.column + 1), max(1, length), end.line + 1)


_IMPLICIT = {f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null", "timestamp", "value", "merge")}


def _fatal(file: str, message: str, line: int = 1, column: int = 1, source: str = "") -> PlanError:
    return PlanError([Problem(Position(file, line, column), "", message, source)])


def _syntax(error: yaml.MarkedYAMLError, tree: Tree) -> PlanError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    what = error.problem or "cannot be read"
    if isinstance(error, yaml.composer.ComposerError) and "single document" in str(error.context):
        what = "a second document begins here: a plan is one document"
    elif error.context:
        what = f"{what} ({error.context})"
    return PlanError([Problem(Position(tree.file, line, column), "", f"is not YAML here: {what}", tree.line(line))])
