"""Makes untrusted text safe to show."""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})


def safe(text: str) -> str:
    """One line, without control and direction characters: the text is untrusted."""
    return "".join("�" if unicodedata.category(each) in _UNSEEN else each for each in text)


def short(text: str, most: int = 400) -> str:
    """One clean line, cut where it is too long for a table."""
    line = safe(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 1] + "…"
