"""Whether a condition can be true at all, and can be false: interval reasoning over what its fields can ever be. Pure.

A condition is written as alternatives of things that must all hold (its disjunctive form). An alternative is possible unless
one field would have to be two things at once, or something it can never be. What is not understood counts as possible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from cockpit.conditions import tokens
from cockpit.conditions.condition import as_literal, as_path, comparison_of
from cockpit.conditions.tokens import Token
from probes.frozen import frozen
from probes.reading import Field

MAX_ALTERNATIVES = 400
_FLIPPED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "==", "in": "not in"}
Fields = Callable[[str], Field | None]
"""`probe.field` to its declaration."""


@frozen
class Atom:
    """One thing that must hold: a path compared with literals, or a term that is not understood (`path` empty)."""

    path: str
    operator: str
    values: tuple[float | bool | str, ...]
    start: int
    end: int
    source: str = ""

    def flipped(self) -> Atom:
        return Atom(self.path, _FLIPPED[self.operator], self.values, self.start, self.end, self.source)


@dataclass(slots=True)
class Range:
    """What a field can still be: an interval, or for words and truths the ones that are left (None: any)."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    whole: bool = False
    never: set[float | bool | str] = field(default_factory=set)
    among: set[float | bool | str] | None = None

    @classmethod
    def of(cls, declared: Field | None) -> Range:
        if declared is None:
            return cls()
        if declared.type is bool:
            return cls(among={True, False})
        low = -math.inf if declared.low is None else float(declared.low)
        high = math.inf if declared.high is None else float(declared.high)
        return cls(low, high, whole=declared.type is int)

    def narrow(self, atom: Atom) -> None:
        """Leave only what the atom allows."""
        operator, value = atom.operator, atom.values[0]
        if operator in ("==", "in"):
            self.among = set(atom.values) if self.among is None else self.among & set(atom.values)
        elif operator in ("!=", "not in"):
            self.never |= set(atom.values)
        elif isinstance(value, str | bool):
            return  # words in alphabetical order: possible
        elif operator in (">", ">="):
            bound = (float(value), operator == ">")
            self.low, self.low_open = max((self.low, self.low_open), bound)
        else:
            tighter = min((self.high, not self.high_open), (float(value), operator == "<="))
            self.high, self.high_open = tighter[0], not tighter[1]

    def empty(self) -> bool:
        low, high, low_open, high_open = self.low, self.high, self.low_open, self.high_open
        if self.whole and math.isfinite(low):
            low, low_open = (low + 1 if low_open and low == math.floor(low) else math.ceil(low)), False
        if self.whole and math.isfinite(high):
            high, high_open = (high - 1 if high_open and high == math.floor(high) else math.floor(high)), False
        if self.among is not None:
            return not any(self._within(one, low, high, low_open, high_open) for one in self.among - self.never)
        if low > high or (low == high and (low_open or high_open)):
            return True
        return low == high and low in self.never

    def _within(self, one: float | bool | str, low: float, high: float, low_open: bool, high_open: bool) -> bool:
        if isinstance(one, str | bool):
            return True
        if self.whole and one != math.floor(one):
            return False
        return (low < one or (low == one and not low_open)) and (one < high or (one == high and not high_open))


def possible(source: str, fields: Fields, *, outcome: bool = True) -> bool:
    """Whether the condition can come out so, whatever the world does.

    >>> rate = Field("rate", float, "share", 0.1, low=0, high=1)
    >>> [possible(f"e.rate {t}", lambda path: rate) for t in ("> 5", "> 0.05", "< 0.0", "> 0.5 && e.rate < 0.4")]
    [False, True, False, False]
    """
    try:
        return any(consistent(one, fields) for one in alternatives(source, outcome=outcome))
    except OverflowError:
        return True


def consistent(atoms: Sequence[Atom], fields: Fields) -> bool:
    """Whether these can all hold at once."""
    ranges: dict[str, Range] = {}
    operators: dict[str, str] = {}
    for atom in atoms:
        if not atom.path:
            if operators.setdefault(atom.source, atom.operator) != atom.operator:
                return False
            continue
        ranges.setdefault(atom.path, Range.of(fields(atom.path))).narrow(atom)
    return not any(one.empty() for one in ranges.values())


def alternatives(source: str, *, outcome: bool = True) -> list[tuple[Atom, ...]]:
    """The ways a condition can come out so; each is what must hold together. OverflowError if there are too many."""
    return _forms(source, tokens.tokenize(source), outcome)


def atoms(source: str) -> Iterator[Atom]:
    """Every term of a condition by itself, as written (without the `!` before it)."""
    yield from (_atom(source, term) for term in tokens.terms(tokens.tokenize(source)) if term)


def _forms(source: str, words: Sequence[Token], positive: bool) -> list[tuple[Atom, ...]]:
    for operator in ("||", "&&"):
        parts = tokens.split(words, operator)
        if len(parts) > 1:
            forms = [_forms(source, part, positive) for part in parts]
            return [one for form in forms for one in form] if (operator == "||") == positive else _product(forms)
    if words and words[0].text == "!":
        return _forms(source, words[1:], not positive)
    if words and words[0].text == "(" and tokens.closing(words, 0) == len(words) - 1:
        return _forms(source, words[1:-1], positive)
    atom = _atom(source, words)
    return [(atom if positive else atom.flipped(),)]


def _product(forms: Sequence[list[tuple[Atom, ...]]]) -> list[tuple[Atom, ...]]:
    made: list[tuple[Atom, ...]] = [()]
    for form in forms:
        if len(made) * len(form) > MAX_ALTERNATIVES:
            raise OverflowError
        made = [(*one, *more) for one in made for more in form]
    return made


def _atom(source: str, term: Sequence[Token]) -> Atom:
    start, end = (term[0].start, term[-1].end) if term else (0, 0)
    if path := as_path(term):
        return Atom(path, "==", (True,), start, end)
    if (found := comparison_of(term)) is not None:
        return Atom(found.path, found.operator, (found.literal,), start, end)
    parts = tokens.comparison(term)
    if parts is not None and parts[1] == "in" and (path := as_path(parts[0])) and (listed := _list(parts[2])):
        return Atom(path, "in", listed, start, end)
    return Atom("", "==", (True,), start, end, source[start:end])


def _list(side: Sequence[Token]) -> tuple[float | bool | str, ...]:
    """The literals of `['a', 'b']`; empty where there is anything else."""
    if len(side) < 3 or side[0].text != "[" or side[-1].text != "]":
        return ()
    values = [as_literal(part) for part in tokens.split(side[1:-1], ",")]
    return tuple(value for value in values if value is not None) if None not in values else ()
