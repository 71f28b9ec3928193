"""The user's settings: one strict file, the environment over it, options over both. Nothing of Textual."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path

from platformdirs import user_config_path

from cockpit.ascii_symbols import is_unicode
from cockpit.ordinary_file import read_ordinary
from cockpit.tui.key_map import KeyMap, key_named, problems
from cockpit.tui.palettes import PALETTES
from probes.frozen import frozen

AUTO = "auto"
"""Dark; mono where NO_COLOR is set."""
SETTINGS, THEME = "COCKPIT_SETTINGS", "COCKPIT_THEME"
"""In the environment: the file to read instead of the usual one; a theme."""
MOST_SHOWN = 20
"""Of what is wrong with a file: of one that is none of ours, everything is."""


class SettingsError(Exception):
    """Everything that is wrong with the settings, a line each, with its place and what to do."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@frozen
class Settings:
    """How the terminal looks and sounds."""

    theme: str = AUTO
    quiet: bool = False
    """No bell, no notification of the desktop, no title, when the verdict turns."""
    keys: KeyMap = field(default_factory=KeyMap)
    source: str = ""
    """The file they are from; empty where there is none."""
    ascii_symbols: bool = False
    """Whether the locale can show nothing else."""
    no_color: bool = False

    @property
    def palette(self) -> str:
        """The theme that is shown."""
        if self.theme != AUTO:
            return self.theme
        return "mono" if self.no_color else "dark"


def settings_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where they are, or would be."""
    named = environ.get(SETTINGS, "")
    return Path(named).expanduser() if named else user_config_path("cockpit", appauthor=False) / "settings.toml"


def fitting(environ: Mapping[str, str] = os.environ) -> Settings:
    """What fits this terminal, where nobody has set anything."""
    return Settings(ascii_symbols=not is_unicode(), no_color=bool(environ.get("NO_COLOR")))


def load_settings(theme: str = "", *, quiet: bool = False, environ: Mapping[str, str] = os.environ) -> Settings:
    """An option goes before the environment, that before the file, that before what fits the terminal.

    Raises SettingsError.
    """
    path = settings_path(environ)
    found = fitting(environ)
    try:
        text = read_ordinary(path).decode()
    except FileNotFoundError:
        if environ.get(SETTINGS):
            raise SettingsError([f"{path}: no such file; {SETTINGS} names it"]) from None
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise SettingsError([f"{path}: cannot be read: {why}"]) from None
    else:
        found = replace(_read(path, text, found), source=str(path))
    for given, where in ((environ.get(THEME, ""), THEME), (theme, "--theme")):
        if given and given not in (AUTO, *PALETTES):
            raise SettingsError([f"{where}: {_no_theme(given)}"])
        found = replace(found, theme=given or found.theme)
    return replace(found, quiet=quiet or found.quiet)


def _read(path: Path, text: str, before: Settings) -> Settings:
    try:
        given = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, tables within tables without end
        raise SettingsError([f"{path}: not TOML: {error}"]) from None
    if wrong := list(_wrong(given)):
        shown = [f"{path}:{_line(text, name)}: {name}: {why}" for name, why in wrong[:MOST_SHOWN]]
        more = [f"{path}: and {len(wrong) - MOST_SHOWN} more"] if len(wrong) > MOST_SHOWN else []
        raise SettingsError([*shown, *more])
    keys = {id_: key_named(key) for id_, key in given.get("keys", {}).items()}
    return replace(before, theme=given.get("theme", AUTO), quiet=given.get("quiet", before.quiet), keys=KeyMap(keys))


def _wrong(given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        match name, value:
            case "theme", str():
                if value not in (AUTO, *PALETTES):
                    yield name, _no_theme(value)
            case "theme", _:
                yield name, "must be a text"
            case "quiet", bool():
                pass
            case "quiet", _:
                yield name, "must be true or false"
            case "keys", dict():
                texts = {id_: key for id_, key in value.items() if isinstance(key, str)}
                yield from ((id_, "must be a text") for id_ in value.keys() - texts.keys())
                yield from problems(texts).items()
            case "keys", _:
                yield name, 'must be a table: [keys], then lines such as  sign = "S"'
            case _:
                yield name, "no such setting: there are theme, quiet and [keys]"


def _no_theme(name: str) -> str:
    return f"no theme {name!r}: there are {AUTO}, {', '.join(PALETTES)}"


def _line(text: str, name: str) -> int:
    """The first line that begins with this name, or whose table has it."""
    lines = text.splitlines()
    return next((at for at, line in enumerate(lines, 1) if line.strip().lstrip("[\"'").startswith(name)), 1)
