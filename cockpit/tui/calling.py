"""What calls somebody who looks elsewhere: a bell, a notification of the desktop, the title of the window."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from cockpit import formatting
from cockpit.decide.situation import Situation
from cockpit.tui.text import plain

LONGEST = 200
ESC = "\x1b"
KEPT, GIVEN_BACK = "\x1b[22;2t", "\x1b[23;2t"
"""The shell's own title, kept by the terminal, and given back."""
MINUTE = timedelta(minutes=1)


def title(situation: Situation, plan: str, *, stale: bool = False) -> str:
    """The sequence that names the window: symbol, verdict, for how many minutes, and plan.

    `stale`: the verdict is no longer renewed, and may not be true any more.
    """
    verdict = situation.verdict
    minutes = (situation.now - verdict.since) // MINUTE
    age = f" {formatting.duration(minutes * MINUTE)}" if minutes else ""
    doubt = "? STALE " if stale else ""
    text = plain(f"{doubt}{verdict.word.meaning.symbol} {verdict.label}{age} {plan}", longest=LONGEST)
    return f"\x1b]2;{text}\x1b\\"


def call(situation: Situation, environ: Mapping[str, str]) -> str:
    """The bell, and a notification of the verdict with its first reason, in the form the terminal of `environ` takes."""
    verdict = situation.verdict
    reason = next(iter(verdict.reasons), "")
    return notice(plain(f"{verdict.word.meaning.symbol} {verdict.label}: {reason}", longest=LONGEST), environ)


def notice(text: str, environ: Mapping[str, str]) -> str:
    """The bell, and a notification: OSC 777 where only that is known (rxvt, GNOME's and others of VTE), else OSC 9.

    A terminal that knows both would show it twice, and one that knows neither shows nothing. tmux keeps the sequence to itself
    unless it is wrapped, and then passes it on where `allow-passthrough` is on; the bell it handles itself.
    """
    only_777 = "VTE_VERSION" in environ or environ.get("TERM", "").startswith("rxvt")
    sequence = f"\x1b]777;notify;cockpit;{text}\x1b\\" if only_777 else f"\x1b]9;{text}\x1b\\"
    if environ.get("TMUX"):
        sequence = f"\x1bPtmux;{sequence.replace(ESC, 2 * ESC)}\x1b\\"
    return f"\a{sequence}"


class Caller:
    """Says what to write to the terminal, once each."""

    def __init__(self, plan: str, environ: Mapping[str, str], *, rings: bool) -> None:
        """`rings`: not in a replay, which only names the window."""
        self._plan, self._environ, self._rings = plan, environ, rings
        self._title = ""
        self.called = ""
        """What was called last: the verdict, or why nothing is read any more."""

    def due(self, situation: Situation, degraded: str, *, stale: bool) -> str:
        """A title where it has become another; a call where the verdict turns (the first does not) or nothing is read."""
        before, self.called = self.called, degraded or situation.verdict.label
        named, self._title = self._title, title(situation, self._plan, stale=stale or bool(degraded))
        text = self._title if self._title != named else ""
        if before in ("", self.called) or not self._rings:
            return text
        return text + (notice(degraded, self._environ) if degraded else call(situation, self._environ))
