"""A line of raw detail in as few words as say what went wrong. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

_TIME = re.compile(r"^(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\s+")
_PERIOD = re.compile(r"^until \d\d:\d\d\s")
"""A period of a metric: its numbers are the value again, and no cause of it."""
_COUNTS = re.compile(r"^(?:[\w-]+: )?\d[\d.,]* [a-z ]+(?:, \d[\d.,]* [a-z ]+)*$")
"""Counts alone are the value again, too."""
_AS_USUAL = re.compile(
    r"^\(service [^)]+\) (?:\(deployment [^)]+\) deployment completed"
    r"|has (?:reached a steady state|started|stopped|begun draining)|(?:de)?registered|updated )|^\S+:\d+ healthy$"
)
"""What every deployment does, and a target that is well: no cause of anything."""
_SERVER = re.compile(
    r'^(?:connection failed: )?connection to server at "([^"]+)"(?: \([^)]*\))?, port (\d+) failed:\s*(?:FATAL:\s*)?'
)
"""How libpq begins: the address says as much."""
_HAPPENED_KEYS = ("status", "code", "error", "err", "reason", "cause", "message", "msg", "event")
"""Keys of a structured log line that say what happened, the most specific first."""
_FAILED = 400
"""An HTTP status from here on says what happened; a smaller number says nothing."""
LONGEST = 160


def excerpt(line: str) -> str:
    """Without its time; of a structured log line what happened and why.

    >>> excerpt('2026-03-01 02:00:00.1 {"level": "error", "message": "Callback error", "error": "invalid_client"}')
    'invalid_client: Callback error'
    >>> excerpt('connection failed: connection to server at "db", port 5432 failed: FATAL: no slots')
    'db:5432: no slots'
    >>> excerpt("missing: app/api-key")
    'missing: app/api-key'
    >>> excerpt("until 18:48  RequestCount Sum 72"), excerpt("(service web) has reached a steady state.")
    ('', '')
    """
    if not line or _PERIOD.match(line):
        return ""
    bare = _SERVER.sub(r"\1:\2: ", " ".join(_TIME.sub("", line).split()))
    if _COUNTS.match(bare) or _AS_USUAL.match(bare):
        return ""
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
            value = found.get(key)
            if isinstance(value, str) and value:
                yield value
            elif type(value) is int and value >= _FAILED:
                yield str(value)
