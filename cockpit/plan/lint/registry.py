"""All rules, in the order they are reported."""

from __future__ import annotations

from cockpit.plan.lint import (
    bands,
    capacity,
    deployed,
    irreversible,
    night,
    people,
    placeholders,
    reach,
    release,
    secrets,
    storage,
    windows,
)
from cockpit.plan.lint.rule import Rule

_FAMILIES = (
    reach,
    windows,
    bands,
    people,
    release,
    deployed,
    irreversible,
    storage,
    capacity,
    secrets,
    night,
    placeholders,
)
RULES: tuple[Rule, ...] = tuple(rule for family in _FAMILIES for rule in family.RULES)


def find(id_: str) -> Rule:
    """
    >>> find("mutable-tag").report
    'T2'
    """
    return next(rule for rule in RULES if rule.id == id_)
