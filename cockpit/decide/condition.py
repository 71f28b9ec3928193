"""Conditions: CEL over named readings, checked when the plan is loaded and evaluated three-valued.

    service.running >= 2 && service.running == service.desired

A condition is true, false or unknown, and unknown is never healthy. Measured holes in CEL are closed here or at load:
`has()` turns unknown into false and is refused; `all()` over an empty list is true and `null == 1` is false, so nulls, NaN,
infinities and empty lists never enter the context; `1.0 / 0.0 > 1.0` is true, so division is refused (ratios come from
probes, which know their denominator).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cel

from probes.base import Field
from probes.reading import Reading, Reason, Unknown, Value

MAX_LENGTH = 1_000
"""CEL has no resource limits of its own: a long enough source can crash the process."""

_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_PATH = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\s*\.\s*([A-Za-z_]\w*)(?!\w|\s*\()")
_COMPARISON = re.compile(
    r"(?<![\w.])([A-Za-z_]\w*\.[A-Za-z_]\w*)\s*(<=|>=|==|!=|<|>)\s*(-?\d+(?:\.\d+)?(?![\w.])|true\b|false\b|'[^']*'|\"[^\"]*\")"
)
_COMPREHENSIONS = ("all", "exists", "exists_one", "map", "filter")
_POSITION = re.compile(r"<input>:(\d+):(\d+): ?(.*)")


class ConditionError(ValueError):
    """A condition that cannot be used; `offset` and `length` (characters of the source) say where."""

    def __init__(self, message: str, offset: int = 0, length: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.length = max(1, length)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of one path with one literal, as written."""

    path: str
    operator: str
    literal: float | bool | str


@dataclass(frozen=True, slots=True)
class Outcome:
    """True, False, or None for unknown with the reason."""

    truth: bool | None
    unknown: Unknown | None = None
    path: str = ""
    """The path that could not be read, where one is to blame."""


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A compiled condition. `paths` are the (probe, field) pairs it reads, in the order written."""

    source: str
    paths: tuple[tuple[str, str], ...]
    comparisons: tuple[Comparison, ...]
    _program: Any = field(repr=False)

    @property
    def probes(self) -> tuple[str, ...]:
        """Names of the probes it depends on, in the order written."""
        return tuple(dict.fromkeys(probe for probe, _ in self.paths))

    def evaluate(
        self, context: Mapping[str, Mapping[str, Value]], unknown: Mapping[str, Unknown] | None = None
    ) -> Outcome:
        """Evaluate on values by probe and field. `unknown` says why a `probe.field` (or a whole `probe`) is absent."""
        try:
            truth = self._program.execute(_plain(context, self.probes))
        except Exception as error:  # noqa: BLE001 - CEL raises KeyError, RuntimeError, TypeError, ValueError alike
            return self._blame(context, unknown or {}, error)
        if isinstance(truth, bool):
            return Outcome(truth)
        return Outcome(None, Unknown(Reason.ERROR, f"the condition gave {truth!r}, not true or false"))

    def _blame(
        self, context: Mapping[str, Mapping[str, Value]], unknown: Mapping[str, Unknown], error: Exception
    ) -> Outcome:
        for probe, name in self.paths:
            if name in context.get(probe, {}):
                continue
            path = f"{probe}.{name}"
            why = unknown.get(path) or unknown.get(probe) or Unknown(Reason.WARMING, f"no reading of {probe} yet")
            return Outcome(None, why, path)
        return Outcome(None, Unknown(Reason.ERROR, f"the condition could not be evaluated: {error}"))

    def check(self, fields: Mapping[str, tuple[Field, ...]]) -> list[ConditionError]:
        """Every problem of using it with these probes: unknown probe or field, wrong types, not a bool."""
        problems = [error for match in _paths(self.source) if (error := _missing(match, fields)) is not None]
        if problems:
            return problems
        example = {probe: {f.name: f.example for f in fields[probe]} for probe in self.probes}
        outcome = self.evaluate(example)
        if outcome.truth is None:
            detail = outcome.unknown.detail if outcome.unknown else "unknown"
            return [ConditionError(f"does not type-check on the probes' examples: {detail}", 0, len(self.source))]
        return _mixed_types(self, fields)


@lru_cache(maxsize=4096)
def compile_condition(source: str) -> Condition:
    """Compile, or raise ConditionError with the place.

    >>> compile_condition("errors.rate > 0.05").probes
    ('errors',)
    >>> compile_condition("has(errors.rate)")
    Traceback (most recent call last):
    ...
    cockpit.decide.condition.ConditionError: has() reads an unknown value as false: name the field itself instead
    """
    if len(source) > MAX_LENGTH:
        raise ConditionError(f"longer than {MAX_LENGTH:,} characters", 0, len(source))
    bare = _STRING.sub(lambda m: "'" + " " * (len(m.group()) - 2) + "'", source)
    _refuse(bare)
    try:
        program = cel.compile(source)
        references = program.references()
    except Exception as error:  # noqa: BLE001 - the parser raises ValueError, and others for odd input
        raise _syntax(source, str(error)) from None
    paths = tuple(dict.fromkeys((m.group(1), m.group(2)) for m in _paths(source)))
    if not paths:
        raise ConditionError("reads no probe: write probe.field, for example service.running >= 2", 0, len(source))
    bound = _bound_names(bare)
    for name in references["variables"]:
        if name not in bound and name not in {probe for probe, _ in paths}:
            at = bare.find(name)
            raise ConditionError(f"'{name}' is not a field: write probe.field", max(0, at), len(name))
    comparisons = tuple(_comparison(m) for m in _COMPARISON.finditer(source) if m.group(1).split(".")[0] not in bound)
    paths = tuple(p for p in paths if p[0] not in bound)
    return Condition(source, paths, comparisons, program)


def context_of(readings: Mapping[str, Reading]) -> tuple[dict[str, Mapping[str, Value]], dict[str, Unknown]]:
    """The values conditions may see, and why the others are absent, from the newest reading of each probe."""
    unknown = {f"{probe}.{name}": why for probe, reading in readings.items() for name, why in reading.unknown.items()}
    return {probe: reading.values for probe, reading in readings.items()}, unknown


def _plain(context: Mapping[str, Mapping[str, Value]], probes: tuple[str, ...]) -> dict[str, Any]:
    """Only what CEL understands, and only the probes asked for."""
    return {
        probe: {k: list(v) if isinstance(v, tuple) else v for k, v in context[probe].items()}
        for probe in probes
        if probe in context
    }


def _refuse(bare: str) -> None:
    for word, why in (
        ("has", "has() reads an unknown value as false: name the field itself instead"),
        ("matches", "matches() is refused: compare with == or use contains()"),
    ):
        if match := re.search(rf"\b{word}\s*\(", bare):
            raise ConditionError(why, match.start(), len(word))
    for operator in "/%":
        if (at := bare.find(operator)) >= 0:
            raise ConditionError(
                f"'{operator}' is refused: dividing by zero is no error in CEL; use a ratio probe, which knows its denominator",
                at,
            )
    if match := re.search(r"\bnull\b", bare):
        raise ConditionError("null never occurs in a reading: an absent value is unknown", match.start(), 4)
    if match := re.search(r"\?", bare):
        raise ConditionError("? is refused: a choice would hide an unknown value; use && and ||", match.start(), 1)
    found = [m for word in _COMPREHENSIONS for m in re.finditer(rf"\.\s*{word}\s*\(", bare)]
    if len(found) > 1:
        raise ConditionError(
            "at most one of all(), exists(), map(), filter() in a condition: nested ones can take minutes",
            found[1].start(),
            4,
        )


def _bound_names(bare: str) -> set[str]:
    return {m.group(1) for m in re.finditer(rf"\.\s*(?:{'|'.join(_COMPREHENSIONS)})\s*\(\s*([A-Za-z_]\w*)\s*,", bare)}


def _paths(source: str) -> list[re.Match[str]]:
    bare = _STRING.sub(lambda m: " " * len(m.group()), source)
    bound = _bound_names(bare)
    return [m for m in _PATH.finditer(bare) if m.group(1) not in bound]


def _missing(match: re.Match[str], fields: Mapping[str, tuple[Field, ...]]) -> ConditionError | None:
    from difflib import get_close_matches

    probe, name = match.group(1), match.group(2)
    if probe not in fields:
        near = get_close_matches(probe, list(fields), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return ConditionError(f"there is no probe '{probe}' in this plan{hint}", match.start(1), len(probe))
    known = [f.name for f in fields[probe]]
    if name in known:
        return None
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else f"; it has {', '.join(known)}"
    return ConditionError(f"probe '{probe}' has no field '{name}'{hint}", match.start(2), len(name))


def _mixed_types(condition: Condition, fields: Mapping[str, tuple[Field, ...]]) -> list[ConditionError]:
    """CEL answers false, not an error, when a number is compared with a string: find that at load."""
    types = {f"{probe}.{f.name}": f.type for probe in condition.probes for f in fields[probe]}
    problems = []
    for match in _COMPARISON.finditer(condition.source):
        comparison, declared = _comparison(match), types.get(match.group(1).replace(" ", ""))
        if declared is None:
            continue
        literal = type(comparison.literal)
        numeric = declared in (int, float) and literal is float
        if not numeric and declared is not literal:
            problems.append(
                ConditionError(
                    f"{comparison.path} is {declared.__name__}, but is compared with {match.group(3)}",
                    match.start(),
                    match.end() - match.start(),
                )
            )
    return problems


def _comparison(match: re.Match[str]) -> Comparison:
    path, operator, text = match.groups()
    literal: float | bool | str
    if text in ("true", "false"):
        literal = text == "true"
    elif text[0] in "'\"":
        literal = text[1:-1]
    else:
        literal = float(text)
    return Comparison(path, operator, literal)


def _syntax(source: str, text: str) -> ConditionError:
    match = _POSITION.search(text)
    if not match:
        return ConditionError(text.splitlines()[0] if text else "cannot be parsed", 0, len(source))
    line, column, message = int(match.group(1)), int(match.group(2)), match.group(3)
    lines = source.splitlines(keepends=True)
    offset = sum(len(part) for part in lines[: line - 1]) + column - 1
    expecting = message.split(" expecting ")[0]
    return ConditionError(expecting or "cannot be parsed", min(offset, max(0, len(source) - 1)))


__all__ = ["Comparison", "Condition", "ConditionError", "Outcome", "compile_condition", "context_of"]
