"""Which lines of another cockpit a share announces that are not here: they were altered, taken out or cannot be read there.

The name of an object says where it belongs and what it holds, and outlives whatever is done to its text: one that was once seen
in the share is remembered when it is gone. An object whose name fits nothing in the chain that is here announces lines that
nobody here knows: a no, or something that was taken back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cockpit.journal.shared_store import Part
from cockpit.journal.vetting import whole_lines
from probes.frozen import frozen

MOST_NAMED = 100
"""Objects of one cockpit that are named one by one."""
MOST_REMEMBERED = 10_000
"""Objects of one cockpit that are remembered once they are gone."""


@frozen
class MissingLines:
    """Lines of one cockpit that are known to be missing here."""

    writer: str
    text: str
    """In a sentence: which, and why."""
    names: tuple[str, ...]
    """What is missing: `writer/object` of the share, `writer@line` of what others had read."""


@dataclass(slots=True)
class Announced:
    """Of one writer: what the objects that were seen in the share announce, beside the chain that is here."""

    seen: dict[str, Part] = field(default_factory=dict)
    """By name, what the share announced, also what is gone from it."""
    known: set[str] = field(default_factory=set)
    """Names that fit lines that are here."""
    _last: tuple[str, int] = ("", -1)
    """The first name that fitted none, and how long the chain was then: nothing is hashed twice for it."""
    missing: MissingLines | None = None
    """What was found missing when it was last looked for."""

    def look(self, path: Path, parts: Sequence[Part], why: dict[Part, str], here: Collection[str]) -> None:
        """Look which lines are missing here, and why. Raises OSError.

        `why`: why an object was not taken in, where that is known. `here`: names of objects whose lines are.
        """
        for part in parts:
            if len(self.seen) < MOST_REMEMBERED or part.name in self.seen:
                self.seen[part.name] = part
        self.known.update(here)
        listed = {part.name for part in parts}
        unknown = sorted({part.name: part for part in (*self.seen.values(), *parts)}.items())
        left = [part for name, part in unknown if name not in self.known]
        size = path.stat().st_size if path.exists() else 0
        if left and (left[0].name, size) != self._last:
            chain = path.read_bytes() if size else b""
            while left and fits(chain, left[0]):
                self.known.add(left.pop(0).name)
            if left:
                self._last = left[0].name, size
        self.missing = self._worded(path, left, why, listed) if left else None

    @staticmethod
    def _worded(path: Path, left: Sequence[Part], why: dict[Part, str], listed: Collection[str]) -> MissingLines:
        first = left[0]
        lines = path.read_bytes().count(b"\n", 0, first.start) if path.exists() else 0
        after = f"after line {lines} " if lines else ""
        gone = "" if first.name in listed else "it was taken out of it"
        reason = gone or why.get(first, "what comes before it is not there")
        named = [part.name for part in left[:MOST_NAMED]]
        if rest := sorted(part.name for part in left[MOST_NAMED:]):
            named.append(f"{first.writer}/and {len(rest)} more: {hashlib.sha256(repr(rest).encode()).hexdigest()[:16]}")
        text = f"lines of {first.writer} {after}are missing: {first.name} in the share: {reason}"
        return MissingLines(first.writer, text, tuple(named))


def remembered(names: Iterable[str]) -> dict[str, Announced]:
    """By writer: the objects that were noted as missing before."""
    found: dict[str, Announced] = {}
    for name in names:
        if (part := Part.named(name, 0)) is not None:
            found.setdefault(part.writer, Announced()).seen[name] = part
    return found


def fits(chain: bytes, part: Part) -> bool:
    """Whether whole lines of a chain, from where the part begins, are what it is named for, however long it is by now."""
    digest = hashlib.sha256()
    for raw in whole_lines(chain[part.start :]):
        digest.update(raw)
        if digest.hexdigest()[:32] == part.sha:
            return True
    return False
