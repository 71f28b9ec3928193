"""What calls somebody who looks elsewhere: a bell, a notification of the desktop, the title of the window."""

from __future__ import annotations

from cockpit.decide.situation import Situation
from cockpit.tui.text import plain

LONGEST = 200
KEPT, GIVEN_BACK = "\x1b[22;2t", "\x1b[23;2t"
"""The shell's own title, kept by the terminal, and given back."""


def title(situation: Situation, plan: str) -> str:
    """The sequence that names the window: symbol, verdict and plan."""
    verdict = situation.verdict
    return f"\x1b]2;{plain(f'{verdict.word.meaning.symbol} {verdict.label} {plan}', longest=LONGEST)}\x1b\\"


def call(situation: Situation) -> str:
    """The bell, and a notification (OSC 9) of the verdict with its first reason."""
    verdict = situation.verdict
    reason = next(iter(verdict.reasons), "")
    text = plain(f"{verdict.word.meaning.symbol} {verdict.label}: {reason}", longest=LONGEST)
    return f"\a\x1b]9;{text}\x1b\\"
