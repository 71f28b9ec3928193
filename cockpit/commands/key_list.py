"""`cockpit keys`: every action with its key and its id."""

from __future__ import annotations

import click

from cockpit.console import output
from cockpit.exit_codes import USAGE
from cockpit.tui.action_registry import ACTIONS, Where
from cockpit.tui.key_map import FIXED
from cockpit.tui.terminal_settings import SettingsError, load_settings, settings_path

_THERE = {
    Where.MIGRATION: "armed, on Migration", Where.REPLAY: "in a replay", Where.REHEARSAL: "in a rehearsal",
}  # fmt: skip


@click.command("keys")
def main() -> int:
    """Print every key of the terminal, its action's id for the settings file, and what it does."""
    try:
        settings = load_settings()
    except SettingsError as error:
        output(*error.lines, err=True)
        return USAGE
    width = max(len(action.id) for action in ACTIONS)
    for action in settings.keys.of(ACTIONS):
        mark = "*" if action.id in settings.keys.keys else " " if action.id not in FIXED else "="
        where = f"  ({_THERE[action.where]})" if action.where in _THERE else ""
        output(f"{action.shown:>5} {mark} {action.id:{width}}  {action.help}{where}")
    source = settings.source or f"none; {settings_path()} would be read"
    output(
        "",
        f"settings: {source}",
        '= never changes   * from the settings; there:  [keys]  then lines such as  sign = "S"',
    )
    return 0
