"""Loading the plan a command was given, and saying what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from cockpit.console import output
from cockpit.exit_codes import BAD_PLAN, USAGE
from cockpit.plan.load import PlanError, declared_vars, load_plan
from cockpit.plan.model import Plan


def load(path: str, variables: Sequence[str] = (), overrides: Mapping[str, str] | None = None) -> Plan:
    """The plan, or all its problems on standard error and exit 65."""
    given = {**(overrides or {}), **given_values(variables)}
    try:
        return load_plan(path, overrides=given, environ=os.environ)
    except PlanError as error:
        output(*error.lines, err=True)
        raise SystemExit(BAD_PLAN) from None


def given_values(variables: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE by name, the last of each; exit 64 for what is none."""
    given = {}
    for pair in variables:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            output(f"--var {pair}: write NAME=VALUE", err=True)
            raise SystemExit(USAGE)
        given[name] = text
    return given


def read_for_showing(path: str, overrides: Mapping[str, str] | None = None) -> Plan:
    """A plan that nothing is read with: what the environment lacks is no problem. Raises PlanError."""
    return load_plan(path, overrides=overrides, environ=os.environ, require_environment=False)


def load_for_showing(path: str, overrides: Mapping[str, str] | None = None) -> Plan:
    """The same, or all its problems on standard error and exit 65."""
    try:
        return read_for_showing(path, overrides)
    except PlanError as error:
        output(*error.lines, err=True)
        raise SystemExit(BAD_PLAN) from None


def known_vars(plan: str, overrides: Mapping[str, str]) -> Mapping[str, str]:
    """Those values that the plan has a name for; a part has none of its own, it has inputs."""
    try:
        held = declared_vars(plan)
    except PlanError:
        return overrides  # loading says what is wrong with it
    return {name: value for name, value in overrides.items() if name in held}
