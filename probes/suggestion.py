"""What somebody may have meant who wrote a name that there is not. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import islice

_LONGEST = 80
"""Characters of a name that is guessed at: comparing takes time that grows with its square."""
_MOST = 1000
_LISTED = 40


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The name most like a word, in whatever case, the first by alphabet where several are; empty where none is alike.

    >>> closest("eu-central", ["eu-central-2", "eu-central-1", "us-east-1"]), closest("x", ["y"])
    ('eu-central-1', '')
    """
    if len(word) > _LONGEST:
        return ""
    best, found = cutoff, ""
    matcher = SequenceMatcher(b=word.casefold())
    for name in sorted(islice(known, _MOST)):
        matcher.set_seq1(name.casefold())
        if matcher.real_quick_ratio() < best or matcher.quick_ratio() < best:
            continue
        alike = matcher.ratio()
        if alike > best or (alike == best and not found):
            best, found = alike, name
    return found


def suggestion(word: str, known: Iterable[str], otherwise: str = "", cutoff: float = 0.6) -> str:
    """The end of a message that says what was meant; else it lists what there is, as `otherwise` introduces it.

    >>> suggestion("runing", ["running", "desired"]), suggestion("x", ["b", "a"], "there is")
    ("; did you mean 'running'?", '; there is a, b')
    """
    names = list(islice(known, _MOST))
    if near := closest(word, names, cutoff):
        return f"; did you mean '{near}'?"
    return f"; {otherwise} {', '.join(sorted(names)[:_LISTED]) or 'none'}" if otherwise else ""
