"""An operator's word that a plan may do what it demands, for tests that then run it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cockpit.engine.trusted_plans import TrustedPlans
from cockpit.plan.load import load_plan


def allow(plan: Path, environ: Mapping[str, str] | None = None, **variables: str) -> Path:
    """The plan's path again. `environ`: what the plan will be run with beyond this process's environment."""
    loaded = load_plan(plan, environ={**os.environ, **(environ or {})}, overrides=variables)
    TrustedPlans().add(loaded, datetime.now(UTC), "a test")
    return plan
