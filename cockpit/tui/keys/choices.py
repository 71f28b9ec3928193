"""What people choose from, instead of having to know the words; and what a dismissal's answer says."""

from __future__ import annotations

from datetime import timedelta

from cockpit.engine.ports import Refused
from cockpit.tui.screens.answer import Choice
from probes.periods import parse_duration

CHOOSE = "↑ ↓ chooses; type the reason; enter submits, esc cancels"
VOTES = (Choice("go", "go"), Choice("no-go", "no-go", "needs a reason"), Choice("hold", "hold", "needs a reason"))
PERIODS = (Choice("30m", "30 minutes"), Choice("1h", "1 hour"), Choice("2h", "2 hours"))
UNTIL_CLEAR = Choice("clear", "until clear", "these trips alone; a new one asks again")
STEP_START, STEP_SKIP = Choice("start", "Start", "F7 does it too"), Choice("skip:", "Skip", "needs a reason")
STEP_DONE = Choice("done:", "Done", "describe the result")
STEP_FAILED = Choice("failed:", "Failed", "describe what happened")


def until(text: str) -> tuple[timedelta | None, str]:
    """How long a dismissal lasts (None: these trips, until clear), and why. Raises Refused.

    >>> until("clear a known batch job")
    (None, 'a known batch job')
    """
    word, _, why = text.strip().partition(" ")
    if word.lower().rstrip(":,") in ("clear", "cleared"):
        return None, why
    try:
        return parse_duration(word.rstrip(":,")), why
    except ValueError:
        raise Refused("begin with until when: clear, 30m or 2h; then the reason") from None
