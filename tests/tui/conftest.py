"""Every test of the terminal has a state folder of its own, and a clock that reads UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as own:
        own.setenv("XDG_STATE_HOME", str(tmp_path))
        own.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()
