"""Conditions: CEL over named readings, checked when the plan is loaded and evaluated three-valued.

    service.running >= 2 && service.running == service.desired

A condition is true, false or unknown, and unknown is never healthy. Measured holes in CEL are closed here or at load:
`has()` turns unknown into false and is refused; `all()` over an empty list is true and `null == 1` is false, so nulls, NaN,
infinities and empty lists never enter the context; `1.0 / 0.0 > 1.0` is true, so division is refused (ratios come from
probes, which know their denominator); `2 == 'two'` is false, so every comparison is typed at load.
"""

from __future__ import annotations

import operator as operators
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cockpit.conditions import bounds, tokens
from cockpit.conditions.cel_engine import load_compiler
from cockpit.conditions.tokens import Token
from probes.frozen import frozen
from probes.reading import Field, Reading, Reason, Unknown, Value, is_hollow
from probes.suggestion import suggestion

cel = load_compiler()
MAX_LENGTH = 1_000
"""CEL has no resource limits of its own: a long enough source can crash the process."""

_POSITION = re.compile(r"<input>:(\d+):(\d+): ?(.*)")
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operators.lt, "<=": operators.le, ">": operators.gt, ">=": operators.ge, "==": operators.eq, "!=": operators.ne,
}  # fmt: skip
"""What each operator of a comparison means for numbers."""
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class ConditionError(ValueError):
    """A condition that cannot be used; `offset` and `length` (characters of the source) say where.

    `more` are further reasons, in other places.
    """

    def __init__(self, message: str, offset: int = 0, length: int = 1, more: Sequence[ConditionError] = ()) -> None:
        super().__init__(message)
        self.more = tuple(more)
        self.message = message
        self.offset = offset
        self.length = max(1, length)


@frozen
class Comparison:
    """A comparison of one path with one literal, the path first."""

    path: str
    operator: str
    literal: float | bool | str


@frozen
class Outcome:
    """True, False, or None for unknown with the reason: none is made without it, so nothing unknown is taken for seen."""

    truth: bool | None
    unknown: Unknown | None = None
    path: str = ""
    """The path that could not be read, where one is to blame."""
    unread: tuple[tuple[str, Unknown], ...] = ()
    """Every path that could not be read, and why."""

    def __post_init__(self) -> None:
        if (self.truth is None) is not (self.unknown is not None):
            raise ValueError("an outcome is true, false, or unknown for a reason")


TRUE, FALSE = Outcome(truth=True), Outcome(truth=False)


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A compiled condition. `paths` are the (probe, field) pairs it reads, in the order written."""

    source: str
    paths: tuple[tuple[str, str], ...]
    comparisons: tuple[Comparison, ...]
    _program: Any = field(repr=False)
    _limits: Mapping[tuple[str, str], tuple[float, ...]] = field(repr=False)
    """What each path that is only ever compared with numbers is compared with."""

    @property
    def probes(self) -> tuple[str, ...]:
        """Names of the probes it depends on, in the order written."""
        return tuple(dict.fromkeys(probe for probe, _ in self.paths))

    def evaluate(
        self, context: Mapping[str, Mapping[str, Value]], unknown: Mapping[str, Unknown] | None = None
    ) -> Outcome:
        """Evaluate on values by probe and field. `unknown` says why a `probe.field` (or a whole `probe`) is absent.

        A number that is not known but lies within bounds decides where the condition is the same everywhere between them.
        """
        plain, unknown = self._plain(context), unknown or {}
        outcome = self._execute(plain, context, unknown)
        if outcome.truth is None and (within := self._within(plain, context, unknown)):
            truths = {self._execute(each, context, unknown).truth for each in bounds.everywhere(plain, within)}
            if truths in ({True}, {False}):
                return TRUE if truths == {True} else FALSE
        return outcome

    def read(self, context: Mapping[str, Mapping[str, Value]], unknown: Mapping[str, Unknown]) -> tuple[object, ...]:
        """All it reads of what `evaluate` would be given: where that is the same, so is the outcome."""
        found: list[object] = []
        for probe, name in self.paths:
            value = context[probe].get(name) if probe in context else None
            if is_hollow(value):
                why = unknown.get(f"{probe}.{name}") or unknown.get(probe)
                found.append((probe in context, why))
            else:
                found.append((type(value), value))  # to CEL 2 and 2.0 are not the same
        return tuple(found)

    def _execute(
        self,
        plain: Mapping[str, Mapping[str, Any]],
        context: Mapping[str, Mapping[str, Value]],
        unknown: Mapping[str, Unknown],
    ) -> Outcome:
        try:
            truth = self._program.execute(plain)
        except Exception as error:  # noqa: BLE001 - CEL raises KeyError, RuntimeError, TypeError, ValueError alike
            return self._blame(context, unknown, error)
        if isinstance(truth, bool):
            return TRUE if truth else FALSE
        return Outcome(None, Unknown(Reason.ERROR, f"the condition gave {truth!r}, not true or false"))

    def _within(
        self,
        plain: Mapping[str, Mapping[str, Any]],
        context: Mapping[str, Mapping[str, Value]],
        unknown: Mapping[str, Unknown],
    ) -> dict[tuple[str, str], tuple[float, ...]]:
        """For each absent number of a probe that answered: values that stand for all it may be, by its bounds and limits."""
        found = {}
        for probe, name in self.paths:
            why, limits = unknown.get(f"{probe}.{name}"), self._limits.get((probe, name))
            if probe in context and name not in plain[probe] and limits and why is not None and why.bounds is not None:
                found[probe, name] = bounds.points(why.bounds, limits)
        return found

    def _plain(self, context: Mapping[str, Mapping[str, Value]]) -> dict[str, dict[str, Any]]:
        """Only the fields it reads, only what CEL understands, and nothing hollow."""
        plain: dict[str, dict[str, Any]] = {probe: {} for probe, _ in self.paths}
        for probe, name in self.paths:
            if probe in context and not is_hollow(value := context[probe].get(name)):
                plain[probe][name] = list(value) if isinstance(value, tuple) else value
        return plain

    def _blame(
        self, context: Mapping[str, Mapping[str, Value]], unknown: Mapping[str, Unknown], error: Exception
    ) -> Outcome:
        """Which path is to blame. One that cannot heal by itself first: it must not hide behind a passing trouble; and want of
        traffic last, which excuses nothing that cannot be read for another reason."""
        unread = []
        for probe, name in self.paths:
            path = f"{probe}.{name}"
            if probe not in context:
                fallback = Unknown(Reason.WARMING, f"no reading of {probe} yet")
            elif is_hollow(context[probe].get(name)):
                fallback = Unknown(Reason.NO_DATA, f"{probe} answered without {name}")
            else:
                continue
            unread.append((path, unknown.get(path) or unknown.get(probe) or fallback))
        if not unread:
            return Outcome(None, Unknown(Reason.ERROR, f"the condition could not be evaluated: {error}"))
        path, why = min(unread, key=lambda each: (each[1].reason.traits.is_no_traffic, each[1].transient))
        return Outcome(None, why, path, tuple(unread))

    def check(self, fields: Mapping[str, tuple[Field, ...]]) -> list[ConditionError]:
        """Every problem of using it with these probes: unknown probe or field, wrong types, not a bool."""
        words = tokens.tokenize(self.source)
        problems = [error for path in tokens.paths(words) if (error := _missing(*path, fields)) is not None]
        problems += _shadowed(words, fields)
        if problems:
            return problems
        examples = {probe: {f.name: _example(f) for f in fields[probe]} for probe in self.probes}
        problems = [problem for term in tokens.terms(words) for problem in _ill_typed(self.source, term, examples)]
        if problems:
            return problems
        outcome = self.evaluate(examples)
        if outcome.truth is None:
            detail = outcome.unknown.detail if outcome.unknown else "unknown"
            return [ConditionError(f"does not type-check on the probes' examples: {detail}", 0, len(self.source))]
        return []


@lru_cache(maxsize=4096)
def compile_condition(source: str) -> Condition:
    """Compile, or raise ConditionError with the place.

    >>> compile_condition("errors.rate > 0.05").probes
    ('errors',)
    >>> compile_condition("has(errors.rate)")
    Traceback (most recent call last):
    ...
    cockpit.conditions.condition.ConditionError: has() reads an unknown value as false: name the field itself instead
    """
    if len(source) > MAX_LENGTH:
        raise ConditionError(f"longer than {MAX_LENGTH:,} characters", 0, len(source))
    words = tokens.tokenize(source)
    refused = [ConditionError(each.message, each.token.start, len(each.token.text)) for each in tokens.refusals(words)]
    if refused:
        first, *more = sorted(refused, key=lambda each: each.offset)
        raise ConditionError(first.message, first.offset, first.length, more)
    program = _program(source)
    paths = tuple(dict.fromkeys((probe.text, name.text) for probe, name in tokens.paths(words)))
    if [word.kind for word in words] == ["string"]:
        raise ConditionError("is a text in quotation marks, not a condition: leave the inner ones out", 0, len(source))
    if not paths:
        raise ConditionError("reads no probe: write probe.field, for example service.running >= 2", 0, len(source))
    # CEL's own list of variables must agree with ours, or something is read that nobody polls.
    unseen = set(program.references()["variables"]) - {probe for probe, _ in paths} - tokens.bound_names(words)
    if unseen:
        name = min(unseen)
        raise ConditionError(f"'{name}' is not a field: write probe.field", max(0, source.find(name)), len(name))
    comparisons = tuple(_comparisons(words))
    condition = Condition(source, paths, comparisons, program, _limits(words, comparisons))
    if (always := condition.evaluate({}).truth) is not None:
        raise ConditionError(f"is always {str(always).lower()}, whatever the probes say", 0, len(source))
    return condition


def context_of(readings: Mapping[str, Reading]) -> tuple[dict[str, Mapping[str, Value]], dict[str, Unknown]]:
    """The values conditions may see, and why the others are absent, from the newest reading of each probe."""
    unknown = {f"{probe}.{name}": why for probe, reading in readings.items() for name, why in reading.unknown.items()}
    return {probe: reading.values for probe, reading in readings.items()}, unknown


def _program(source: str) -> Any:
    try:
        program = cel.compile(source)
        program.references()
    except Exception as error:  # noqa: BLE001 - the parser raises ValueError, and others for odd input
        raise _syntax(source, str(error)) from None
    return program


def _comparisons(words: Sequence[Token]) -> Iterator[Comparison]:
    """Comparisons of a path with a literal, whichever comes first, for thresholds and for lint."""
    yield from (found for term in tokens.terms(words) if (found := comparison_of(term)) is not None)


def _limits(words: Sequence[Token], comparisons: Sequence[Comparison]) -> dict[tuple[str, str], tuple[float, ...]]:
    """The numbers a path is compared with, for each path that is read in no other way."""
    read = Counter((probe.text, name.text) for probe, name in tokens.paths(words))
    limits: dict[tuple[str, str], list[float]] = {}
    for one in comparisons:
        if isinstance(one.literal, float):
            probe, _, name = one.path.partition(".")
            limits.setdefault((probe, name), []).append(one.literal)
    return {path: tuple(numbers) for path, numbers in limits.items() if len(numbers) == read[path]}


def comparison_of(term: Sequence[Token]) -> Comparison | None:
    """What a term compares, if it is a path with a literal."""
    parts = tokens.comparison(term)
    if parts is None or parts[1] not in _MIRRORED:
        return None
    left, operator, right = parts
    if (path := as_path(left)) and (literal := as_literal(right)) is not None:
        return Comparison(path, operator, literal)
    if (path := as_path(right)) and (literal := as_literal(left)) is not None:
        return Comparison(path, _MIRRORED[operator], literal)
    return None


def as_path(side: Sequence[Token]) -> str:
    found = list(tokens.paths(side))
    return f"{found[0][0].text}.{found[0][1].text}" if len(side) == 3 and found else ""


def as_literal(side: Sequence[Token]) -> float | bool | str | None:
    sign = -1.0 if len(side) == 2 and side[0].text == "-" else 1.0
    if len(side) - (sign < 0) != 1:
        return None
    word = side[-1]
    if word.kind == "string":
        return word.text[1:-1]
    if word.kind == "number":
        digits = word.text.removesuffix("u")
        return sign * (float(int(digits, 16)) if digits[:2] in ("0x", "0X") else float(digits))
    return word.text == "true" if word.text in ("true", "false") else None


# -- checking against the probes -------------------------------------------------------------------------------------


def _missing(probe: Token, name: Token, fields: Mapping[str, tuple[Field, ...]]) -> ConditionError | None:
    if probe.text not in fields:
        hint = suggestion(probe.text, fields)
        return ConditionError(f"there is no probe '{probe.text}' in this plan{hint}", probe.start, len(probe.text))
    known = [f.name for f in fields[probe.text]]
    if name.text in known:
        return None
    hint = suggestion(name.text, known, "it has")
    return ConditionError(f"probe '{probe.text}' has no field '{name.text}'{hint}", name.start, len(name.text))


def _shadowed(words: Sequence[Token], fields: Mapping[str, tuple[Field, ...]]) -> list[ConditionError]:
    """A comprehension's variable with the name of a probe would quietly keep that probe from being read."""
    bound = tokens.bound_names(words)
    word = next((w for w in words if w.text in bound and w.text in fields), None)
    if word is None:
        return []
    why = f"'{word.text}' is the name of a probe: call the variable something else"
    return [ConditionError(why, word.start, len(word.text))]


def _example(declared: Field) -> Any:
    held = declared.example
    return float(held) if declared.type is float and isinstance(held, int) else held


def _ill_typed(source: str, term: Sequence[Token], examples: Mapping[str, Mapping[str, Any]]) -> list[ConditionError]:
    """Each term is tried by itself, so that no `||` hides one; what is compared must be of one type."""
    if not term:
        return []
    start, end = term[0].start, term[-1].end
    parts = tokens.comparison(term)
    try:
        if parts is None or parts[1] == "in":
            value = _try(source[start:end], examples)
            if not isinstance(value, bool):
                wrong = f"does not type-check: {source[start:end]} is {_kind(value)}, not true or false"
                return [ConditionError(wrong, start, end - start)]
        if parts is None:
            return []
        left, operator, right = (
            side if isinstance(side, str) else source[side[0].start : side[-1].end] for side in parts
        )
        one, other = _try(left, examples), _try(right, examples)
        if _kind(one) == _kind(other):
            _try(source[start:end], examples)
    except Exception as error:  # noqa: BLE001 - CEL raises KeyError, RuntimeError, TypeError, ValueError alike
        return [ConditionError(f"does not type-check on the probes' examples: {error}", start, end - start)]
    others = other if operator == "in" and isinstance(other, list) else [other]
    wrong_ones = [each for each in others if _kind(each) != _kind(one)]
    if not wrong_ones:
        return []
    return [
        ConditionError(
            f"{left} is {_kind(one)}, but is compared with {right}, {_kind(wrong_ones[0])}", start, end - start
        )
    ]


def _try(source: str, examples: Mapping[str, Mapping[str, Any]]) -> Any:
    plain = {
        probe: {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
        for probe, fields in examples.items()
    }
    return cel.compile(source).execute(plain)


def _kind(value: object) -> str:
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "true or false"),
        ((int, float), "a number"),
        (str, "text"),
        (datetime, "a time"),
        (timedelta, "a duration"),
        ((list, tuple), "a list"),
    )
    return next((name for types, name in kinds if isinstance(value, types)), type(value).__name__)


def _syntax(source: str, text: str) -> ConditionError:
    match = _POSITION.search(text)
    if not match:
        return ConditionError(text.splitlines()[0] if text else "cannot be parsed", 0, len(source))
    line, column, message = int(match.group(1)), int(match.group(2)), match.group(3)
    lines = source.splitlines(keepends=True)
    offset = sum(len(part) for part in lines[: line - 1]) + column - 1
    expecting = message.split(" expecting ")[0]
    return ConditionError(expecting or "cannot be parsed", min(max(0, offset), max(0, len(source) - 1)))


__all__ = ["Comparison", "Condition", "ConditionError", "Outcome", "compile_condition", "context_of"]
