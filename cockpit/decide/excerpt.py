"""A line of raw detail in as few words as say what went wrong. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

_TIME = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\s+")
_HAPPENED_KEYS = ("message", "msg", "event", "error", "err", "reason", "cause", "code")
"""Keys of a structured log line that say what happened, in the order in which they are read."""
LONGEST = 160


def excerpt(line: str) -> str:
    """Without its time; of a structured log line what happened and why.

    >>> excerpt('2026-03-01 02:00:00.1 {"level": "error", "message": "Callback error", "error": "invalid_client"}')
    'Callback error: invalid_client'
    >>> excerpt("missing: app/api-key")
    'missing: app/api-key'
    """
    bare = " ".join(_TIME.sub("", line).split())
    if bare.startswith("{"):
        bare = ": ".join(dict.fromkeys(_happened(bare))) or bare
    return bare if len(bare) <= LONGEST else f"{bare[: LONGEST - 1]}…"


def _happened(line: str) -> Iterator[str]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return  # cut short, or no JSON after all
    if isinstance(found, Mapping):
        for key in _HAPPENED_KEYS:
            if isinstance(value := found.get(key), str) and value:
                yield value
