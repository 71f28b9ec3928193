"""Which probes could see what a line asks for, by the words that each kind of probe has for itself and its fields.

A proposal asserts nothing: it stands in a comment beside the question that a person answers.
"""

from __future__ import annotations

import inspect
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice

from probes.reading import Field
from probes.registry import BUILT_IN, find

_WORD = re.compile(r"[a-z][a-z0-9]+|\d+xx")
_NO_WORDS = (
    "the and for are was has have with without from that this they their them all any each every not only when where which who",
    "will can could should must does done been being its into than then there what after before over under more most one two",
    "new old set get use used using is be of to in on at by or an as it if no yes configured created enabled tested verified",
    "check checked verify confirm ensure make sure working correctly properly",
)
_EMPTY = frozenset(" ".join(_NO_WORDS).split())
_SAME: Mapping[str, str] = {
    "ssl": "tls", "https": "tls", "postgresql": "postgres", "db": "database", "rds": "rds", "aurora": "cluster",
    "5xx": "5xx", "err": "error", "cert": "certificate", "lb": "load", "loadbalancer": "load", "elb": "load", "alb": "alb",
    "bucket": "bucket", "iam": "iam", "dlq": "dead", "p95": "percentile", "p99": "percentile", "latency": "percentile",
}  # fmt: skip
_LEAST = 5.0
"""A word that only one kind of probe in fifty has counts 3.9."""
MOST = 2


@dataclass(frozen=True, slots=True)
class Proposal:
    """A kind of probe, and the field of it that comes nearest."""

    probe: str
    field: str
    meaning: str
    cannot_see: str


def proposals(title: str) -> tuple[Proposal, ...]:
    """Kinds of probes whose own words a line has, the nearest first; often none.

    >>> [one.probe for one in proposals("S3 bucket created with versioning enabled")][:1]
    ['s3.bucket']
    """
    asked = set(_words(title))
    found = []
    for name, words in _vocabulary().items():
        score = sum(_weight(word) * (2 if word in _name_words(name) else 1) for word in asked & words.keys())
        if score >= _LEAST and asked & _name_words(name):
            found.append((score, name))
    nearest = (_proposal(name, asked) for _, name in sorted(found, key=lambda one: (-one[0], one[1])))
    return tuple(islice((one for one in nearest if one is not None), MOST))


def _proposal(name: str, asked: set[str]) -> Proposal | None:
    """None where no field has a word of the line: such a probe sees the thing, and not what is asked of it."""
    kind = find(name)
    named = _name_words(name)

    def fits(field: Field) -> tuple[float, float]:
        common = asked & set(_words(f"{field.name} {field.meaning}"))
        return sum(map(_weight, common - named)), sum(map(_weight, common))

    best = max(kind.fields, key=fits)
    return Proposal(name, best.name, best.meaning, kind.cannot_see) if any(fits(best)) else None


@cache
def _vocabulary() -> Mapping[str, Counter[str]]:
    """Kind -> the words of its name, its first line and its fields."""
    return {name: Counter(_words(_text_of(name))) for name in BUILT_IN}


def _text_of(name: str) -> str:
    kind = find(name)
    first = (inspect.getdoc(kind) or "").splitlines()[0]
    return " ".join([name, first, *(f"{field.name} {field.meaning}" for field in kind.fields)])


@cache
def _name_words(name: str) -> frozenset[str]:
    kind = find(name)
    return frozenset(_words(f"{name} {(inspect.getdoc(kind) or '').splitlines()[0]}"))


@cache
def _weight(word: str) -> float:
    """Rare words say more."""
    having = sum(word in words for words in _vocabulary().values())
    return math.log(len(_vocabulary()) / having) if having else 0.0


def _words(text: str) -> list[str]:
    """In one form: small letters, without plural, by one name for what has several."""
    return list(_normal(_WORD.findall(text.lower().replace("_", " ").replace(".", " "))))


def _normal(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        if word not in _EMPTY and (len(word) > 2 or word in _SAME):
            known = _SAME.get(word, word)
            yield _SAME.get(root := _root(known), root)


def _root(word: str) -> str:
    """
    >>> _root("versioning"), _root("queries"), _root("tasks"), _root("access")
    ('version', 'query', 'task', 'access')
    """
    for end in ("ing", "ed", "ies", "s"):
        if word.endswith(end) and len(word) - len(end) >= 4 and not word.endswith("ss"):
            return word[: -len(end)] + ("y" if end == "ies" else "")
    return word
