"""A criterion with another limit, shown beside it: what a looser and a tighter one would have done. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from cockpit.conditions import tokens
from cockpit.conditions.condition import comparison_of, compile_condition
from cockpit.conditions.tokens import Token
from cockpit.plan.model import Criterion, Kind, Mode
from probes.frozen import frozen
from probes.reading import Field

FACTOR = 2.0
"""How many times as far from zero a limit is moved."""
_RISING = frozenset({">", ">="})
_MOVED = frozenset({">", ">=", "<", "<="})


@frozen
class Variant:
    """A criterion as it would be with another limit; it is watched in shadow, and moves no verdict."""

    of: str
    name: str
    """"looser": it trips later, or is met sooner; or "tighter"."""
    criterion: Criterion


def variants(criterion: Criterion, fields: Mapping[str, Field]) -> Iterator[Variant]:
    """The looser and the tighter one, of a condition with limits of numbers; none where a limit cannot be moved.

    `fields`: the declared field of each path. Every limit of the condition is moved at once.
    """
    condition = criterion.condition
    if condition is None:
        return
    for name in ("looser", "tighter"):
        source = _with_limits(condition.source, fields, harder=(name == "looser") == (criterion.kind is Kind.TRIGGER))
        if source is not None:
            other = replace(
                criterion,
                id=f"{criterion.id} ({name})",
                condition=compile_condition(source),
                mode=Mode.SHADOW,
                sign_off=None,
            )
            yield Variant(criterion.id, name, other)


def _with_limits(source: str, fields: Mapping[str, Field], *, harder: bool) -> str | None:
    """The condition with its limits moved so that it is harder (or easier) to be true; None where none can be moved."""
    words = tokens.tokenize(source)
    if any(word.text == "!" and after.text == "(" for word, after in pairwise(words)):
        return None  # what is negated as a whole moves the other way
    changes = [change for term in tokens.terms(words) if (change := _change(term, fields, harder=harder)) is not None]
    for word, limit in sorted(changes, key=lambda change: -change[0].start):
        source = source[: word.start] + _as_written(limit, like=word.text) + source[word.end :]
    return source if changes else None


def _change(term: Sequence[Token], fields: Mapping[str, Field], *, harder: bool) -> tuple[Token, float] | None:
    """The number of a comparison, and what stands in its place."""
    found, number = comparison_of(term), [word for word in term if word.kind == "number"]
    if found is None or found.operator not in _MOVED or len(number) != 1 or isinstance(found.literal, bool | str):
        return None
    if found.literal < 0:
        return None
    limit = _moved(found.literal, fields.get(found.path), up=(found.operator in _RISING) == harder)
    return None if limit is None else (number[0], limit)


def _as_written(limit: float, like: str) -> str:
    """
    >>> _as_written(6.0, "3"), _as_written(6.0, "3.0"), _as_written(0.025, "0.05")
    ('6', '6.0', '0.025')
    """
    if like.isdigit():
        return f"{limit:.0f}"
    text = f"{limit:.12g}"
    return text if "." in text or "e" in text else f"{text}.0"


def _moved(limit: float, declared: Field | None, *, up: bool) -> float | None:
    """The limit, twice as high or half; one of zero by one, where something is counted. None where nothing can be beyond it."""
    if limit == 0:
        return 1.0 if up and declared is not None and declared.unit == "count" else None
    moved = limit * FACTOR if up else limit / FACTOR
    if declared is not None and declared.type is int:
        moved = float(round(moved))
    beyond = declared is not None and declared.high is not None and moved >= declared.high
    return None if beyond or moved == limit else moved
