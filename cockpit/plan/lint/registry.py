"""All rules, in the order they are told about."""

from __future__ import annotations

from cockpit.plan.lint import reach
from cockpit.plan.lint.rule import Rule

RULES: tuple[Rule, ...] = (*reach.RULES,)


def find(id_: str) -> Rule:
    return next(rule for rule in RULES if rule.id == id_)
