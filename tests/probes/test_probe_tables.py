"""What else a probe needs, besides its class: found in the source of every probe module, with what to add and where."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest
from support.aws.probe_calls import MODULES, ROOT, calls

from probes.clients.aws_errors import iam_action, subject
from probes.probe import Probe
from probes.registry import BUILT_IN

WITHOUT_A_PROBE = {
    "probes.aws.alarm_judgement",
    "probes.aws.cloudwatch_periods",
    "probes.aws.dashboard_graphs",
    "probes.aws.ecs_rollout",
    "probes.aws.ecs_task_sets",
    "probes.aws.image_names",
    "probes.aws.insights_fields",
    "probes.aws.lateness",
    "probes.aws.listener_rules",
    "probes.aws.metric_names",
    "probes.aws.newest_minute",
    "probes.aws.proven_counts",
    "probes.aws.rds_status",
    "probes.aws.secret_keys",
    "probes.aws.security_rules",
    "probes.aws.trail_reader",
}
"""Modules that only help another probe of their folder."""
NEEDS_NO_PERMISSION = {"sts:GetCallerIdentity"}
NAMES_NOTHING = {"lookup_events", "describe_alarms", "list_alarm_mute_rules", "describe_security_group_rules"}
"""Operations that search: no parameter names one thing."""
every_module = pytest.mark.parametrize("module", MODULES)


def probes_of(module: str) -> list[type[Probe[Any]]]:
    """Probes that a module defines and names."""
    there = vars(import_module(module)).values()
    return [
        kind
        for kind in there
        if inspect.isclass(kind) and issubclass(kind, Probe) and kind.__module__ == module and "name" in vars(kind)
    ]


@every_module
def test_a_probe_is_in_the_registry(module: str) -> None:
    found = probes_of(module)
    lines = [f'"{kind.name}": "{module}:{kind.__name__}",' for kind in found]
    missing = [line for line in lines if line.split('"')[3] != BUILT_IN.get(line.split('"')[1])]
    assert not missing, f"add to BUILT_IN in probes/registry.py: {' '.join(missing)}"
    assert found or module in WITHOUT_A_PROBE, f"{module} has no probe: move it to probes/clients/"


@every_module
def test_a_probe_has_a_test_that_imports_it(module: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "probes").glob("test_*.py")]
    line = f"from {module} import "
    name = f"tests/probes/test_{module.rpartition('.')[2]}.py"
    assert any(line in text for text in texts) or module in WITHOUT_A_PROBE, (
        f"add {name}: a test per field, the good value, the bad one, and each way of not knowing"
    )


@every_module
def test_what_it_asks_of_aws_is_allowed_by_its_iam(module: str) -> None:
    allowed = {action for kind in probes_of(module) for action in kind.iam}
    needed = {iam_action(service, operation): (service, operation) for service, operation, _ in calls(module)}
    missing = {action: call for action, call in needed.items() if action not in allowed | NEEDS_NO_PERMISSION}
    assert not missing or module in WITHOUT_A_PROBE, (
        f"{module} calls {missing}: add the action to `iam` of the probe; where IAM spells it otherwise than the operation, "
        "add that spelling to _IAM_ACTION or _IAM_PREFIX in probes/clients/aws_errors.py"
    )


@every_module
def test_a_refused_call_says_what_it_was_about(module: str) -> None:
    nameless = {
        operation: sorted(asked)
        for _, operation, asked in calls(module)
        if asked and operation not in NAMES_NOTHING and not subject(dict.fromkeys(asked, "x"), operation)
    }
    assert not nameless, (
        f"{module} asks {nameless}: add the parameter that names the thing to _NAMING in probes/clients/aws_errors.py, "
        "with the word people call it by"
    )
