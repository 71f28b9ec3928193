"""What other cockpits had read of one another: a line that one of them names and that is not here was kept from arriving here.

Every line names the newest of the other chains its writer had read. So lines that one cockpit has read cannot be taken out of a
share without a trace for the next, whether who wrote them is still there or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cockpit.journal.announced import MissingLines
from cockpit.journal.chain import Chain
from cockpit.journal.vetting import is_keyed

LOOKS = 3
"""How often a line is looked for before it is missing: what was put into a share at once arrives one after the other."""
MOST = 1_000
"""Lines that are looked for at once."""


@dataclass(slots=True)
class HeadsOfOthers:
    """Of one cockpit: which lines others name and that it has not read."""

    own: str
    """Its writer: its own lines are nothing to read."""
    _sought: dict[tuple[str, str], _Sought] = field(default_factory=dict)
    """By who names it, and whose it is."""

    def add(self, chain: Chain) -> None:
        """Note what lines of a chain name."""
        if chain.writer == self.own:
            return
        for line in chain.lines:
            for writer, head in line.entry.seen.items():
                if writer != self.own and is_keyed(writer) and len(self._sought) < MOST:
                    sought = self._sought.setdefault((chain.writer, writer), _Sought(head))
                    sought.newest = head

    def look(self, has: Callable[[str, str], bool]) -> None:
        """Look for them once more. `has`: whether a line (writer, hash) is here."""
        for (by, writer), sought in list(self._sought.items()):
            sought.looks += 1
            if has(writer, sought.newest):
                del self._sought[by, writer]

    def missing(self) -> list[MissingLines]:
        """Those that were looked for often enough."""
        found: dict[str, MissingLines] = {}
        for (by, writer), sought in sorted(self._sought.items()):
            if sought.looks >= LOOKS:
                text = f"lines of {writer} are missing: {by} had read more of them than there is here"
                before = found.get(writer, MissingLines(writer, text, ()))
                found[writer] = MissingLines(writer, before.text, (*before.names, line_name(writer, sought.first)))
        return list(found.values())


@dataclass(slots=True)
class _Sought:
    """A line that was not here when it was named, and the newest that was named since."""

    first: str
    """It bears the name of all that are missing: those that come after it change nothing."""
    newest: str = ""
    looks: int = 0


def line_name(writer: str, head: str) -> str:
    """The name of a line that is missing."""
    return f"{writer}@{head[:16]}"
