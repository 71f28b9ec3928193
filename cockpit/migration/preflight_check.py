"""One thing that must be so before a file moves: what was found, and what to do."""

from __future__ import annotations

from probes.frozen import frozen


@frozen
class Check:
    """`ok` None: worth knowing, stops nothing."""

    what: str
    ok: bool | None
    found: str
    fix: str = ""


def good(what: str, found: str) -> Check:
    return Check(what, ok=True, found=found)


def bad(what: str, found: str, fix: str = "") -> Check:
    return Check(what, ok=False, found=found, fix=fix)
