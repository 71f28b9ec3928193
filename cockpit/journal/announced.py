"""Which lines of another cockpit a share announces that are not here: they were altered, taken out or cannot be read there.

The name of an object says where it belongs and what it holds, and outlives whatever is done to its text. An object whose name
fits nothing in the chain that is here announces lines that nobody here knows: a no, or something that was taken back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cockpit.journal.shared_store import Part
from cockpit.journal.vetting import whole_lines


@dataclass(slots=True)
class Announced:
    """Of one writer: what the objects in the share announce, beside the chain that is here."""

    known: set[str] = field(default_factory=set)
    """Names that fit lines that are here."""
    _last: tuple[str, int] = ("", -1)
    """The first name that fitted none, and how long the chain was then: nothing is hashed twice for it."""
    _missing: str = ""

    def missing(self, path: Path, parts: Sequence[Part], why: dict[Part, str]) -> str:
        """In a sentence, which lines are missing here and why; empty where none are known to be. Raises OSError.

        `why`: why an object was not taken in, where that is known.
        """
        size = path.stat().st_size if path.exists() else 0
        unknown = [part for part in parts if part.name not in self.known]
        if not unknown:
            return ""
        if (unknown[0].name, size) == self._last:
            return self._missing
        chain = path.read_bytes() if size else b""
        for part in unknown:
            if not fits(chain, part):
                lines = chain.count(b"\n", 0, part.start)
                after = f"after line {lines} " if lines else ""
                reason = why.get(part, "what comes before it is not there")
                self._last = unknown[0].name, size
                self._missing = f"lines of {part.writer} {after}are missing: {part.name} in the share: {reason}"
                return self._missing
            self.known.add(part.name)
        return ""


def fits(chain: bytes, part: Part) -> bool:
    """Whether whole lines of a chain, from where the part begins, are what it is named for, however long it is by now."""
    digest = hashlib.sha256()
    for raw in whole_lines(chain[part.start :]):
        digest.update(raw)
        if digest.hexdigest()[:32] == part.sha:
            return True
    return False
