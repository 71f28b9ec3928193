"""CloudWatch Logs Insights: a query as a pipeline over log events."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cockpit.rehearsal.aws.logs.insights_expressions import (
    Expression,
    QueryError,
    Reader,
    arguments_of,
    condition,
    regex,
    sum_of,
    tokens,
    unquoted,
)
from cockpit.rehearsal.aws.logs.insights_functions import AGGREGATES
from cockpit.rehearsal.aws.logs.insights_values import Moment, number_of, text_of, truth
from cockpit.rehearsal.aws.logs.log_store import Event
from probes.frozen import frozen

DEFAULT_LIMIT = 10_000
Row = dict[str, Any]
QueryCommand = Callable[[list[Row]], list[Row]]


@frozen
class Found:
    """A query's answer: rows of {column: text}, and what was looked at."""

    rows: tuple[Mapping[str, str], ...]
    scanned: int
    matched: int
    bytes_scanned: int


@dataclass(slots=True)
class Query:
    """A compiled query. `run` is pure."""

    filters: list[QueryCommand]
    """Steps up to the last `filter` before any `stats`: what comes out of them has matched."""
    rest: list[QueryCommand]
    columns: list[str] | None
    limit: int | None

    def run(self, events: Sequence[tuple[str, Event]], limit: int | None = None) -> Found:
        """Events are (log, event), in any order; without `sort` the newest come first, as in the console."""
        ordered = sorted(events, key=lambda pair: pair[1].timestamp)
        rows = [_row(log, event) for log, event in ordered]
        for step in self.filters:
            rows = step(rows)
        matched = len(rows)
        for step in self.rest:
            rows = step(rows)
        most = self.limit or limit or DEFAULT_LIMIT
        shown = [self._shown(row) for row in rows[:most]]
        size = sum(len(event.message) + 26 for _, event in ordered)
        return Found(tuple(shown), len(ordered), matched, size)

    def _shown(self, row: Row) -> Mapping[str, str]:
        columns = self.columns if self.columns is not None else ["@timestamp", "@message"]
        shown = {name: text_of(row[name]) for name in columns if row.get(name) is not None}
        return shown | ({"@ptr": row["@ptr"]} if "@ptr" in row else {})


def compile_query(text: str) -> Query:
    """A query ready to run. Raises QueryError."""
    reader = Reader(tokens(text))
    compiler = _Compiler(reader)
    while True:
        compiler.command()
        if reader.peek()[0] == "end":
            return compiler.query()
        reader.expect("|")


class _Compiler:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._steps: list[QueryCommand] = []
        self._matching = 0
        """How many of the steps decide what has matched."""
        self._aggregated = False
        self._sorted = False
        self._columns: list[str] | None = None
        self._limit: int | None = None

    def query(self) -> Query:
        if not self._aggregated and not self._sorted:
            self._steps.append(lambda rows: rows[::-1])
        return Query(self._steps[: self._matching], self._steps[self._matching :], self._columns, self._limit)

    def command(self) -> None:
        kind, word = self._reader.take()
        commands = {
            "fields": self._fields,
            "display": self._fields,
            "filter": self._filter,
            "stats": self._stats,
            "sort": self._sort,
            "limit": self._limited,
            "parse": self._parse,
            "dedup": self._dedup,
        }
        if kind != "name" or word.lower() not in commands:
            raise QueryError(f"unknown command {word!r}: {', '.join(commands)} are rehearsed")
        commands[word.lower()]()

    def _fields(self) -> None:
        columns = []
        while True:
            name, expression = self._named_expression(condition)
            columns.append(name)
            if expression is not None:
                self._steps.append(_computing(name, expression))
            if not self._reader.accept(","):
                break
        self._columns = (
            columns if self._columns is None else [*self._columns, *(c for c in columns if c not in self._columns)]
        )

    def _filter(self) -> None:
        test = condition(self._reader)
        self._steps.append(lambda rows: [row for row in rows if truth(test(row))])
        if not self._aggregated:
            self._matching = len(self._steps)

    def _named_expression(self, read: Callable[[Reader], Expression]) -> tuple[str, Expression | None]:
        """(name, expression or None for a plain field)."""
        start = self._reader.at
        plain = self._reader.peek()[0] in ("name", "quoted") and self._reader.peek(1)[1] != "("
        name = self._reader.peek()[1]
        expression = read(self._reader)
        single = self._reader.at == start + 1 and plain
        if self._reader.accept("as"):
            return self._reader.take()[1], expression
        return (name, None) if single else (self._written(start), expression)

    def _written(self, start: int) -> str:
        """An unnamed column is called as it was written: count(*), bin(1m)."""
        end, self._reader.at = self._reader.at, start
        texts = [self._reader.take()[1] for _ in range(end - start)]
        return re.sub(r",(?=\S)", ", ", "".join(texts))

    def _stats(self) -> None:
        made: list[tuple[str, Callable[[list[Row]], Any]]] = []
        while True:
            made.append(self._aggregate())
            if not self._reader.accept(","):
                break
        by: list[tuple[str, Expression]] = []
        if self._reader.accept("by"):
            while True:
                name, expression = self._named_expression(sum_of)
                by.append((name, expression or _field(name)))
                if not self._reader.accept(","):
                    break
        self._steps.append(lambda rows: _grouped(rows, by, made))
        self._aggregated = True
        self._columns = [*(name for name, _ in by), *(name for name, _ in made)]

    def _aggregate(self) -> tuple[str, Callable[[list[Row]], Any]]:
        start = self._reader.at
        compute = self._aggregate_sum()
        if self._reader.accept("as"):
            return self._reader.take()[1], compute
        return self._written(start), compute

    def _aggregate_sum(self) -> Callable[[list[Row]], Any]:
        """Aggregates may be combined with numbers and each other: `sum(x) * 100 / count(*)`."""
        parts: list[Callable[[list[Row]], Any]] = []
        names: list[tuple[str, str]] = []
        depth = 0
        while True:
            kind, text = self._reader.peek()
            if kind == "end" or text == "|" or (depth == 0 and (text == "," or text.lower() in ("as", "by"))):
                break
            if kind == "name" and text.lower() in AGGREGATES and self._reader.peek(1)[1] == "(":
                self._reader.take()
                arguments = arguments_of(self._reader)
                parts.append(_aggregating(text.lower(), arguments))
                names.append(("name", f"@{len(parts) - 1}"))
                continue
            depth += {"(": 1, ")": -1}.get(text, 0)
            names.append(self._reader.take())
        if not parts:
            raise QueryError(f"stats needs a function such as count(*), found {self._reader.peek()[1]!r}")
        inner = Reader(names)
        combined = sum_of(inner)
        if inner.peek()[0] != "end":
            raise QueryError(f"unexpected {inner.peek()[1]!r} in stats")
        if len(names) == 1:
            return parts[0]
        return lambda rows: combined({f"@{number}": part(rows) for number, part in enumerate(parts)})

    def _sort(self) -> None:
        keys: list[tuple[Expression, bool]] = []
        while True:
            expression = sum_of(self._reader)
            falling = self._reader.accept("desc")
            if not falling:
                self._reader.accept("asc")
            keys.append((expression, falling))
            if not self._reader.accept(","):
                break
        for expression, falling in reversed(keys):
            self._steps.append(_sorting(expression, falling))
        self._sorted = True

    def _limited(self) -> None:
        kind, text = self._reader.take()
        if kind != "number":
            raise QueryError(f"limit needs a number, found {text!r}")
        self._limit = int(text)

    def _parse(self) -> None:
        """`parse @message "took * ms" as took` or `parse /(?<took>\\d+) ms/`."""
        source: Expression = _field("@message")
        if self._reader.peek()[0] in ("name", "quoted"):
            source = _field(self._reader.take()[1])
        kind, text = self._reader.take()
        if kind == "regex":
            pattern = regex(text[1:].rpartition("/")[0])
            self._steps.append(_parsing(source, pattern, list(pattern.groupindex)))
            return
        if kind != "string":
            raise QueryError(f"parse needs a string or a /regular expression/, found {text!r}")
        pieces = [re.escape(piece) for piece in unquoted(text).split("*")]
        glob = re.compile("(.*?)".join(pieces) + ("$" if text[-2] == "*" else ""), re.DOTALL)
        self._reader.expect("as")
        names = [self._reader.take()[1]]
        while self._reader.accept(","):
            names.append(self._reader.take()[1])
        if len(names) != len(pieces) - 1:
            raise QueryError(f"parse: {len(pieces) - 1} wildcards and {len(names)} names")
        self._steps.append(_parsing(source, glob, names))

    def _dedup(self) -> None:
        names = [self._reader.take()[1]]
        while self._reader.accept(","):
            names.append(self._reader.take()[1])

        def dedup(rows: list[Row]) -> list[Row]:
            kept: dict[tuple[str, ...], Row] = {}
            for row in reversed(rows):
                kept.setdefault(tuple(text_of(row.get(name)) for name in names), row)
            return list(kept.values())[::-1]

        self._steps.append(dedup)


def _row(log: str, event: Event) -> Row:
    row: Row = dict(event.fields)
    row["@timestamp"] = Moment(event.timestamp)
    row["@ingestionTime"] = Moment(event.ingested)
    row["@message"] = event.message
    row["@logStream"] = event.stream
    row["@log"] = log
    row["@ptr"] = f"ptr{event.number:012d}"
    return row


def _field(name: str) -> Expression:
    return lambda record: record.get(name)


def _computing(name: str, expression: Expression) -> QueryCommand:
    def compute(rows: list[Row]) -> list[Row]:
        return [{**row, name: expression(row)} for row in rows]

    return compute


def _aggregating(name: str, arguments: Sequence[Expression]) -> Callable[[list[Row]], Any]:
    aggregate = AGGREGATES[name]
    return lambda rows: aggregate([[argument(row) for argument in arguments] for row in rows])


def _grouped(
    rows: list[Row], by: Sequence[tuple[str, Expression]], made: Sequence[tuple[str, Callable[[list[Row]], Any]]]
) -> list[Row]:
    """One row per group; over no rows there is no group, and so no row: Insights shows no zero."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    keys: dict[tuple[str, ...], Row] = {}
    for row in rows:
        values = {name: expression(row) for name, expression in by}
        place = tuple(text_of(value) for value in values.values())
        groups.setdefault(place, []).append(row)
        keys.setdefault(place, values)
    return [keys[place] | {name: compute(held) for name, compute in made} for place, held in groups.items()]


def _sorting(expression: Expression, falling: bool) -> QueryCommand:
    def rank(row: Row) -> tuple[int, float, str]:
        value = expression(row)
        number = number_of(value)
        if number is not None:
            return 1, number, ""
        return (0, 0.0, "") if value is None else (2, 0.0, text_of(value))

    return lambda rows: sorted(rows, key=rank, reverse=falling)


def _parsing(source: Expression, pattern: re.Pattern[str], names: Sequence[str]) -> QueryCommand:
    def parse(rows: list[Row]) -> list[Row]:
        parsed = []
        for row in rows:
            found = pattern.search(text_of(source(row) or ""))
            parsed.append(row | dict(zip(names, found.groups(), strict=False)) if found else row)
        return parsed

    return parse
