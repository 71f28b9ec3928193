"""What is painted, in the theme in use: the last thing before the terminal, so that no screen and no widget can miss it."""

from __future__ import annotations

import colorsys
from functools import lru_cache

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from cockpit.ascii_symbols import ascii_only
from cockpit.tui.palettes import EMPHASIS, FILLED, PALETTES, Palette


class Look(LineFilter):
    """One theme, with symbols of any kind or in ASCII alone."""

    def __init__(self, name: str, *, ascii_symbols: bool = False) -> None:
        """Raises KeyError for a name that no theme has."""
        palette = PALETTES[name]
        self.name, self.ascii_only = name, ascii_symbols or palette.ascii_only
        super().__init__(enabled=name != "dark" or self.ascii_only)

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - as Textual calls it
        shown = ascii_only if self.ascii_only else str
        return [
            Segment(shown(text), style if style is None else themed(self.name, style), control)
            for text, style, control in segments
        ]


@lru_cache(4096)
def themed(name: str, style: Style) -> Style:
    """A style of the dark theme as this theme has it."""
    palette = PALETTES[name]
    if not palette.colours:
        return _without_colours(style)
    return style + Style(color=_colour(palette, style.color), bgcolor=_colour(palette, style.bgcolor))


def _colour(palette: Palette, colour: RichColor | None) -> RichColor | None:
    if colour is None or colour.triplet is None:
        return None
    found = palette.colours.get(colour.triplet.hex)
    if found is None:  # mixed by Textual, or a widget's own
        return _turned(colour) if palette.light else colour
    return RichColor.parse(found)


def _turned(colour: RichColor) -> RichColor:
    """Light for dark and dark for light."""
    assert colour.triplet is not None
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in colour.triplet))
    return RichColor.from_rgb(*(part * 255 for part in colorsys.hls_to_rgb(hue, 1 - light, saturation)))


def _without_colours(style: Style) -> Style:
    ground = style.bgcolor.triplet.hex if style.bgcolor is not None and style.bgcolor.triplet is not None else ""
    written = style.color.triplet.hex if style.color is not None and style.color.triplet is not None else ""
    on, of = FILLED.get(ground), EMPHASIS.get(written)
    marks = [each for each in (on, of) if each is not None]
    bold = any(each.bold for each in marks) or (bool(style.bold) and not any(each.dim for each in marks))
    return Style(
        bold=bold,
        dim=not bold and any(each.dim for each in marks),
        underline=bool(style.underline) or any(each.underline for each in marks),
        reverse=bool(style.reverse) != any(each.reverse for each in marks),
        italic=style.italic,
        strike=style.strike,
        link=style.link,
        meta=style.meta or None,
    )
