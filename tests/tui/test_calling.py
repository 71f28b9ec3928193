"""A change of the verdict calls whoever looks elsewhere; with `--quiet` nothing does."""

from __future__ import annotations

import pytest
from tui.stage import Stage, opened, until

from cockpit.tui.app import CockpitApp
from cockpit.tui.terminal_settings import Settings


@pytest.mark.parametrize("quiet", [False, True])
async def test_a_verdict_that_changes_rings_notifies_and_names_the_window(
    quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage().calm()
    app = CockpitApp(stage, settings=Settings(quiet=quiet))
    sent: list[str] = []
    async with opened(app) as pilot:
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", sent.append)
        stage.burning()
        await until(pilot, lambda: "ROLLBACK" in app._called)
        written = "".join(text for text in sent if "\x1b]" in text)
    assert ("\a\x1b]9;✗ ROLLBACK: " in written) is not quiet
    assert ("\x1b]2;✗ ROLLBACK stage\x1b\\" in written) is not quiet
