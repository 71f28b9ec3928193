"""Connections: what the tasks may take together, against what the server has."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.plan.lint.logic import atoms
from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Subject, Text
from cockpit.plan.source.yaml_tree import Path_, Place

_LIMIT = re.compile(r"connection_limit\s*[=:]\s*(\d{1,6})", re.IGNORECASE)
_TITLE = re.compile(r"\bpool\w*\b[^.]*?\b(\d{2,5})\+?\s*connections", re.IGNORECASE)
_SCRIPT = r"\b(?:tsx|ts-node|node|python3?)\s+\S*migrat"
SMALL_SERVER = 112
"""max_connections of an RDS instance with 1 GiB: LEAST(memory / 9531392, 5000)."""


@rule(
    "pool-budget",
    "A rolling deployment needs more connections than the server has",
    why="connection_limit counts per task. During a rolling deployment old and new tasks run together: twice as many.",
    instead="Choose connection_limit so that 2 x tasks x limit, plus scripts, fits; check pool.max_connections against it.",
    report="T8",
)
def pool_budget(subject: Subject) -> Iterator[Found]:
    limited = _limit(subject)
    if limited is None:
        return
    limit, path, place = limited
    counted = _largest(subject, ("desired", "running", "healthy"), "==")
    tasks = counted or 2
    script = limit if subject.mentions(_SCRIPT, "command", within="runbook") else 0
    needed = 2 * tasks * limit + script
    server = _largest(subject, ("max_connections", "usable"), ">=")
    if needed <= (server or SMALL_SERVER):
        return
    guess = "" if counted else " (a guess: no condition counts them)"
    sum_ = f"2 x {tasks} tasks{guess} x {limit}" + (f" + {script} for the script" if script else "") + f" = {needed}"
    has = (
        f"the plan asks the server for {server}"
        if server
        else f"no condition asks the server for as many (a 1 GiB RDS has {SMALL_SERVER})"
    )
    yield Found(path, f"a rolling deployment takes {sum_} connections; {has}", place)


def _limit(subject: Subject) -> tuple[int, Path_, Place | None] | None:
    """Connections per task: from a connection string, a var, a text, or the title that asks for a pool."""
    for name, spec in subject.plan.probes.items():
        if found := _LIMIT.search(str(spec.params.get("dsn", ""))):
            return int(found[1]), ("probes", name, "with", "dsn"), None
    written = subject.tree.value_at(("vars", "connection_limit"))
    if isinstance(written, int) and not isinstance(written, bool):
        return written, ("vars", "connection_limit"), None
    for pattern, kinds in ((_LIMIT, ("vars", "command", "ask", "seen", "caution")), (_TITLE, ("title",))):
        for text in subject.texts_of(*kinds):
            if found := pattern.search(text.content):
                return int(found[1]), text.path, _place(subject, pattern, text)
    return None


def _place(subject: Subject, pattern: re.Pattern[str], text: Text) -> Place | None:
    return subject.find(pattern.pattern, text)


def _largest(subject: Subject, fields: tuple[str, ...], operator: str) -> int:
    """The largest number conditions compare these fields with."""
    found = [
        int(atom.values[0])
        for judged in subject.judged
        for atom in atoms(judged.condition.source)
        if atom.path.partition(".")[2] in fields and atom.operator == operator and isinstance(atom.values[0], float)
    ]
    return max(found, default=0)


RULES = (pool_budget,)
