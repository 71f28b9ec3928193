"""Text of others, made safe to show: a character that nobody can see is shown as its number.

What controls a terminal, turns the direction of text, takes no room or looks like a space becomes `\\u{hex}`. Nothing is left
out, so two names that differ look different; only a name that spells such an escape itself looks like the one it names.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable

_ODD = re.compile(r"[^ -~]")
"""What must be looked at by itself."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp", "Zs"})
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters and marks by their category; no font shows them."""
_PICTURES = frozenset({"So", "Sm", "Sk", "Po"})
"""What a selector of text or emoji form (U+FE0E, U+FE0F) may follow."""
_SUSPECT = re.compile(f"[{''.join(sorted(_FILLERS))}\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Of what Python takes to be printable, all that may be unseen."""
_SELECTORS = frozenset("\ufe0e\ufe0f")
_KEYCAP = frozenset("#*0123456789")


def visible(text: str, *, keep: str = "\n") -> str:
    """The text with every unseen character as `\\u{hex}`; those of `keep` stay.

    >>> print(visible("a\\x1b[2Jb\\u202ec"))
    a\\u{1b}[2Jb\\u{202e}c
    >>> visible("ordérs ⚠️") == "ordérs ⚠️"
    True
    """
    # What is not printable for Python is exactly what is of the unseen categories, but for the space.
    if (text.replace("\n", "") if "\n" in keep else text).isprintable() and not _SUSPECT.search(text):
        return text

    def shown(odd: re.Match[str]) -> str:
        each = odd[0]
        return f"\\u{{{ord(each):x}}}" if each not in keep and _is_unseen(each, text, odd.start()) else each

    return _ODD.sub(shown, text)


def _is_unseen(each: str, text: str, at: int) -> bool:
    if each in _SELECTORS:
        before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
        picture = bool(before) and (unicodedata.category(before) in _PICTURES and before > "\x7f")
        return not (picture or (before in _KEYCAP and after == "\u20e3"))
    if "\ufe00" <= each <= "\ufe0f" or "\U000e0100" <= each <= "\U000e01ef":
        return True
    return each in _FILLERS or unicodedata.category(each) in _UNSEEN


def json_escaped(text: str) -> str:
    """JSON, with every unseen character in it escaped as JSON does it: it reads back as it was."""
    return _escaped(text, lambda each: json.dumps(each)[1:-1])


def yaml_quoted(text: str) -> str:
    """A double-quoted YAML scalar that means exactly this text, with every unseen character escaped.

    >>> print(yaml_quoted("a\\u202e\\U000e0041"))
    "a\\u202e\\U000e0041"
    """
    return _escaped(
        json.dumps(text, ensure_ascii=False),
        lambda each: f"\\U{ord(each):08x}" if each > "\uffff" else f"\\u{ord(each):04x}",
    )


def _escaped(text: str, escape: Callable[[str], str]) -> str:

    def shown(odd: re.Match[str]) -> str:
        each = odd[0]
        return escape(each) if each != "\n" and _is_unseen(each, text, odd.start()) else each

    return _ODD.sub(shown, text)
