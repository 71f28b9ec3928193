"""The part of Logs Insights that probes and people use on a cutover night: fields, filter, stats, sort, limit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cockpit.rehearsal.cloud.metrics import statistic

Record = Mapping[str, Any]
Row = dict[str, str]
Getter = Callable[[Record], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<regex>/(?:[^/\\]|\\.)+/i?)|(?P<number>-?\d+(?:\.\d+)?)
    |(?P<word>[@A-Za-z_][\w.@]*)|(?P<mark>!=|<=|>=|=~|[=<>(),*\[\]]))""",
    re.VERBOSE,
)


class QueryError(ValueError):
    """A query that is malformed, or uses what is not rehearsed."""


def run(query: str, records: Sequence[Record]) -> tuple[list[Row], int]:
    """Rows, and how many records matched the filters.

    >>> run('filter level = "error" | stats count(*) as n', [{"level": "error"}, {"level": "info"}])
    ([{'n': '1'}], 1)
    """
    found: list[Record] = list(records)
    rows: list[Row] | None = None
    shown = ["@timestamp", "@message"]
    matched = len(found)
    for command in _commands(query):
        word, _, rest = command.partition(" ")
        if word == "filter":
            keep = _Parser(rest).condition()
            found = [record for record in found if keep(record) is True]
            matched = len(found)
        elif word in ("fields", "display"):
            shown = [part.strip().split(" as ")[-1].strip() for part in rest.split(",")]
        elif word == "stats":
            rows = _stats(rest, found)
        elif word == "sort":
            found, rows = _sorted(rest, found, rows)
        elif word == "limit":
            found, rows = found[: int(rest)], rows[: int(rest)] if rows is not None else None
        else:
            raise QueryError(f"unknown command '{word}'")
    if rows is None:
        rows = [{name: str(record[name]) for name in shown if name in record} for record in found]
    return rows, matched


def _commands(query: str) -> list[str]:
    parts, start, quote = [], 0, ""
    for at, letter in enumerate(query):
        if quote:
            quote = "" if letter == quote and query[at - 1] != "\\" else quote
        elif letter in "\"'/":
            quote = letter
        elif letter == "|":
            parts.append(query[start:at])
            start = at + 1
    return [
        part for part in (" ".join(p.split()) if "/" not in p else p.strip() for p in [*parts, query[start:]]) if part
    ]


class _Parser:
    """Conditions and values, by recursive descent."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise QueryError(f"cannot read '{text[at : at + 20]}'")
            kind = str(match.lastgroup)
            self.tokens.append((kind, match.group(kind)))
            at = match.end()
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at][1].lower() if self.at < len(self.tokens) else ""

    def take(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise QueryError("the query ends too soon")
        self.at += 1
        return self.tokens[self.at - 1]

    def condition(self) -> Getter:
        left = self._and()
        while self.peek() == "or":
            self.take()
            left = _either(left, self._and())
        return left

    def _and(self) -> Getter:
        left = self._not()
        while self.peek() == "and":
            self.take()
            left = _both(left, self._not())
        return left

    def _not(self) -> Getter:
        if self.peek() == "not":
            self.take()
            inner = self._not()
            return lambda record: not inner(record)
        if self.peek() == "(":
            self.take()
            inner = self.condition()
            self.take()
            return inner
        return self._comparison()

    def _comparison(self) -> Getter:
        left = self.value()
        mark = self.peek()
        if mark in ("=", "!=", "<", "<=", ">", ">="):
            self.take()
            return _compare(mark, left, self.value())
        if mark in ("like", "=~"):
            self.take()
            return _like(left, self.take())
        if mark == "in":
            self.take()
            return _among(left, self._list())
        return lambda record: bool(left(record))

    def _list(self) -> list[Any]:
        self.take()
        found = []
        while self.peek() != "]":
            kind, text = self.take()
            if kind != "mark":
                found.append(_literal(kind, text))
        self.take()
        return found

    def value(self) -> Getter:
        kind, text = self.take()
        if kind == "word" and self.peek() == "(":
            return self._function(text.lower())
        if kind == "word":
            return lambda record: record.get(text)
        literal = _literal(kind, text)
        return lambda _record: literal

    def _function(self, name: str) -> Getter:
        self.take()
        arguments: list[Getter] = []
        while self.peek() != ")":
            if self.peek() in (",", "*"):
                self.take()
                continue
            arguments.append(self.value())
        self.take()
        if name == "ispresent" and len(arguments) == 1:
            return lambda record: arguments[0](record) is not None
        if name == "strcontains" and len(arguments) == 2:
            return lambda record: int(str(arguments[1](record)) in str(arguments[0](record) or ""))
        raise QueryError(f"{name}() is not rehearsed")


def _literal(kind: str, text: str) -> Any:
    if kind == "number":
        return float(text)
    if kind == "string":
        return text[1:-1].replace('\\"', '"').replace("\\'", "'")
    raise QueryError(f"cannot read '{text}'")


def _either(left: Getter, right: Getter) -> Getter:
    return lambda record: bool(left(record) or right(record))


def _both(left: Getter, right: Getter) -> Getter:
    return lambda record: bool(left(record) and right(record))


def _like(left: Getter, token: tuple[str, str]) -> Getter:
    kind, text = token
    if kind == "regex":
        flags = re.IGNORECASE if text.endswith("i") else 0
        pattern = re.compile(text.rstrip("i").strip("/"), flags)
        return lambda record: pattern.search(str(left(record) or "")) is not None
    wanted = str(_literal(kind, text))
    return lambda record: wanted in str(left(record) or "")


def _among(left: Getter, wanted: list[Any]) -> Getter:
    return lambda record: left(record) in wanted


def _compare(mark: str, left: Getter, right: Getter) -> Getter:
    def holds(record: Record) -> bool:
        a, b = left(record), right(record)
        if a is None:
            return False
        if mark in ("=", "!="):
            same = _number(a) == b if isinstance(b, float) else str(a) == str(b)
            return same == (mark == "=")
        x, y = _number(a), _number(b)
        if x is None or y is None:
            return False
        return {"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[mark]

    return holds


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


# -- stats -----------------------------------------------------------------------------------------------------------

_AGGREGATE = re.compile(r"\s*(\w+)\s*\((.*)\)\s*(?:as\s+([\w@.]+))?\s*", re.IGNORECASE | re.DOTALL)


def _stats(text: str, records: Sequence[Record]) -> list[Row]:
    aggregates, _, by = _split_by(text)
    keys = [key.strip() for key in by.split(",")] if by else []
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(tuple(_key(key, record) for key in keys), []).append(record)
    rows = []
    for key, members in groups.items():
        row = dict(zip(keys, key, strict=True))
        for name, value in ((name, compute(members)) for name, compute in aggregates):
            if value is not None:
                row[name] = f"{value:g}" if abs(value) < 1e15 else str(value)
        rows.append(row)
    return rows


def _split_by(text: str) -> tuple[list[tuple[str, Callable[[Sequence[Record]], float | None]]], str, str]:
    match = re.search(r"\)\s*(?:as\s+[\w@.]+)?\s+by\s+(.+)$", text, re.IGNORECASE)
    by = match.group(1) if match else ""
    body = text[: match.start(1)].rstrip()[: -len("by")] if match else text
    return [_aggregate(part) for part in _arguments(body)], "", by


def _arguments(text: str) -> list[str]:
    parts, depth, start, quote = [], 0, 0, ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [part.strip() for part in [*parts, text[start:]] if part.strip()]


def _aggregate(text: str) -> tuple[str, Callable[[Sequence[Record]], float | None]]:
    match = _AGGREGATE.fullmatch(text)
    if match is None:
        raise QueryError(f"cannot read the aggregate '{text}'")
    name, inside, label = match.group(1).lower(), match.group(2).strip(), match.group(3) or text.strip()
    if name == "count":
        if inside in ("*", ""):
            return label, lambda records: float(len(records))
        getter = _Parser(inside).value()
        return label, lambda records: float(sum(getter(record) is not None for record in records))
    arguments = _arguments(inside)
    getter = _Parser(arguments[0]).value()
    stats = {"sum": "Sum", "avg": "Average", "min": "Minimum", "max": "Maximum"}
    stat = stats.get(name) or (f"p{arguments[1]}" if name in ("pct", "percentile") and len(arguments) == 2 else "")
    if not stat:
        raise QueryError(f"{name}() is not rehearsed")

    def compute(records: Sequence[Record]) -> float | None:
        values = [number for record in records if (number := _number(getter(record))) is not None]
        return statistic(values, stat) if values else None

    return label, compute


def _key(key: str, record: Record) -> str:
    match = re.fullmatch(r"bin\((\d+)([smh])\)", key)
    if match is None:
        return str(record.get(key, ""))
    at = str(record["@timestamp"])
    return at[:16] + ":00.000" if match.group(2) == "m" else at[:19] + ".000"


def _sorted(text: str, found: list[Record], rows: list[Row] | None) -> tuple[list[Record], list[Row] | None]:
    name, _, direction = text.strip().partition(" ")
    backwards = direction.strip().lower() == "desc"

    def order(holder: Mapping[str, Any]) -> tuple[bool, float, str]:
        number = _number(holder.get(name))
        return number is None, number or 0.0, str(holder.get(name, ""))

    if rows is not None:
        return found, sorted(rows, key=order, reverse=backwards)
    return sorted(found, key=order, reverse=backwards), None
