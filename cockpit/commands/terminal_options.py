"""Options of every command that opens the terminal: how it looks, and whether it calls."""

from __future__ import annotations

from typing import Literal, get_args

import click

from cockpit.tui.palettes import PALETTES
from cockpit.tui.terminal_settings import AUTO, Settings, SettingsError, load_settings

ThemeName = Literal["auto", "dark", "light", "high-contrast", "red-green", "blue-yellow", "mono", "ascii"]
assert set(get_args(ThemeName)) == {AUTO, *PALETTES}, "every theme can be asked for"
THEME = click.option(
    "--theme",
    type=click.Choice(get_args(ThemeName)),
    default=AUTO,
    help="Colours and symbols; default: your settings'.",
)
QUIET = click.option("--quiet", is_flag=True, help="No bell, notification or title when the verdict changes.")


def settings_chosen(theme: ThemeName, *, quiet: bool) -> Settings:
    """What both options say, over the user's settings. Raises click.UsageError with everything that is wrong with those."""
    try:
        return load_settings("" if theme == AUTO else theme, quiet=quiet)
    except SettingsError as error:
        raise click.UsageError("; ".join(error.lines)) from None
