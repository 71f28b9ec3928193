"""What a rehearsal starts may reach its own world; what the user has allowed stays as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.cockpit_process import cockpit

from cockpit.commands.plan_loading import known_vars, load
from cockpit.commands.rehearsal_run import allow_in
from cockpit.commands.simulated_plans import shipped
from cockpit.engine.trusted_plans import TRUSTED_PLANS
from cockpit.rehearsal.process.launcher import Rehearsal

pytestmark = [pytest.mark.world]


async def test_the_migration_it_starts_reaches_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv(TRUSTED_PLANS, "")
    async with Rehearsal() as world:
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        plan = shipped("checklists/transparent-trust.yaml")
        given = known_vars(plan, world.vars)
        words = ["migrate", "status", plan, *(word for pair in given.items() for word in ("--var", "=".join(pair)))]
        refused = cockpit(*words, **world.environment)
        assert (refused.returncode, "cockpit trust" in refused.stderr) == (1, True)
        allow_in(world, load(plan, overrides=given))
        done = cockpit(*words, **world.environment)
        assert done.returncode == 0, done.stderr
        assert os.environ[TRUSTED_PLANS].startswith(str(world.folder))
    assert not list(tmp_path.rglob("trusted.json"))
