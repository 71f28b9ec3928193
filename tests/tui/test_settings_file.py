"""The settings file: strict, every problem at once with its line; options go before the environment, that before the file."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from textual.widgets import Input
from tui.stage import Stage, opened, shown, until

from cockpit.ascii_symbols import is_unicode
from cockpit.console import DoorStream
from cockpit.tui.action_registry import ACTIONS
from cockpit.tui.app import CockpitApp
from cockpit.tui.key_map import FIXED, KeyMap
from cockpit.tui.terminal_settings import MOST_SHOWN, Settings, SettingsError, load_settings


def settings(tmp_path: Path, text: str, theme: str = "", **environ: str) -> Settings:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return load_settings(theme, environ={"COCKPIT_SETTINGS": str(path), **environ})


def test_a_file_gives_theme_quiet_and_keys(tmp_path: Path) -> None:
    found = settings(tmp_path, 'theme = "light"\nquiet = true\n[keys]\nsign = "S"\nvote = "s"\nquit = "^x"\n')
    assert (found.theme, found.quiet) == ("light", True)
    assert found.keys.keys == {"sign": "S", "vote": "s", "quit": "ctrl+x"}


def test_an_option_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    text = 'theme = "light"'
    assert settings(tmp_path, text).palette == "light"
    assert settings(tmp_path, text, COCKPIT_THEME="mono").palette == "mono"
    assert settings(tmp_path, text, "ascii", COCKPIT_THEME="mono", NO_COLOR="1").palette == "ascii"
    assert settings(tmp_path, "", NO_COLOR="1").palette == "mono"
    assert settings(tmp_path, "", NO_COLOR="").palette == "dark"


def test_all_that_is_wrong_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    text = 'theme = "neon"\nquiet = 1\ncolour = 3\n[keys]\nsign = "v"\nhelp = "h"\nnix = "k"\nwaive = "j"\nvote = 5\n'
    with pytest.raises(SettingsError) as wrong:
        settings(tmp_path, text)
    found = {line.split(":")[1]: line for line in wrong.value.lines}
    assert sorted(found, key=int) == ["1", "2", "3", "5", "6", "7", "8", "9"]
    assert "`vote`" in found["5"]
    assert "dark, light" in found["1"]


@pytest.mark.parametrize("head", ["", "[keys]\n"])
def test_of_a_file_that_is_none_of_ours_the_first_lines_are_named(head: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as wrong:
        settings(tmp_path, head + "".join(f"n{number} = {number}\n" for number in range(30_000)))
    assert len(wrong.value.lines) == MOST_SHOWN + 1
    assert wrong.value.lines[-1].endswith(f"and {30_000 - MOST_SHOWN} more")


@pytest.mark.parametrize("text", ["theme = ", "theme = 'dark'\ntheme = 'dark'", "keys = 3"])
def test_what_is_no_settings_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError):
        settings(tmp_path, text)


def test_without_a_file_there_are_defaults_but_one_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert load_settings(environ={"XDG_CONFIG_HOME": str(tmp_path)}).keys == KeyMap()
    with pytest.raises(SettingsError, match="no such file"):
        load_settings(environ={"COCKPIT_SETTINGS": str(tmp_path / "nowhere")})


def test_what_never_changes_is_there() -> None:
    assert {action.id for action in ACTIONS} >= FIXED


async def test_a_key_of_one_s_own_works_and_every_screen_shows_it() -> None:
    app = CockpitApp(Stage(), settings=Settings(keys=KeyMap({"filter": "equals_sign"})))
    async with opened(app, (100, 30)) as pilot:
        await until(pilot, lambda: "= filter" in shown(app).splitlines()[-1])
        await pilot.press("slash")
        assert not isinstance(app.focused, Input)
        await pilot.press("equals_sign")
        await until(pilot, lambda: isinstance(app.focused, Input))


def test_a_stream_that_has_no_unicode_gets_symbols_of_ascii() -> None:
    behind = io.BytesIO()
    stream = DoorStream(io.TextIOWrapper(behind, encoding="iso-8859-1"))
    stream.write("■ HOLD  café  \u6771")
    stream.flush()
    assert behind.getvalue() == b"# HOLD  caf\xe9  \\u6771"
    assert not is_unicode("iso-8859-1")
    assert is_unicode("utf-8")


@pytest.mark.parametrize(("named", "unicode"), [("C", "False"), ("POSIX", "False"), ("C.UTF-8", "True")])
def test_a_locale_that_names_no_utf_8_is_taken_at_its_word(named: str, unicode: str) -> None:
    asked = [sys.executable, "-c", "from cockpit.ascii_symbols import is_unicode; print(is_unicode())"]
    answered = subprocess.run(asked, env={**os.environ, "LC_ALL": named}, capture_output=True, text=True, check=True)
    assert answered.stdout.strip() == unicode
