"""Who must sign with a key before a plan may decide in production."""

from __future__ import annotations

from collections.abc import Iterator

from cockpit.plan.model import Plan, Severity


def roles_that_need_keys(plan: Plan) -> tuple[str, ...]:
    """Roles that a gate polls, or that sign a killer item or a critical criterion; those alone, in the plan's order."""
    found = [role for gate in plan.gates for role in gate.poll.roles]
    asks = [item.sign_off for _, item in plan.items() if item.killer]
    asks += [each.sign_off for each in plan.criteria() if each.enforced and each.severity is Severity.CRITICAL]
    found += [role for ask in asks if ask is not None for role in ask.roles]
    return tuple(dict.fromkeys(found))


def without_keys(plan: Plan) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(role, people who hold it without a key) for each such role, where the plan is for production."""
    for role in roles_that_need_keys(plan) if plan.production else ():
        unkeyed = tuple(person.id for person in plan.people if role in person.roles and not person.fingerprint)
        if unkeyed:
            yield role, unkeyed
