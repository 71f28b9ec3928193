"""Themes: the people each is for can tell its colours apart, and without colours what is bad is the strongest."""

from __future__ import annotations

from itertools import combinations

import pytest
from rich.style import Style
from textual.color import Color
from tui.stage import Stage, opened, shown, until

from cockpit.tui import theme
from cockpit.tui.app import CockpitApp
from cockpit.tui.look import themed
from cockpit.tui.palettes import PALETTES
from cockpit.tui.terminal_settings import Settings

COLOURED = sorted(name for name, palette in PALETTES.items() if palette.colours)
WORDS = ("GO", "HOLD", "BAD", "UNKNOWN")
CANNOT_TELL = {
    "red-green": (
        ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
        ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    ),
    "blue-yellow": (
        ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
    ),
}
"""How linear RGB looks to people who lack one kind of cone (Machado, Oliveira and Fernandes 2009, severity 1)."""


def colour(palette: str, name: str) -> str:
    return PALETTES[palette].colours[getattr(theme, name)]


def linear(hex_: str) -> tuple[float, ...]:
    parts = (int(hex_[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)


def luminance(hex_: str) -> float:
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear(hex_), strict=True))


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it: 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: tuple[float, ...]) -> tuple[float, float, float]:
    """CIE L*a*b* of linear RGB."""
    weights = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = [sum(w * max(0.0, c) for w, c in zip(row, rgb, strict=True)) for row in weights]
    x, y, z = (
        part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116
        for part in (value / white for value, white in zip(xyz, (0.9505, 1.0, 1.089), strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("name", COLOURED)
def test_what_is_written_can_be_read_on_what_it_stands_on(name: str) -> None:
    least = 7.0 if name == "high-contrast" else 4.5
    pairs = {(written, ground) for written in (*WORDS, "TEXT", "STRONG") for ground in ("GROUND", "PANEL", "CURSOR")}
    pairs |= {("GROUND", word) for word in WORDS}
    pairs |= {("STRONG", ground) for ground in ("PRODUCTION", "REHEARSAL", "STAGING", "BAD_FILL")}
    found = {pair: round(contrast(*(colour(name, each) for each in pair)), 1) for pair in pairs}
    bold = 0.3 if name != "high-contrast" else 0.0  # the line under the cursor is bold, which needs less
    assert {pair: ratio for pair, ratio in found.items() if ratio < least - bold * (pair[1] == "CURSOR")} == {}
    assert contrast(colour(name, "QUIET"), colour(name, "GROUND")) >= 4.5


@pytest.mark.parametrize("name", sorted(CANNOT_TELL))
def test_states_differ_for_the_people_a_theme_is_for(name: str) -> None:
    for kind in CANNOT_TELL[name]:
        looks = {
            word: lab(tuple(sum(w * c for w, c in zip(row, linear(colour(name, word)), strict=True)) for row in kind))
            for word in WORDS
        }
        distances = {
            pair: sum((a - b) ** 2 for a, b in zip(*(looks[word] for word in pair), strict=True)) ** 0.5
            for pair in combinations(WORDS, 2)
        }
        assert {pair: round(far) for pair, far in distances.items() if far < 20} == {}


def test_without_colours_what_is_bad_is_the_strongest() -> None:
    bad, hold, unknown, good = (themed("mono", Style(color=each, bold=True)) for each in
                                (theme.BAD, theme.HOLD, theme.UNKNOWN, theme.GO))  # fmt: skip
    assert (bad.reverse, bad.bold) == (True, True)
    assert (hold.reverse, hold.bold) == (False, True)
    assert (unknown.reverse, unknown.underline) == (False, True)
    assert (good.reverse, good.bold, good.dim) == (False, False, True)
    selected = themed("mono", Style(color=theme.TEXT, bgcolor=theme.CURSOR))
    assert selected.reverse


def test_a_theme_chosen_goes_before_no_color() -> None:
    assert Settings(no_color=True).palette == "mono"
    assert Settings("light", no_color=True).palette == "light"
    assert Settings().palette == "dark"


async def frames(settings: Settings) -> tuple[str, set[Color | None], int]:
    """Every main screen as text, with the colours in it and how many cells are reversed."""
    app, text, colours, reversed_ = CockpitApp(Stage().burning(), settings=settings), "", set(), 0
    async with opened(app, (100, 30)) as pilot:
        for key in "1234567?":
            await pilot.press(key)
            await until(pilot, lambda: "ROLLBACK" in shown(app))
            text += shown(app)
            for line in app.screen._compositor.render_strips():
                for segment in line:
                    style = segment.style or Style()
                    colours |= {each and Color.from_rich_color(each) for each in (style.color, style.bgcolor)}
                    reversed_ += len(segment.text) if style.reverse else 0
    return text, colours, reversed_


async def test_no_color_shows_none_anywhere_and_what_is_bad_is_reversed() -> None:
    _, colours, reversed_ = await frames(Settings(no_color=True))
    assert colours == {None}
    assert reversed_ > 0


async def test_a_locale_without_unicode_shows_ascii_alone_in_the_same_cells() -> None:
    text, colours, _ = await frames(Settings("light", ascii_symbols=True))
    assert text.isascii()
    assert "X ROLLBACK" in text
    assert Color.parse(theme.GROUND) not in colours
    assert Color.parse("#ffffff") in colours
