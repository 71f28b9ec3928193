"""The whole of a bad night at once: kills, a failover, rotations and poisoned rows; nothing is lost, and the run ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from migration.worst_night import SUPERVISORS_KILLED, one

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


async def test_every_healthy_row_is_moved_every_poisoned_one_says_why_and_the_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    found = await one(tmp_path, 600, seed=1, setenv=monkeypatch.setenv)
    assert found.clean, str(found)
    assert found.poisoned > 0
    assert found.audit.kills > 0
    assert found.rotations > 0
    assert found.supervisors_killed == SUPERVISORS_KILLED
