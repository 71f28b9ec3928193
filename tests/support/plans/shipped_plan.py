"""The plans that are shipped, loaded once for every test that only reads them: a plan does not change."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cockpit.plan.load import load_plan
from cockpit.plan.model import Plan

CHECKLISTS = Path(__file__).parents[3] / "checklists"


@cache
def shipped_plan(name: str = "transparent-trust") -> Plan:
    """`checklists/NAME.yaml`, without the environment it reads on the night."""
    return load_plan(CHECKLISTS / f"{name}.yaml", environ={}, require_environment=False)
