"""The ECS services a plan watches: what its actions may change, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from cockpit.plan.model import ProbeSpec
from cockpit.plan.step_action import EcsService

SYNTHETIC = "synthetic.traffic"
ACTIONS = ("ecs.rollback", SYNTHETIC)
"""Every built-in action a step may name."""
_WATCHING = ("ecs.service", "ecs.deployment", "ecs.tasks")


def services_watched(probes: Mapping[str, ProbeSpec]) -> dict[str, EcsService]:
    """Probe -> the service it watches, for every probe that watches one; in the order of the plan."""
    return {
        name: EcsService(_name(str(spec.params["cluster"])), _name(str(spec.params["service"])))
        for name, spec in probes.items()
        if spec.uses in _WATCHING and spec.params.get("cluster") and spec.params.get("service")
    }


def _name(name_or_arn: str) -> str:
    """
    >>> _name("arn:aws:ecs:us-east-1:123456789012:service/orders/orders-api")
    'orders-api'
    """
    return name_or_arn.rpartition("/")[2] if name_or_arn.startswith("arn:") else name_or_arn
