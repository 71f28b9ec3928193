"""Which operands make a condition true or false: of an && those that are false, of an || those that are true. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from cockpit.conditions import tokens
from cockpit.conditions.condition import (
    COMPARE,
    Comparison,
    Condition,
    ConditionError,
    as_path,
    comparison_of,
    compile_condition,
)
from cockpit.conditions.tokens import Token
from probes.frozen import frozen
from probes.reading import Value

_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


@frozen
class Operand:
    """One operand: the paths it reads, and what it compares. None: it is more than a path with a literal."""

    paths: tuple[str, ...]
    comparison: Comparison | None = None
    condition: Condition | None = None
    """The operand as a condition of its own, where it is more than a path with a literal."""
    positive: bool = True
    """Whether the operand holds where that condition does; else where it does not."""

    def truth(self, values: Mapping[str, Value]) -> bool | None:
        """True or false, None where that cannot be told from `values`, which are by path."""
        one = self.comparison
        if self.condition is not None and values.keys() >= set(self.paths):
            truth = self.condition.evaluate(_by_probe({path: values[path] for path in self.paths})).truth
            return truth if truth is None else truth is self.positive
        if one is None or one.path not in values:
            return None
        held = values[one.path]
        if isinstance(one.literal, float) and isinstance(held, (int, float)):
            return COMPARE[one.operator](held, one.literal)
        if one.operator in ("==", "!="):
            return (held == one.literal) == (one.operator == "==")
        return None


def _by_probe(values: Mapping[str, Value]) -> Mapping[str, Mapping[str, Value]]:
    found: defaultdict[str, dict[str, Value]] = defaultdict(dict)
    for path, value in values.items():
        probe, _, name = path.partition(".")
        found[probe][name] = value
    return found


@frozen
class _Group:
    all_of: bool
    parts: tuple[_Group | Operand, ...]


def deciding(source: str, values: Mapping[str, Value]) -> tuple[bool | None, tuple[Operand, ...]]:
    """What a condition comes to as far as its operands tell, and those that make it so.

    >>> deciding("a.n == 1 && b.ok && !c.bad", {"a.n": 2, "b.ok": True, "c.bad": True})[1][0].comparison
    Comparison(path='a.n', operator='==', literal=1.0)
    >>> [one.paths for one in deciding("a.n > 3 || !b.ok", {"a.n": 1, "b.ok": False})[1]]
    [('b.ok',)]
    """
    return _of(_tree(source), values)


def _of(node: _Group | Operand, values: Mapping[str, Value]) -> tuple[bool | None, tuple[Operand, ...]]:
    if isinstance(node, Operand):
        return node.truth(values), (node,)
    found = [_of(part, values) for part in node.parts]
    truths = [truth for truth, _ in found]
    settles = not node.all_of
    truth = settles if settles in truths else None if None in truths else node.all_of
    return truth, tuple(operand for part, operands in found if part is truth for operand in operands)


@lru_cache(maxsize=4096)
def _tree(source: str) -> _Group | Operand:
    return _parsed(source, tokens.tokenize(source), positive=True)


def _parsed(source: str, words: Sequence[Token], *, positive: bool) -> _Group | Operand:
    """`not` is carried down to the operands: not (a && b) is (not a) || (not b)."""
    for operator in ("||", "&&"):
        parts = tokens.split(words, operator)
        if len(parts) > 1:
            return _Group(
                (operator == "&&") is positive, tuple(_parsed(source, part, positive=positive) for part in parts)
            )
    if words and words[0].text == "!":
        return _parsed(source, words[1:], positive=not positive)
    if words and words[0].text == "(" and tokens.closing(words, 0) == len(words) - 1:
        return _parsed(source, words[1:-1], positive=positive)
    paths = tuple(dict.fromkeys(f"{probe.text}.{name.text}" for probe, name in tokens.paths(words)))
    found = comparison_of(words) or (Comparison(path, "==", literal=True) if (path := as_path(words)) else None)
    if found is not None and not positive:
        flag = isinstance(found.literal, bool) and found.operator == "=="
        found = (
            replace(found, literal=not found.literal) if flag else replace(found, operator=_OPPOSITE[found.operator])
        )
    return Operand(paths, found, _condition(source, words) if found is None else None, positive)


def _condition(source: str, words: Sequence[Token]) -> Condition | None:
    """These words as a condition; None where they are none by themselves."""
    try:
        return compile_condition(source[words[0].start : words[-1].end]) if words else None
    except ConditionError:
        return None
