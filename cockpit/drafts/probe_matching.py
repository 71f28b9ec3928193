"""Which probes could see what a line asks for, by the words that each kind of probe has for itself and its fields.

A proposal asserts nothing: it stands in a comment beside the question that a person answers. One that does not fit its line costs
more than none: a line must name what the probe reads (`Probe.subjects`), and the probe's fields most of what the line says of it.
"""

from __future__ import annotations

import inspect
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice

from probes.frozen import frozen
from probes.reading import Field
from probes.registry import BUILT_IN, find

_WORD = re.compile(r"[a-z][a-z0-9]+|\d+xx")
_NO_WORDS = (
    "the and for are was has have with without from that this they their them all any each every not only when where which who",
    "will can could should must does done been being its into than then there what after before over under more most one two",
    "new old set get use used using is be of to in on at by or an as it if no yes configured created enabled tested verified",
    "check checked verify confirm ensure make sure working correctly properly installed number set installed below above within",
    "less ago hour hours minute minutes second seconds min sec too high low runs cloudwatch aws amazon",
    "und der die das ist sind im am auf mit fur von zu den dem ein eine mind aktiviert eingerichtet gesetzt erstellt keine alle",
)
_EMPTY = frozenset(" ".join(_NO_WORDS).split())
_OF_PEOPLE = (
    "reviewed approved informed announced agreed accepted documented rehearsed trained briefed booked notified published",
    "communicated signed contacted staffed scheduled rota informiert angekundigt abgestimmt freigegeben genehmigt",
    "dokumentiert geschult gekundigt gepruft besprochen",
)
_DONE_BY_PEOPLE = frozenset(" ".join(_OF_PEOPLE).split())
"""What a line asks for with such a word somebody did, or did not: nothing that a probe reads shows it."""
_SAME: Mapping[str, str] = {
    "s3": "s3", "indexes": "index",
    "ssl": "tls", "https": "tls", "postgresql": "postgres", "db": "database", "rds": "rds",
    "5xx": "5xx", "err": "error", "cert": "certificate", "loadbalancer": "alb", "elb": "alb", "alb": "alb",
    "bucket": "bucket", "iam": "iam", "dlq": "dead", "p95": "percentile", "p99": "percentile", "latency": "percentile",
    "empty": "waiting", "backup": "snapshot",
    "datenbank": "database", "zertifikat": "certificate", "fehler": "error", "fehlerrate": "rate", "warteschlange": "queue",
    "leer": "waiting", "verschlusselt": "encrypted", "versionierung": "versioning", "alarme": "alarm", "sicherung": "snapshot",
    "aufbewahrung": "retention", "replikation": "replication", "eintrag": "record", "gultig": "valid", "tage": "day",
    "lauft": "running", "laufen": "running", "anmelden": "login", "anmeldung": "login",
}  # fmt: skip
_PASSED_OVER = re.compile(r"https?://\S+|\w+:(?=\s)|\b[\w-]+(?:\.[\w-]+)+\b")
"""Addresses, and the heads of a table's columns."""
_UNKNOWN = 1.0
"""The weight of a word that no probe has: less than that of one which names a thing, and not nothing."""
_SHARE = 0.5
"""Of what a line says, by weight, a probe must be able to see so much."""
_ONE_THING = 3
"""A kind of so few fields says one thing, its first."""
MOST = 2


@frozen
class Proposal:
    """A kind of probe, and the field of it that comes nearest."""

    probe: str
    field: str
    meaning: str
    cannot_see: str


def proposals(title: str) -> tuple[Proposal, ...]:
    """Kinds of probes that read what a line names, and have a field for most of what it says of it; often none.

    >>> [one.probe for one in proposals("S3 bucket created with versioning enabled")][:1]
    ['s3.bucket']
    >>> proposals("S3 bucket policy reviewed"), proposals("Support page is staffed")
    ((), ())
    """
    line = _words(_PASSED_OVER.sub(" ", title))
    if _DONE_BY_PEOPLE & set(_WORD.findall(_plain(title))):
        return ()
    found = []
    for name in _vocabulary():
        named = [phrase for phrase in _subjects(name) if _in_order(phrase, line)]
        if named and (fitting := _fitting(name, set(line), named)):
            found.append((*fitting, name))
    nearest = sorted(found, key=lambda one: (-one[0], one[2]))
    return tuple(islice((_proposal(name, field) for _, field, name in nearest), MOST))


def _fitting(name: str, line: set[str], named: list[tuple[str, ...]]) -> tuple[float, Field] | None:
    """The share of the line that a kind can see, and its nearest field; None where no field is about it, or most stays unseen."""
    kind = find(name)
    subject = {word for phrase in named for word in phrase} | set(_words(name))
    # Of a phrase its words speak of a field too: "error rate" names what is read, and its rate.
    asked = line - {phrase[0] for phrase in named if len(phrase) == 1}

    def common(field: Field) -> set[str]:
        return asked & set(_words(f"{field.name} {field.meaning}"))

    def weight(words: Iterable[str]) -> float:
        return sum(map(_weight, words))

    def nearness(field: Field) -> tuple[float, float, float]:
        here = common(field)
        return weight(here - subject), weight(here & set(_words(field.name))), weight(here)

    best = max(kind.fields, key=nearness)
    is_all = len(kind.fields) <= _ONE_THING or not line - subject
    if not (is_all or common(best) - subject or common(best) & set(_words(best.name))):
        return None
    share = weight(line & (subject | _of_fields(name))) / weight(line)
    return (share, best) if share >= _SHARE else None


def _in_order(phrase: tuple[str, ...], line: list[str]) -> bool:
    return any(tuple(line[at : at + len(phrase)]) == phrase for at in range(len(line)))


def _proposal(name: str, field: Field) -> Proposal:
    return Proposal(name, field.name, field.meaning, find(name).cannot_see)


@cache
def _vocabulary() -> Mapping[str, Counter[str]]:
    """Kind -> the words of its name, its first line and its fields."""
    return {name: Counter(_words(_text_of(name))) for name in BUILT_IN}


def _text_of(name: str) -> str:
    kind = find(name)
    first = (inspect.getdoc(kind) or "").splitlines()[0]
    return " ".join([name, first, *kind.subjects, *(f"{field.name} {field.meaning}" for field in kind.fields)])


@cache
def _subjects(name: str) -> tuple[tuple[str, ...], ...]:
    return tuple(words for subject in find(name).subjects if (words := tuple(_words(subject))))


@cache
def _of_fields(name: str) -> frozenset[str]:
    return frozenset(_words(" ".join(f"{field.name} {field.meaning}" for field in find(name).fields)))


@cache
def _weight(word: str) -> float:
    """Rare words say more."""
    having = sum(word in words for words in _vocabulary().values())
    return math.log(len(_vocabulary()) / having) if having else _UNKNOWN


def _words(text: str) -> list[str]:
    """In one form: small letters, without plural, by one name for what has several."""
    return list(_normal(_WORD.findall(_plain(text).replace("_", " ").replace(".", " "))))


def _plain(text: str) -> str:
    """Small letters without accents."""
    return "".join(each for each in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(each))


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
        if word.endswith(end) and len(word) - len(end) >= (3 if end == "s" else 4) and not word.endswith("ss"):
            return word[: -len(end)] + ("y" if end == "ies" else "")
    return word
