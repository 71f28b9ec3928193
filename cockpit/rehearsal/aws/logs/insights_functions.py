"""Functions of Logs Insights: on one event, and over many (`stats`)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cockpit.rehearsal.aws.logs.insights_values import Moment, Record, number_of, text_of

Function = Callable[[Sequence[Any], Record], Any]
Aggregate = Callable[[Sequence[Sequence[Any]]], Any]
"""Rows of evaluated arguments -> one value, or None where there is nothing to say."""


def _text(compute: Callable[..., Any]) -> Function:
    return lambda given, _: (
        None if given[0] is None else compute(*(text_of(value) for value in given if value is not None))
    )


def _number(compute: Callable[..., float]) -> Function:
    def function(given: Sequence[Any], _: Record) -> float | None:
        numbers = [number_of(value) for value in given]
        return None if None in numbers else compute(*numbers)

    return function


def _bin(given: Sequence[Any], record: Record) -> Moment:
    span = number_of(given[0]) or 300_000
    return Moment(record["@timestamp"] // span * span)


FUNCTIONS: Mapping[str, Function] = {
    "strcontains": lambda given, _: 0 if given[0] is None else int(text_of(given[1]) in text_of(given[0])),
    "ispresent": lambda given, _: given[0] is not None,
    "isblank": lambda given, _: given[0] is None or not text_of(given[0]).strip(),
    "isempty": lambda given, _: given[0] is None or text_of(given[0]) == "",
    "coalesce": lambda given, _: next((value for value in given if value is not None), None),
    "concat": lambda given, _: "".join(text_of(value) for value in given if value is not None),
    "strlen": _text(len),
    "tolower": _text(str.lower),
    "lower": _text(str.lower),
    "toupper": _text(str.upper),
    "upper": _text(str.upper),
    "trim": _text(str.strip),
    "ltrim": _text(str.lstrip),
    "rtrim": _text(str.rstrip),
    "replace": _text(str.replace),
    "substr": _text(lambda text, start, length="": text[int(start) :][: int(length) if length else None]),
    "abs": _number(abs),
    "ceil": _number(math.ceil),
    "floor": _number(math.floor),
    "sqrt": _number(math.sqrt),
    "greatest": _number(max),
    "least": _number(min),
    "tomillis": _number(lambda value: value),
    "bin": _bin,
    "datefloor": lambda given, _: _bin(given[1:], {"@timestamp": number_of(given[0]) or 0}),
}


def _numbers(rows: Sequence[Sequence[Any]]) -> list[float]:
    return [number for row in rows if (number := number_of(row[0])) is not None]


def _over(compute: Callable[[list[float]], float]) -> Aggregate:
    def aggregate(rows: Sequence[Sequence[Any]]) -> float | None:
        numbers = _numbers(rows)
        return compute(numbers) if numbers else None

    return aggregate


def percentile(rows: Sequence[Sequence[Any]]) -> float | None:
    """pct(field, 95): the value at that rank."""
    numbers = sorted(_numbers(rows))
    if not numbers:
        return None
    share = number_of(rows[0][1]) or 0.0
    return numbers[max(1, math.ceil(len(numbers) * share / 100 - 1e-9)) - 1]


def _count(rows: Sequence[Sequence[Any]]) -> int:
    return sum(not row or row[0] is not None for row in rows)


def _present(rows: Sequence[Sequence[Any]]) -> list[Any]:
    return [row[0] for row in rows if row[0] is not None]


AGGREGATES: Mapping[str, Aggregate] = {
    "count": _count,
    "count_distinct": lambda rows: len({text_of(value) for value in _present(rows)}),
    "sum": _over(math.fsum),
    "avg": _over(statistics.fmean),
    "min": _over(min),
    "max": _over(max),
    "stddev": _over(lambda numbers: statistics.stdev(numbers) if len(numbers) > 1 else 0.0),
    "median": _over(statistics.median),
    "pct": percentile,
    "percentile": percentile,
    "earliest": lambda rows: next(iter(_present(rows)), None),
    "latest": lambda rows: next(reversed(_present(rows)), None),
    "sortsfirst": lambda rows: min((text_of(value) for value in _present(rows)), default=None),
    "sortslast": lambda rows: max((text_of(value) for value in _present(rows)), default=None),
}
"""Rows come in order of time: the earliest is the first."""
