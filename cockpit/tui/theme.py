"""Colours by meaning. Every state also has its word and symbol, so that losing the colours loses nothing.

These are the dark theme's. Widgets and `cockpit.tcss` use no other; `palettes.py` has what each becomes in another theme.
"""

from __future__ import annotations

from collections.abc import Mapping

from cockpit.decide.states import Meaning, Tone

GO = "#86c98f"
HOLD = "#e8b84a"
BAD = "#f0717a"
UNKNOWN = "#9db2f5"
QUIET = "#8b93a3"
TEXT = "#d6dae2"
STRONG = "#ffffff"
GROUND = "#14171d"
PANEL = "#1b1f27"
CURSOR = "#2b3446"
GO_FILL = "#4f8159"
NO_FILL = "#5b6780"
BAD_FILL = "#9c2a33"
"""Large areas, as in a chart, are quieter than words."""
PRODUCTION = "#b81c26"
REHEARSAL = "#3f6fb5"
STAGING = "#7a6a2f"
SCROLL = "#3a4356"
SCROLL_HOVER = "#56617a"

_TONES: Mapping[Tone, str] = {
    Tone.GOOD: GO, Tone.WAITING: HOLD, Tone.BAD: BAD, Tone.UNKNOWN: UNKNOWN, Tone.QUIET: QUIET,
}  # fmt: skip
assert set(_TONES) == set(Tone), "every tone has a colour"


def of_tone(tone: Tone) -> str:
    """The colour of a tone."""
    return _TONES[tone]


def of_meaning(meaning: Meaning) -> str:
    """The colour of a word."""
    return _TONES[meaning.tone]


def of_environment(label: str) -> str:
    """The colour of the frame."""
    return {"PROD": PRODUCTION, "REHEARSAL": REHEARSAL}.get(label, STAGING)
