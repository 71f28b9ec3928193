"""Expressions of CloudWatch Logs Insights: what stands after `filter`, in `fields`, and inside `stats`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cockpit.rehearsal.aws.logs.insights_values import Record, equal, number_of, text_of, truth

Expression = Callable[[Record], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<span>\d+(?:ms|s|m|h|d|w)\b)
    |(?P<number>\d+(?:\.\d+)?)
    |`(?P<quoted>[^`]+)`
    |(?P<name>[@A-Za-z_][\w@.]*(?:-\w+)*)
    |(?P<symbol>!=|<=|>=|=~|[-+*/%^=<>(),\[\]|]))""",
    re.VERBOSE,
)
_REGEX = re.compile(r"\s*(?P<regex>/(?:\\.|[^/\\\n])+/i?)")
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


class QueryError(ValueError):
    """The query cannot be understood, or uses what is not rehearsed."""


Token = tuple[str, str]


def tokens(text: str) -> list[Token]:
    """(kind, text) of a query; comments (#) are left out. Raises QueryError."""
    found: list[Token] = []
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE).rstrip()
    at = 0
    while at < len(text):
        match = (_REGEX.match(text, at) if _pattern_may_follow(found) else None) or _TOKEN.match(text, at)
        if match is None or match.lastgroup is None or match.end() == at:
            raise QueryError(f"unexpected symbol found {text[at:].strip()[:20]!r} at position {at}")
        found.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


def _pattern_may_follow(found: Sequence[Token]) -> bool:
    """Whether a slash begins a regular expression here; anywhere else it divides."""
    last, before = (found[-1][1].lower() if found else ""), (found[-2][1].lower() if len(found) > 1 else "")
    return last in ("like", "=~", "or", "parse") or before == "parse"


class Reader:
    """Reads tokens of a query, one after another."""

    def __init__(self, held: Sequence[Token]) -> None:
        self._held = held
        self.at = 0

    def peek(self, ahead: int = 0) -> Token:
        place = self.at + ahead
        return self._held[place] if place < len(self._held) else ("end", "")

    def take(self) -> Token:
        token = self.peek()
        if token[0] == "end":
            raise QueryError("unexpected end of the query")
        self.at += 1
        return token

    def accept(self, text: str) -> bool:
        """Take the next token if it is this word or symbol."""
        kind, held = self.peek()
        if kind in ("name", "symbol") and held.lower() == text:
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise QueryError(f"expected {text!r}, found {self.peek()[1]!r}")


# -- expressions, by rising strength -------------------------------------------------------------------------------------


def condition(reader: Reader) -> Expression:
    """`a or b`."""
    parts = [_both(reader)]
    while reader.accept("or"):
        parts.append(_both(reader))
    return parts[0] if len(parts) == 1 else lambda record: any(truth(part(record)) for part in parts)


def _both(reader: Reader) -> Expression:
    parts = [_negated(reader)]
    while reader.accept("and"):
        parts.append(_negated(reader))
    return parts[0] if len(parts) == 1 else lambda record: all(truth(part(record)) for part in parts)


def _negated(reader: Reader) -> Expression:
    if reader.accept("not"):
        inner = _negated(reader)
        return lambda record: not truth(inner(record))
    return _compared(reader)


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compared(reader: Reader) -> Expression:
    left = sum_of(reader)
    negated = reader.peek()[1].lower() == "not" and reader.peek(1)[1].lower() in ("like", "in")
    if negated:
        reader.take()
    if reader.accept("like") or reader.accept("=~"):
        return _maybe_not(_like(left, reader), negated)
    if reader.accept("in"):
        return _maybe_not(_member(left, reader), negated)
    sign = reader.peek()[1]
    if sign in ("=", "!="):
        reader.take()
        right = sum_of(reader)
        wanted = sign == "="
        # `like` carries on to what follows an `or`: `@message like /a/ or "b"` reads as two likes.
        return lambda record: equal(left(record), right(record)) == wanted
    if sign in _COMPARE:
        reader.take()
        return _ordered(_COMPARE[sign], left, sum_of(reader))
    return left


def _maybe_not(test: Expression, negated: bool) -> Expression:
    return (lambda record: not test(record)) if negated else test


def _like(left: Expression, reader: Reader) -> Expression:
    """`like /x/ or "y"`: bare patterns after `or` belong to the same field."""
    tests = [_pattern(reader)]
    while reader.peek()[1].lower() == "or" and reader.peek(1)[0] in ("regex", "string") and _ends(reader.peek(2)):
        reader.take()
        tests.append(_pattern(reader))

    def test(record: Record) -> bool:
        value = left(record)
        return value is not None and any(each(text_of(value)) for each in tests)

    return test


def _ends(token: Token) -> bool:
    return token[0] == "end" or token[1].lower() in ("or", "and", "|", ")")


def _pattern(reader: Reader) -> Callable[[str], bool]:
    kind, text = reader.take()
    if kind == "string":
        wanted = unquoted(text)
        return lambda value: wanted in value
    if kind != "regex":
        raise QueryError(f"like needs a string or a /regular expression/, found {text!r}")
    body, _, flags = text[1:].rpartition("/")
    compiled = regex(body, re.IGNORECASE if flags else 0)
    return lambda value: compiled.search(value) is not None


def _member(left: Expression, reader: Reader) -> Expression:
    reader.expect("[")
    items = [sum_of(reader)]
    while reader.accept(","):
        items.append(sum_of(reader))
    reader.expect("]")
    return lambda record: any(equal(left(record), item(record)) for item in items)


def _ordered(compare: Callable[[Any, Any], bool], left: Expression, right: Expression) -> Expression:
    def test(record: Record) -> bool:
        a, b = left(record), right(record)
        x, y = number_of(a), number_of(b)
        if x is not None and y is not None:
            return compare(x, y)
        return isinstance(a, str) and isinstance(b, str) and compare(a, b)

    return test


def sum_of(reader: Reader) -> Expression:
    """An expression that gives a value: arithmetic over fields, literals and functions."""
    left = _product(reader)
    while reader.peek() in (("symbol", "+"), ("symbol", "-")):
        sign = reader.take()[1]
        left = _arithmetic(operator.add if sign == "+" else operator.sub, left, _product(reader))
    return left


_PRODUCT: Mapping[str, Callable[[float, float], float]] = {
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
    "^": operator.pow,
}


def _product(reader: Reader) -> Expression:
    left = _single(reader)
    while reader.peek()[0] == "symbol" and reader.peek()[1] in _PRODUCT:
        left = _arithmetic(_PRODUCT[reader.take()[1]], left, _single(reader))
    return left


def _arithmetic(compute: Callable[[float, float], float], left: Expression, right: Expression) -> Expression:
    def value(record: Record) -> float | None:
        a, b = number_of(left(record)), number_of(right(record))
        if a is None or b is None:
            return None
        try:
            return compute(a, b)
        except (ZeroDivisionError, OverflowError):
            return None

    return value


def _single(reader: Reader) -> Expression:
    kind, text = reader.take()
    if kind == "number":
        number = float(text)
        return lambda _: number
    if kind == "string":
        literal = unquoted(text)
        return lambda _: literal
    if kind == "span":
        milliseconds = span_ms(text)
        return lambda _: milliseconds
    if text == "(":
        inner = condition(reader)
        reader.expect(")")
        return inner
    if text == "-":
        inner = _single(reader)
        return _arithmetic(operator.sub, lambda _: 0.0, inner)
    if kind in ("name", "quoted"):
        if kind == "name" and reader.peek()[1] == "(":
            return _function(text.lower(), reader)
        return lambda record: record.get(text)
    raise QueryError(f"unexpected {text!r}")


def _function(name: str, reader: Reader) -> Expression:
    from cockpit.rehearsal.aws.logs.insights_functions import FUNCTIONS

    arguments = arguments_of(reader)
    if name not in FUNCTIONS:
        raise QueryError(f"the function {name} is unknown here, or belongs into stats")
    compute = FUNCTIONS[name]
    return lambda record: compute([argument(record) for argument in arguments], record)


def arguments_of(reader: Reader) -> list[Expression]:
    """`(a, b)`; `*` is an argument that is always there."""
    reader.expect("(")
    found: list[Expression] = []
    while not reader.accept(")"):
        if reader.accept("*"):
            found.append(lambda _: True)
        else:
            found.append(condition(reader))
        reader.accept(",")
    return found


# -- values --------------------------------------------------------------------------------------------------------------


def span_ms(text: str) -> int:
    """Milliseconds of `5m`, `30s`."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d|w)", text)
    if found is None:
        raise QueryError(f"{text!r} is not a span of time")
    return int(found.group(1)) * _UNITS_MS[found.group(2)]


def unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def regex(body: str, flags: int = 0) -> re.Pattern[str]:
    """A regular expression as Insights takes it; named groups are written (?<name>...)."""
    try:
        return re.compile(re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", body), flags)
    except re.error as error:
        raise QueryError(f"invalid regular expression /{body}/: {error}") from error
