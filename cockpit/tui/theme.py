"""Colours by meaning. Every state also has its word and symbol, so that losing the colours loses nothing."""

from __future__ import annotations

from cockpit.decide.states import Word

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

VERDICTS = {Word.GO: GO, Word.HOLD: HOLD, Word.ROLLBACK: BAD, Word.FIX_FORWARD: BAD}
STATES = {
    "MET": GO, "CLEAR": GO, "PASS": GO, "WAIVED": GO, "GO": GO, "passed": GO,
    "PROVING": HOLD, "PENDING": HOLD, "RECOVERING": HOLD, "STALE": HOLD, "HOLD": HOLD, "open": HOLD,
    "NOT MET": BAD, "TRIPPED": BAD, "FAIL": BAD, "ROLLBACK": BAD, "FIX FORWARD": BAD,
    "UNKNOWN": UNKNOWN,
}  # fmt: skip


def of_state(word: str) -> str:
    """The colour of a state's word."""
    return STATES.get(word, TEXT)


def of_environment(label: str) -> str:
    """The colour of the frame."""
    return {"PROD": PRODUCTION, "REHEARSAL": REHEARSAL}.get(label, STAGING)
