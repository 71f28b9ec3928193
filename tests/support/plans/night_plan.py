"""The plan of `signing_plan`, with a change window, steps that take their time, and a way back."""

from __future__ import annotations

from pathlib import Path

from support.plans.signing_plan import TEXT

from cockpit.plan.load import load_plan
from cockpit.plan.model import Plan

STEPS = TEXT.index("runbook:")
NIGHT = """\
window: {from: "2026-03-01T22:00", to: "2026-03-02T04:00", time_zone: UTC}
rollback_reserve: 15m
runbook:
  - {id: run.bucket, title: Create the bucket, expected: 30m, owner: ada}
  - {id: run.deploy, title: Deploy, expected: 1h, gate: deploy, roles: [dba]}
rollback_plan:
  - {id: back.revision, title: Go back, expected: 10m}
  - {id: back.look, title: Look, expected: 5m}
"""


def night_plan(folder: Path) -> Plan:
    """Until 03:30 a rollback fits into the window."""
    path = folder / "night.yaml"
    path.write_text(TEXT[:STEPS].format(ada="", bob="") + NIGHT)
    return load_plan(path)
