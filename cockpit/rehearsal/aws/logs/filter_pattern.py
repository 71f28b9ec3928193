"""Filter patterns of CloudWatch Logs: terms, JSON conditions and regular expressions.

`error`, `"exact words"`, `a b` (both), `?a ?b` (either), `-x` (not), `%regex%`, and
`{ $.level = "error" && ($.status >= 500 || $.path = "/api/*") }`.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Matches = Callable[[str, Any], bool]
"""(message, the message as JSON or None) -> whether it matches"""
Holds = Callable[[Any], bool]

_TERM = re.compile(r'\s*([?-]?)(?:"((?:\\.|[^"\\])*)"|%([^%]*)%|([^\s"]+))')
_TOKEN = re.compile(
    r"""\s*(?:(?P<symbol>&&|\|\||<=|>=|!=|[=<>()!])
    |(?P<path>\$(?:\.[\w@-]+|\[\d+\]|\['[^']*'\])+)
    |"(?P<quoted>(?:\\.|[^"\\])*)"|%(?P<regex>[^%]*)%|(?P<word>[^\s()=<>!&|]+))""",
    re.VERBOSE,
)
_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class PatternError(ValueError):
    """The pattern cannot be understood."""


def compile_pattern(pattern: str) -> Matches:
    """A function of (message, document). Raises PatternError.

    >>> either = compile_pattern('?ERROR ?"out of memory"')
    >>> either("an ERROR", None), either("out of memory", None), either("fine", None)
    (True, True, False)
    >>> compile_pattern('{ $.level = "error" && $.status >= 500 }')("", {"level": "error", "status": 503})
    True
    """
    text = pattern.strip()
    if not text:
        return lambda _, __: True
    if text.startswith("{"):
        holds = _JsonPattern(text).compiled()
        return lambda _, document: document is not None and holds(document)
    if text.startswith("["):
        raise PatternError("space-delimited patterns are not rehearsed")
    return _terms(text)


def _terms(text: str) -> Matches:
    must: list[Callable[[str], bool]] = []
    either: list[Callable[[str], bool]] = []
    never: list[Callable[[str], bool]] = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None:
            raise PatternError(f"Invalid filter pattern at '{text[at:]}'")
        sign, quoted, regex, bare = found.groups()
        test = _term(quoted, regex, bare)
        {"": must, "?": either, "-": never}[sign].append(test)
        at = found.end()

    def matches(message: str, _: Any) -> bool:
        if any(test(message) for test in never) or not all(test(message) for test in must):
            return False
        # Beside terms that must be there, `?` terms are ignored, as CloudWatch documents it.
        return bool(must) or not either or any(test(message) for test in either)

    return matches


def _term(quoted: str | None, regex: str | None, bare: str | None) -> Callable[[str], bool]:
    if regex is not None:
        compiled = _regex(regex)
        return lambda message: compiled.search(message) is not None
    wanted = _unescaped(quoted) if quoted is not None else str(bare)
    return lambda message: wanted in message


class _JsonPattern:
    """`{ ... }`: conditions on the members of a JSON message, with &&, || and brackets."""

    def __init__(self, text: str) -> None:
        if not text.endswith("}"):
            raise PatternError("Invalid filter pattern: '}' is missing")
        self._tokens = _json_tokens(text[1:-1])
        self._at = 0

    def compiled(self) -> Holds:
        holds = self._any()
        if self._at < len(self._tokens):
            raise PatternError(f"Invalid filter pattern at '{self._peek()[1]}'")
        return holds

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "the end")

    def _take(self, kind: str = "", text: str = "") -> tuple[str, str]:
        token = self._peek()
        if token[0] == "end" or (kind and token[0] != kind) or (text and token[1] != text):
            raise PatternError(f"Invalid filter pattern: expected {text or kind or 'more'} at '{token[1]}'")
        self._at += 1
        return token

    def _any(self) -> Holds:
        parts = [self._all()]
        while self._peek() == ("symbol", "||"):
            self._take()
            parts.append(self._all())
        return lambda document: any(part(document) for part in parts)

    def _all(self) -> Holds:
        parts = [self._one()]
        while self._peek() == ("symbol", "&&"):
            self._take()
            parts.append(self._one())
        return lambda document: all(part(document) for part in parts)

    def _one(self) -> Holds:
        if self._peek() == ("symbol", "("):
            self._take()
            inner = self._any()
            self._take("symbol", ")")
            return inner
        path = _steps(self._take("path")[1])
        kind, sign = self._take()
        if kind == "word" and sign.upper() in ("IS", "NOT"):
            return self._stands(path, sign.upper())
        if kind != "symbol" or sign not in ("=", "!=", *_ORDER):
            raise PatternError(f"Invalid filter pattern: '{sign}' is no comparison")
        return _comparison(path, sign, *self._take())

    def _stands(self, path: Sequence[str], sign: str) -> Holds:
        """`IS NULL`, `IS TRUE`, `IS FALSE`, `NOT EXISTS`."""
        word = self._take("word")[1].upper()
        wanted = {"NULL": None, "TRUE": True, "FALSE": False}
        if sign == "NOT" and word == "EXISTS":
            return lambda document: not _found(document, path)
        if sign == "IS" and word in wanted:
            return lambda document: _found(document, path) == [wanted[word]]
        raise PatternError(f"Invalid filter pattern: {sign} {word}")


def _comparison(path: Sequence[str], sign: str, kind: str, text: str) -> Holds:
    if sign in _ORDER:
        number = _as_number(text)
        if number is None:
            raise PatternError(f"Invalid filter pattern: '{text}' is not a number")
        compare = _ORDER[sign]
        return lambda document: any(
            _is_number(value) and compare(float(value), number) for value in _found(document, path)
        )
    equals = _equality(kind, text)
    if sign == "=":
        return lambda document: any(equals(value) for value in _found(document, path))
    return lambda document: bool(found := _found(document, path)) and not any(equals(value) for value in found)


def _equality(kind: str, text: str) -> Callable[[Any], bool]:
    if kind == "regex":
        compiled = _regex(text)
        return lambda value: isinstance(value, str) and compiled.search(value) is not None
    number = _as_number(text)
    wanted = _unescaped(text) if kind == "quoted" else text
    if kind == "word" and number is not None:
        return lambda value: _is_number(value) and float(value) == number
    if "*" in wanted:
        compiled = re.compile(fnmatch.translate(wanted.replace("[", "[[]").replace("?", "[?]")))
        return lambda value: isinstance(value, str) and compiled.match(value) is not None
    return lambda value: isinstance(value, str) and value == wanted


def _json_tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise PatternError(f"Invalid filter pattern at '{text[at:]}'")
        found.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


def _steps(path: str) -> list[str]:
    return [a or b or c for a, b, c in re.findall(r"\.([\w@-]+)|\[(\d+)\]|\['([^']*)'\]", path)]


def _found(document: Any, path: Sequence[str]) -> list[Any]:
    for step in path:
        if isinstance(document, Mapping) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return []
    return [document]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise PatternError(f"Invalid regular expression %{text}%: {error}") from error


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
