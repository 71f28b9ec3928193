"""Putting lines of an own chain into a store where something else has their name: an object with another name holds them, too."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from cockpit.journal.shared_store import MAX_FETCHED, Part, Store, StoreUnreachable

BEFORE = 64 << 10
"""Bytes before altered lines among which another beginning is looked for."""
TRIES = 20


def put(store: Store, part: Part, data: bytes) -> bool:
    """Whether the store holds the part now. Raises StoreUnreachable."""
    try:
        return store.put(part, data) or part.holds(store.get(part))
    except StoreUnreachable:
        if part.name in {each.name for each in store.parts()}:
            return False  # it is there, and nobody can read it
        raise


def put_beside(store: Store, path: Path, start: int, end: int, altered: Collection[str]) -> str:
    """Put lines of a chain once more, after some that came before them: the name of their new object, empty where there is none.

    `altered`: names that are not tried. Raises StoreUnreachable, OSError.
    """
    with path.open("rb") as file:
        first = max(0, start - BEFORE)
        data = os.pread(file.fileno(), end - first, first)
    begins = {n + 1 for n in range(start - first) if data[n : n + 1] == b"\n"} | ({0} if first == 0 else set())
    for begin in sorted({*begins, start - first}, reverse=True)[:TRIES]:
        part = Part.of(path.stem, first + begin, data[begin:])
        if part.name not in altered and part.length <= MAX_FETCHED and put(store, part, data[begin:]):
            return part.name
    return ""
