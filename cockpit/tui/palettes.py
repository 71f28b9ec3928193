"""Themes: what each colour of `theme.py` becomes. Nothing of Textual: a command checks a theme's name before it opens any."""

from __future__ import annotations

from collections.abc import Mapping

from cockpit.tui import theme
from probes.frozen import frozen

_NAMES = (
    "GO", "HOLD", "BAD", "UNKNOWN", "QUIET", "TEXT", "STRONG", "GROUND", "PANEL", "CURSOR",
    "GO_FILL", "NO_FILL", "BAD_FILL", "PRODUCTION", "REHEARSAL", "STAGING", "SCROLL", "SCROLL_HOVER",
)  # fmt: skip


@frozen
class Emphasis:
    """How a meaning shows without colour."""

    bold: bool = False
    dim: bool = False
    underline: bool = False
    reverse: bool = False


@frozen
class Palette:
    """One theme."""

    help: str
    colours: Mapping[str, str]
    """By the colour of `theme.py` it stands for; empty where nothing is coloured."""
    light: bool = False
    ascii_only: bool = False
    """Whether its symbols are ASCII wherever it is used."""


def _palette(help_: str, *, light: bool = False, ascii_only: bool = False, **changed: str) -> Palette:
    """The dark theme with some colours changed. Raises KeyError for a name that `theme.py` does not have."""
    dark = {name: str(getattr(theme, name)) for name in _NAMES}
    if unknown := changed.keys() - dark.keys():
        raise KeyError(f"no colours of theme.py: {', '.join(sorted(unknown))}")
    return Palette(help_, {value: changed.get(name, value) for name, value in dark.items()}, light, ascii_only)


PALETTES: Mapping[str, Palette] = {
    "dark": _palette("soft colours on a dark ground"),
    "light": _palette(
        "dark colours on a white ground",
        light=True,
        GO="#1c6b2a", HOLD="#7a4d00", BAD="#b0121f", UNKNOWN="#3347b0", QUIET="#565d6b", TEXT="#22262e", STRONG="#000000",
        GROUND="#ffffff", PANEL="#f0f2f6", CURSOR="#d5e1f7", GO_FILL="#8cc79a", NO_FILL="#b3bccd", BAD_FILL="#f2a0a6",
        PRODUCTION="#ff8a8f", REHEARSAL="#a9c8f5", STAGING="#e3d59a", SCROLL="#b3bccd", SCROLL_HOVER="#8b93a3",
    ),
    "high-contrast": _palette(
        "the strongest colours on black",
        GO="#4dff6e", HOLD="#ffd500", BAD="#ff9090", UNKNOWN="#a8d0ff", QUIET="#c8ccd4", TEXT="#ffffff", STRONG="#ffffff",
        GROUND="#000000", PANEL="#000000", CURSOR="#001f4d", GO_FILL="#00b32d", NO_FILL="#9aa4b8", BAD_FILL="#a30000",
        PRODUCTION="#a30000", REHEARSAL="#002a66", STAGING="#5c4a00", SCROLL="#9aa4b8", SCROLL_HOVER="#ffffff",
    ),
    "red-green": _palette(
        "for people who cannot tell red from green (protanopia, deuteranopia): blue, yellow, orange",
        GO="#5aa9ff", HOLD="#f5e663", BAD="#f08a24", UNKNOWN="#c9c4d6",
        GO_FILL="#2f6fb5", BAD_FILL="#8a4400", PRODUCTION="#8a4400",
    ),
    "blue-yellow": _palette(
        "for people who cannot tell blue from yellow (tritanopia): cyan, white, red",
        GO="#3fc1c9", HOLD="#f7e6ea", BAD="#ff7481", UNKNOWN="#a39aa8", GO_FILL="#1f7f86", REHEARSAL="#1f6f76", STAGING="#5b6780",
    ),
    "mono": Palette("no colours: what is bad is reversed, what waits bold, what is fine dim; also with NO_COLOR", {}),
    "ascii": _palette("dark, with ASCII symbols; also by itself where the locale is not UTF-8", ascii_only=True),
}  # fmt: skip

BAD, WAITS, UNSEEN, FINE = (
    Emphasis(bold=True, reverse=True),
    Emphasis(bold=True),
    Emphasis(underline=True),
    Emphasis(dim=True),
)
EMPHASIS: Mapping[str, Emphasis] = {
    theme.BAD: BAD, theme.HOLD: WAITS, theme.UNKNOWN: UNSEEN, theme.GO: FINE, theme.QUIET: FINE, theme.STRONG: WAITS,
}  # fmt: skip
"""Of a colour that a text is written in, where there are no colours."""
FILLED: Mapping[str, Emphasis] = {
    theme.BAD: BAD, theme.BAD_FILL: BAD, theme.PRODUCTION: BAD, theme.HOLD: WAITS, theme.UNKNOWN: UNSEEN,
    theme.REHEARSAL: WAITS, theme.STAGING: WAITS, theme.CURSOR: Emphasis(reverse=True), theme.GO: Emphasis(),
}  # fmt: skip
"""Of a colour that a text stands on."""
