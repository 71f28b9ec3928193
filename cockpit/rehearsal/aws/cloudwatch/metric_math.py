"""CloudWatch metric math, as much of it as alarms and queries of a cutover use.

Series are {period start: value}. An operation on two series has a value only where both have one; division by zero
gives none. Functions: FILL, IF, SUM, MIN, MAX, AVG, ABS, CEIL, FLOOR, RATE, METRICS.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from probes.frozen import frozen

Series = dict[int, float]
Value = float | Series | list["Value"]

_TOKEN = re.compile(
    r"\s*(?:(\d+\.?\d*(?:[eE][-+]?\d+)?)|([A-Za-z_]\w*)|(<=|>=|==|!=|&&|\|\||[-+*/^<>(),\[\]])|(\"[^\"]*\"))"
)
_IDENTIFIER = re.compile(r"[a-z]\w*")
_PRECEDENCE = (("OR", "||"), ("AND", "&&"), ("==", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/"))
_SYMBOLS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "<": lambda a, b: float(a < b),
    "<=": lambda a, b: float(a <= b),
    ">": lambda a, b: float(a > b),
    ">=": lambda a, b: float(a >= b),
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "AND": lambda a, b: float(bool(a) and bool(b)),
    "&&": lambda a, b: float(bool(a) and bool(b)),
    "OR": lambda a, b: float(bool(a) or bool(b)),
    "||": lambda a, b: float(bool(a) or bool(b)),
}


class MathError(ValueError):
    """The expression cannot be understood or uses what is not rehearsed."""


@frozen
class Frame:
    """What an expression can see: the series by id, and the periods it is asked about."""

    series: Mapping[str, Series]
    periods: Sequence[int]
    period_s: int


def identifiers(expression: str) -> set[str]:
    """Ids an expression refers to: they begin with a small letter, functions with a capital.

    >>> sorted(identifiers("IF(m1 > 0, 100 * e1 / m1, 0)"))
    ['e1', 'm1']
    """
    words = (word for kind, word in _tokens(expression) if kind == "word")
    return {word for word in words if _IDENTIFIER.fullmatch(word)}


def evaluate(expression: str, frame: Frame) -> Series:
    """The series an expression gives. Raises MathError."""
    tokens = _tokens(expression)
    value, rest = _Parser(tokens, frame).whole()
    if rest:
        raise MathError(f"Error in expression '{expression}': unexpected '{rest}'")
    if isinstance(value, list):
        raise MathError(f"Error in expression '{expression}': it gives several time series")
    if isinstance(value, float):
        return dict.fromkeys(frame.periods, value)
    return dict(sorted(value.items()))


def _tokens(expression: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = expression.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise MathError(f"Error in expression '{expression}': invalid syntax at '{text[at:]}'")
        number, word, symbol, quoted = match.groups()
        found.append(("number", number) if number else ("word", word) if word else ("symbol", symbol or quoted))
        at = match.end()
    return found


class _Parser:
    """Reads and evaluates in one go, by falling precedence."""

    def __init__(self, tokens: Sequence[tuple[str, str]], frame: Frame) -> None:
        self._tokens = tokens
        self._frame = frame
        self._at = 0

    def whole(self) -> tuple[Value, str]:
        value = self._level(0)
        return value, self._peek()

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> tuple[str, str]:
        if self._at >= len(self._tokens) or (wanted and self._peek() != wanted):
            raise MathError(f"expected {wanted or 'more'}, found '{self._peek() or 'the end'}'")
        self._at += 1
        return self._tokens[self._at - 1]

    def _level(self, depth: int) -> Value:
        if depth == len(_PRECEDENCE):
            return self._power()
        left = self._level(depth + 1)
        while self._peek() in _PRECEDENCE[depth]:
            symbol = self._take()[1]
            left = _apply(_SYMBOLS[symbol], left, self._level(depth + 1))
        return left

    def _power(self) -> Value:
        base = self._unary()
        if self._peek() != "^":
            return base
        self._take()
        return _apply(_SYMBOLS["^"], base, self._power())

    def _unary(self) -> Value:
        if self._peek() == "-":
            self._take()
            return _apply(operator.mul, -1.0, self._unary())
        return self._atom()

    def _atom(self) -> Value:
        kind, text = self._take()
        if kind == "number":
            return float(text)
        if text == "(":
            value = self._level(0)
            self._take(")")
            return value
        if text == "[":
            return self._list("]")
        if kind == "word" and self._peek() == "(":
            return self._call(text)
        if kind == "word" and text in self._frame.series:
            return self._frame.series[text]
        raise MathError(f"'{text}' is not the id of a metric in this query")

    def _list(self, closing: str) -> list[Value]:
        items: list[Value] = []
        while self._peek() != closing:
            items.append(self._level(0))
            if self._peek() == ",":
                self._take()
        self._take(closing)
        return items

    def _call(self, name: str) -> Value:
        self._take("(")
        if name == "METRICS":
            self._list(")")
            return list(self._frame.series.values())
        if (
            name == "FILL"
            and len(self._tokens) > self._at + 2
            and self._tokens[self._at + 2][1] in ("REPEAT", "LINEAR")
        ):
            return self._fill_by_name()
        arguments = self._list(")")
        if name not in _FUNCTIONS:
            raise MathError(f"the function {name} is not rehearsed")
        return _FUNCTIONS[name](arguments, self._frame)

    def _fill_by_name(self) -> Value:
        series = self._level(0)
        self._take(",")
        how = self._take()[1]
        self._take(")")
        if how != "REPEAT":
            raise MathError("FILL with LINEAR is not rehearsed")
        if not isinstance(series, dict):
            raise MathError("FILL takes a time series")
        filled, last = {}, None
        for period in self._frame.periods:
            last = series.get(period, last)
            if last is not None:
                filled[period] = last
        return filled


def _apply(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, list):
        return [_apply(function, each, right) for each in left]
    if isinstance(right, list):
        return [_apply(function, left, each) for each in right]
    if isinstance(left, dict):
        times = [at for at in left if not isinstance(right, dict) or at in right]
        pairs = {at: (left[at], right[at] if isinstance(right, dict) else right) for at in times}
    elif isinstance(right, dict):
        pairs = {at: (left, value) for at, value in right.items()}
    else:
        number = _safely(function, left, right)
        return {} if number is None else number
    results = {at: _safely(function, *pair) for at, pair in pairs.items()}
    return {at: value for at, value in results.items() if value is not None}


def _safely(function: Callable[[float, float], float], left: float, right: float) -> float | None:
    try:
        value = float(function(left, right))
    except (ZeroDivisionError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _fill(arguments: Sequence[Value], frame: Frame) -> Value:
    if len(arguments) != 2:
        raise MathError("FILL takes a time series and a filler")
    series, filler = arguments
    if isinstance(series, list):
        return [_fill([each, filler], frame) for each in series]
    if not isinstance(series, dict) or isinstance(filler, list):
        raise MathError("FILL takes a time series and a number or another time series")
    spare = filler if isinstance(filler, dict) else dict.fromkeys(frame.periods, filler)
    return {at: series.get(at, spare.get(at, 0.0)) for at in frame.periods if at in series or at in spare}


def _if(arguments: Sequence[Value], frame: Frame) -> Value:
    if len(arguments) not in (2, 3):
        raise MathError("IF takes a condition, a value, and perhaps another")
    condition, then = arguments[:2]
    other = arguments[2] if len(arguments) == 3 else {}
    if isinstance(condition, list) or isinstance(then, list) or isinstance(other, list):
        raise MathError("IF takes single time series")
    times = condition if isinstance(condition, dict) else dict.fromkeys(frame.periods, condition)
    chosen: Series = {}
    for at, holds in times.items():
        branch = then if holds else other
        value = branch.get(at) if isinstance(branch, dict) else branch
        if value is not None:
            chosen[at] = value
    return chosen


def _over(combine: Callable[[Sequence[float]], float]) -> Callable[[Sequence[Value], Frame], Value]:
    """A function of a list gives a series, over the periods where any has a value; of one series, a number."""

    def function(arguments: Sequence[Value], frame: Frame) -> Value:
        held = list(arguments[0]) if len(arguments) == 1 and isinstance(arguments[0], list) else list(arguments)
        if len(held) == 1 and isinstance(arguments[0], dict):
            values = list(arguments[0].values())
            return combine(values) if values else {}
        many = [
            each if isinstance(each, dict) else dict.fromkeys(frame.periods, each)
            for each in held
            if not isinstance(each, list)
        ]
        times = sorted({at for each in many for at in each})
        return {at: combine([each[at] for each in many if at in each]) for at in times}

    return function


def _each(change: Callable[[float], float]) -> Callable[[Sequence[Value], Frame], Value]:
    return lambda arguments, _: _apply(lambda value, __: change(value), arguments[0], 0.0)


def _rate(arguments: Sequence[Value], _: Frame) -> Value:
    series = arguments[0]
    if not isinstance(series, dict):
        raise MathError("RATE takes a time series")
    times = sorted(series)
    return {b: (series[b] - series[a]) / (b - a) for a, b in pairwise(times)}


_FUNCTIONS: Mapping[str, Callable[[Sequence[Value], Frame], Value]] = {
    "FILL": _fill,
    "IF": _if,
    "SUM": _over(math.fsum),
    "MIN": _over(min),
    "MAX": _over(max),
    "AVG": _over(lambda values: math.fsum(values) / len(values)),
    "ABS": _each(abs),
    "CEIL": _each(math.ceil),
    "FLOOR": _each(math.floor),
    "RATE": _rate,
}
