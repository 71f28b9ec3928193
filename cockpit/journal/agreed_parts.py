"""How far a chain is the same on this machine and in a store, part by part."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cockpit.journal.shared_store import MAX_FETCHED, Part
from cockpit.journal.vetting import Vetted


@dataclass(slots=True)
class Agreed:
    """How far a chain is the same here and in the store."""

    upto: int = 0
    parts: set[str] = field(default_factory=set)
    """Names of the parts in the store that hold a piece of it."""
    odd: set[str] = field(default_factory=set)
    """Names of those that hold something else."""
    vetted: Vetted | None = None
    """The chain up to there, where it is another's."""
    held: bool = False
    """Whether another process on this machine had that file locked when it was last to be added to."""
    left: tuple[int, int, int] = (0, 0, 0)
    """What tells that file from itself after a change (inode, length, time of change), as this cockpit left it."""
    looked: int = 0
    """How many of the parts of an own chain were read again."""
    unread: int = 0
    """How often in a row the next of them could not be read, in a store that answers else."""
    altered: dict[str, int] = field(default_factory=dict)
    """Names of own parts whose text was altered there -> where they begin, until their lines are there again."""

    def forget(self) -> None:
        """Nothing is known of it any more."""
        self.upto, self.vetted, self.left = 0, None, (0, 0, 0)
        self.parts.clear()
        self.odd.clear()


def agree(handle: int, size: int, parts: Sequence[Part], agreed: Agreed) -> None:
    """Go on to where the store and the file stop being the same."""
    by_start: dict[int, list[Part]] = {}
    for part in parts:
        by_start.setdefault(part.start, []).append(part)
    while known := [each for each in by_start.get(agreed.upto, ()) if _is_in(handle, size, each)]:
        agreed.parts |= {each.name for each in known}
        agreed.upto = max(each.end for each in known)


def _is_in(handle: int, size: int, part: Part) -> bool:
    """Whether the file holds the part in its place."""
    fits = 0 < part.length <= MAX_FETCHED and part.end <= size
    return fits and part.holds(os.pread(handle, part.length, part.start))


def compare(path: Path, parts: Sequence[Part], agreed: Agreed) -> None:
    """Whether parts that are not known yet hold a piece of the file, or something else."""
    unknown = [part for part in parts if part.name not in agreed.parts and part.name not in agreed.odd]
    if not unknown:
        return
    if not path.exists():
        agreed.odd |= {part.name for part in unknown}
        return
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for part in unknown:
            (agreed.parts if _is_in(file.fileno(), size, part) else agreed.odd).add(part.name)
