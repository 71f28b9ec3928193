"""Makes untrusted text safe to show."""

from __future__ import annotations

from collections.abc import Iterable

from probes.display_text import visible
from probes.known_secrets import hide


def safe(text: str) -> str:
    """One line, without known secrets, every unseen character shown as its number: the text is untrusted."""
    return visible(hide(text), keep="")


def safe_lines(lines: Iterable[str]) -> str:
    """Each of them safe, one below the other: for where a text may have lines of its own."""
    return "\n".join(map(safe, lines))


def short(text: str, most: int = 400) -> str:
    """One clean line, cut where it is too long for a table."""
    line = safe(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 1] + "…"
