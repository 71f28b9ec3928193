"""Every scenario ends in the verdict its file promises: the whole cockpit, headless, on a whole rehearsed world."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.waiting import LAST_RESORT_S

from cockpit.rehearsal.script.scenario import Judgement, load_scenario, names

pytestmark = [pytest.mark.world, pytest.mark.long]
"""What nights show has tests of its own in `make test`: every line of the shipped plan that a probe can judge, the fault table,
blindness, windows, synthetic traffic, the end of a rollback, played nights of other plans from HOLD to GO and ROLLBACK.
"""
SPEED = 60
"""More than most machines keep up with here: the world's time then goes on as fast as they do."""


@pytest.mark.parametrize("name", names())
def test_a_scenario_ends_in_the_verdict_its_file_promises(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cockpit", "rehearse", name, "--headless", "--speed", str(SPEED)]
    environment = os.environ | {"TMPDIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=LAST_RESORT_S * 3, check=False
    )
    told = done.stdout + done.stderr
    assert f"{name}: {Judgement.AS_EXPECTED}" in told, told[-4000:]
    assert done.returncode == load_scenario(name).ends.verdict.exit_code
    assert list(tmp_path.glob("cutover-rehearsal-*")) == []
