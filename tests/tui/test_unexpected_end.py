"""An error nobody expected ends the terminal: it is raised to the command, and no local variable is shown."""

from __future__ import annotations

import pytest
from tui.stage import Stage

from cockpit.tui.app import CockpitApp


class Unlucky(Stage):
    @property
    def notice(self) -> str:
        password = "hunter2" + "hunter2"
        raise RuntimeError(f"no notice of {len(password)} characters")


async def test_it_is_raised_and_shows_no_local_variable(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="no notice"):
        await CockpitApp(Unlucky()).run_to_end(headless=True)
    shown = capfd.readouterr()
    assert "hunter2" not in shown.out + shown.err
    assert "Traceback" not in shown.out + shown.err
