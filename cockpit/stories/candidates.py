"""Values worth trying for a field: around everything that conditions compare it with. Pure.

Where a field is only compared with literals, the outcome of a condition changes at a literal and nowhere else. So each literal,
one value on either side of it and the ends of the field's range stand for all values there are: a search over them is
complete. Where a condition does more (adds, calls a function, compares two fields), it is not, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from typing import Any

from cockpit.conditions import tokens
from cockpit.conditions.condition import Condition, as_literal, as_path, comparison_of
from cockpit.conditions.tokens import Token
from probes.reading import Field, Value

OTHER = "another"
"""A text no condition names."""
MOST_WORDS = 4
"""Of more texts than these not every list is tried."""
SHARE_OF_LIMIT = 0.01
"""How far beyond its limit a number is just beyond it."""


@dataclass(slots=True)
class Literals:
    """What conditions compare one field with."""

    numbers: set[float] = field(default_factory=set)
    words: dict[str, None] = field(default_factory=dict)
    times: set[datetime] = field(default_factory=set)
    whole: bool = True
    """Whether every comparison of it was understood."""


def literals_of(conditions: Iterable[Condition], given: Mapping[str, Value]) -> dict[str, Literals]:
    """By path; fields that are compared with each other share what either is compared with, or is `given`."""
    found: dict[str, Literals] = {path: Literals() for path in given}
    for path, value in given.items():
        _keep(found[path], value if isinstance(value, float | int | str) else None)
    groups: list[set[str]] = []
    for condition in conditions:
        for term in tokens.terms(tokens.tokenize(condition.source)):
            paths = {f"{probe.text}.{name.text}" for probe, name in tokens.paths(term)}
            for path in paths:
                _note(found.setdefault(path, Literals()), term)
            if len(paths) > 1:
                groups.append(paths)
    for _ in groups:
        for paths in groups:
            _share(found, paths)
    return found


def _note(literals: Literals, term: Sequence[Token]) -> None:
    one = comparison_of(term)
    if one is not None:
        _keep(literals, one.literal)
        return
    if as_path(term):
        return
    parts = tokens.comparison(term)
    listed = _listed(parts[2]) if parts is not None and parts[1] == "in" and as_path(parts[0]) else None
    for word in term:
        _keep(literals, as_literal([word]) if word.kind in ("number", "string") else None)
    # A text in a list of texts is one of a few shapes; everything else may depend on sums and functions.
    member = parts is not None and parts[1] == "in" and as_path(parts[2]) and isinstance(as_literal(parts[0]), str)
    literals.whole = literals.whole and (listed is not None or bool(member))


def _keep(literals: Literals, value: float | bool | str | None) -> None:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, str):
        literals.words[value] = None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return
        if moment.tzinfo is not None:
            literals.times.add(moment)
    else:
        literals.numbers.add(value)


def _listed(side: Sequence[Token]) -> list[Any] | None:
    """The literals of `['a', 'b']`; None where there is anything else."""
    if len(side) < 3 or side[0].text != "[" or side[-1].text != "]":
        return None
    values = [as_literal(part) for part in tokens.split(side[1:-1], ",")]
    return None if None in values else values


def _share(found: dict[str, Literals], paths: set[str]) -> None:
    joined = Literals()
    for path in paths:
        joined.numbers |= found[path].numbers
        joined.words |= found[path].words
        joined.times |= found[path].times
    for path in paths:
        held = found[path]
        held.numbers, held.words, held.times = set(joined.numbers), dict(joined.words), set(joined.times)


def candidates(declared: Field, literals: Literals, first: Sequence[Value] = (), *, near: bool = False) -> list[Value]:
    """Values to try, the likeliest first: those of `first`, the example, then the ones around the literals.

    `near`: those just beyond a limit come before those with a margin, as for what is only just wrong.
    """
    if declared.type is bool:
        made: Iterator[Value] = iter((declared.example, True, False))
    elif declared.type in (int, float):
        made = _numbers(declared, literals, near=near)
    elif declared.type is str:
        made = iter((declared.example, *literals.words, OTHER))
    elif declared.type is datetime:
        made = _times(declared, literals)
    else:
        made = _lists(declared, literals)
    allowed = [value for value in (*first, *made) if _possible(declared, value)]
    return [value for _, value in dict.fromkeys((type(value), value) for value in allowed)]


def _possible(declared: Field, value: Value) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    low_enough = declared.high is None or value <= declared.high
    return low_enough and (declared.low is None or value >= declared.low)


def _numbers(declared: Field, literals: Literals, *, near: bool) -> Iterator[Value]:
    limits = sorted(literals.numbers)
    ends = [float(end) for end in (declared.low, declared.high) if end is not None]
    every = sorted({*limits, *ends})
    if declared.type is int:
        steps = [int(limit) + by for limit in limits for by in (0, 1, -1)]
        far = [int((one + other) / 2) for one, other in pairwise(every)]
        outer = [int(every[-1]) * 2 + 10, int(every[0]) - 10] if every else []
        order = steps + far + outer if near else [_as_int(declared.example), *steps, *far, *outer]
        yield from (*order, _as_int(declared.example), *map(int, ends), 0, 1)
        return
    just = [limit + by * _just_beyond(limit, declared) for limit in limits for by in (1, -1)]
    middle = [(one + other) / 2 for one, other in pairwise(every)]
    outer_ends = [every[-1] + max(1.0, abs(every[-1])), every[0] - max(1.0, abs(every[0]))] if every else []
    example = float(declared.example) if isinstance(declared.example, int | float) else 0.0
    below = [every[0] / 2] if every and every[0] > 0 else []  # what is measured is seldom below nothing
    margin = [example, *middle, *below, *outer_ends, *ends]
    yield from ([*just, *limits, *margin] if near else [*margin, *limits, *just])
    yield from (0.0, 1.0)


def _just_beyond(limit: float, declared: Field) -> float:
    """How far from its limit a number is just beyond it: a count by one, what has no other size by a hundredth."""
    if declared.unit == "count" or (not limit and declared.high != 1):
        return 1.0
    return max(abs(limit), 1.0 if not limit else 0.0) * SHARE_OF_LIMIT


def _as_int(value: Value) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _times(declared: Field, literals: Literals) -> Iterator[Value]:
    yield declared.example
    for moment in sorted(literals.times):
        yield from (moment, moment + timedelta(hours=1), moment - timedelta(hours=1))


def _lists(declared: Field, literals: Literals) -> Iterator[Value]:
    yield declared.example
    words = (*literals.words, OTHER)[: MOST_WORDS + 1]
    for size in range(1, len(words) + 1):
        yield from combinations(words, size)


def is_whole(declared: Mapping[str, Field], literals: Mapping[str, Literals], paths: Iterable[str]) -> bool:
    """Whether a search over the candidates of these paths is complete: none that is not found exists."""
    return all(
        path in declared
        and literals[path].whole
        and declared[path].type is not datetime
        and not (declared[path].type is tuple and len(literals[path].words) > MOST_WORDS)
        for path in paths
        if path in literals
    )
