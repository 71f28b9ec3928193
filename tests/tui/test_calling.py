"""A change of the verdict calls whoever looks elsewhere; with `--quiet` nothing does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tui.stage import Stage, opened, until

from cockpit.tui import calling
from cockpit.tui.app import CockpitApp
from cockpit.tui.terminal_settings import Settings

NO_TERMINAL_OF_ITS_OWN = ("TMUX", "VTE_VERSION", "TERM")


@pytest.mark.parametrize("quiet", [False, True])
async def test_a_verdict_that_changes_rings_notifies_and_names_the_window(
    quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NO_TERMINAL_OF_ITS_OWN:
        monkeypatch.delenv(name, raising=False)
    stage = Stage().calm()
    app = CockpitApp(stage, settings=Settings(quiet=quiet))
    sent: list[str] = []
    async with opened(app) as pilot:
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", sent.append)
        stage.burning()
        await until(pilot, lambda: "ROLLBACK" in app._caller.called)
        stage.saw(120)
        app.paint()
        app.degraded = "COCKPIT DEGRADED: nothing is being read"
        app.paint()
        written = "".join(text for text in sent if "\x1b]" in text)
    assert ("\a\x1b]9;✗ ROLLBACK: " in written) is not quiet
    assert ("\x1b]2;✗ ROLLBACK stage\x1b\\" in written) is not quiet
    assert ("\x1b]2;✗ ROLLBACK 2m stage\x1b\\" in written) is not quiet, "it is as old as it is"
    assert ("\x1b]2;? STALE ✗ ROLLBACK 2m stage\x1b\\" in written) is not quiet, (
        "no window shows a verdict nobody renews"
    )
    assert ("\a\x1b]9;COCKPIT DEGRADED: " in written) is not quiet


def test_a_notification_has_the_form_its_terminal_takes() -> None:
    assert calling.notice("HOLD", {}) == "\a\x1b]9;HOLD\x1b\\"
    for only_777 in ({"VTE_VERSION": "7600"}, {"TERM": "rxvt-unicode-256color"}):
        assert calling.notice("HOLD", only_777) == "\a\x1b]777;notify;cockpit;HOLD\x1b\\"
    in_tmux = calling.notice("HOLD", {"TMUX": "/tmp/tmux-0/default,1,0"})
    assert in_tmux == "\a\x1bPtmux;\x1b\x1b]9;HOLD\x1b\x1b\\\x1b\\", (
        "tmux passes on what is wrapped for it, and nothing else"
    )


def test_a_window_names_the_age_in_minutes_so_that_it_is_written_once_a_minute() -> None:
    situation = Stage().burning().situation
    ages = [situation.verdict.since + timedelta(seconds=seconds) for seconds in range(180)]
    assert len({calling.title(replace(situation, now=now), "stage") for now in ages}) == 3
