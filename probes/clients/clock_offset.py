"""How far this machine's clock is from the time others say it is: by the Date header of their answers."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

SHOWN_FROM_S = 5.0
_RESOLUTION_S = 1.0
"""A Date header has whole seconds."""


@dataclass(slots=True)
class ClockOffset:
    """The newest measurement. Written by any thread, read by any."""

    seconds: float = 0.0
    """Theirs less ours, in seconds, as far as it is certain: an answer that took long proves little. 0 before any."""
    by: str = ""
    """Who said so."""

    def measure(self, by: str, date: str, asked: float, answered: float) -> None:
        """Note one answer: its Date header, and our epoch seconds before and after. A header nobody can read says nothing."""
        try:
            theirs = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        least, most = theirs - answered, theirs + _RESOLUTION_S - asked
        if least > most:
            return  # our clock was set back meanwhile
        self.seconds, self.by = min(max(0.0, least), most), by

    @property
    def notice(self) -> str:
        """One line for the screen, once it matters; else empty."""
        if abs(self.seconds) <= SHOWN_FROM_S:
            return ""
        side = "behind" if self.seconds > 0 else "ahead of"
        return (
            f"CLOCK: this machine is {abs(self.seconds):.0f} s {side} {self.by}; "
            "ages and times here are wrong by that: set its clock"
        )
