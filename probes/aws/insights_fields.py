"""Which fields a log query reads, and which of them no event has: a misspelt field filters everything out, and counts 0."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from probes.aws.logs_query import Insights
from probes.clients.clients import Clients

DAY = timedelta(days=1)
TIMEOUT_S = 20.0
MOST_FIELDS = 20
_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<comment>(?m:^\s*\#.*$))
    |(?P<span>\d+(?:\.\d+)?(?:ms|s|m|h|d|w)?\b)
    |`(?P<quoted>[^`]+)`
    |(?P<name>[@A-Za-z_][\w@.]*(?:-\w+)*)
    |(?P<symbol>\S)""",
    re.VERBOSE,
)
_GROUP = re.compile(r"\(\?P?<(\w+)>")
_REGEX = re.compile(r"/(?:\\.|[^/\\\n])+/i?")
_COMMANDS = "fields filter stats sort limit parse display dedup unmask pattern diff unnest anomaly filterindex source"
_JOINING = "into by as and or not in like asc desc is null true false"
_NO_FIELDS = frozenset(f"{_COMMANDS} {_JOINING}".split())
"""Words of the language: commands, and what joins them."""


def fields_read(query: str) -> tuple[str, ...]:
    """The fields of log events that a query names, each once, in order; not those that it makes itself (`as`, `parse`), and
    not those that every event has (`@message`).

    >>> fields_read('filter level = "error" and mesage like /x/ | stats pct(durationMs, 95) as value by bin(5m)')
    ('level', 'mesage', 'durationMs')
    """
    made: set[str] = set()
    found: list[str] = []
    tokens = list(_tokens(query))
    for at, (kind, text) in enumerate(tokens):
        before = tokens[at - 1][1].lower() if at else ""
        after = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        if kind == "regex":
            made.update(_GROUP.findall(text))
        elif before == "as" or (before == "," and text in made) or (before == "," and _in_parse(tokens[:at])):
            made.add(text)
        elif kind == "quoted" or (kind == "name" and after != "(" and text.lower() not in _NO_FIELDS):
            found.append(text)
    return tuple(name for name in dict.fromkeys(found) if not name.startswith("@") and name not in made)


def _in_parse(tokens: Sequence[tuple[str, str]]) -> bool:
    """Whether what follows is another name that a `parse ... as a, b` makes."""
    begins = max((at for at, (_, text) in enumerate(tokens) if text == "|"), default=-1)
    words = [text.lower() for _, text in tokens[begins + 1 :]]
    return bool(words) and words[0] == "parse" and "as" in words


def _tokens(query: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of names and symbols; comments are left out, strings and numbers are without meaning."""
    at, last, before = 0, "", ""
    while at < len(query):
        if query[at].isspace():
            at += 1
            continue
        pattern = last.lower() in ("like", "~", "or", "parse") or before == "parse"
        regex = _REGEX.match(query, at) if pattern else None
        match = regex or _TOKEN.match(query, at)
        if match is None:
            return
        at = match.end()
        kind = "regex" if regex else str(match.lastgroup)
        before, last = last.lower(), match[0] if regex else match[kind]
        if kind != "comment":
            yield kind, last if kind in ("name", "quoted", "symbol", "regex") else "…"


async def never_logged(clients: Clients, groups: Sequence[str], query: str, now: datetime) -> tuple[str, ...]:
    """The fields a query reads that no event of the last day has; none where nothing was logged in it. Raises Unseen."""
    fields = fields_read(query)[:MOST_FIELDS]
    if not fields:
        return ()
    counts = ", ".join(f"count(`{name}`) as n{number}" for number, name in enumerate(fields))
    insights = Insights(clients, groups, f"stats {counts}", TIMEOUT_S)
    try:
        answer = await insights.ask(now - DAY, now)
    finally:
        await insights.close()
    if not answer.scanned or not answer.rows:
        return ()
    row = answer.rows[0]
    return tuple(name for number, name in enumerate(fields) if float(row.get(f"n{number}") or 0) == 0)
