"""What a report says can be proven of its record."""

from __future__ import annotations

from collections.abc import Mapping

from probes.frozen import frozen


@frozen
class Verification:
    result: str
    """INTACT, BROKEN or NOT PROVABLE."""
    standings: Mapping[str, str]
    """Subject -> PROVEN, NOT PROVABLE or BROKEN."""
    broken: tuple[str, ...]
    unproven: tuple[str, ...]
    remarks: tuple[str, ...]
    heads: Mapping[str, str]
    """Writer -> hash of the last line of its chain."""
    entries: int


@frozen
class Readings:
    count: int = 0
    digest: str = ""
    """SHA-256 over every reading, as the journal's marks are made; empty where there are none."""
    file: str = ""
    """SHA-256 of readings.sqlite; empty while somebody still writes to it."""
    problem: str = ""
    """Why they cannot be used; empty where they can."""
