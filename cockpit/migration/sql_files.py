"""The SQL of the migration, from the files in `sql/`: every statement once, with the sentence that says why it is safe.

A file is a list of blocks: `-- name: claim_to_copy`, one sentence as a comment, the statement. `-- part: may_begin` begins a
text that statements include as `{may_begin}`. `{item_states}` is a list of words of `states.py`, `%(run)s` a value, and
`{table}`, `{id}` and the other `NAMES` are the plan's names of a table of the application.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files

from psycopg import sql

from cockpit.migration.settings import Source
from cockpit.migration.states import (
    OPEN,
    RETRIED_AS,
    ItemState,
    ObjectState,
    PhaseName,
    Wanted,
    WorkerState,
    literals,
)
from probes.frozen import frozen

NAMES = frozenset(("id", "data", "name", "kind", "size", "key", "bucket", "region", "table", "type"))
_WORDS = {
    "item_states": literals(ItemState),
    "object_states": literals(ObjectState),
    "worker_states": literals(WorkerState),
    "wanted_states": literals(Wanted),
    "phases": literals(PhaseName),
    **{f"to_{phase}": literals(states) for phase, states in OPEN.items()},
    "retried_as": " ".join(f"WHEN '{phase}' THEN '{state}'" for phase, state in RETRIED_AS.items()),
    "phases_keeping_key": literals(phase for phase, state in RETRIED_AS.items() if state is not ItemState.PLANNED),
}
_BLOCK = re.compile(r"^-- (name|part): (.+)\n((?:--.*\n)*)((?:(?!-- (?:name|part): ).*\n?)*)", re.MULTILINE)
_HOLE = re.compile(r"\{([a-z_]+)\}")


@frozen
class SqlStatement:
    """One block. `text` has its parts and words filled in; the holes left are `NAMES`."""

    name: str
    where: str
    why: str
    text: str
    is_part: bool

    @property
    def holes(self) -> frozenset[str]:
        return frozenset(_HOLE.findall(self.text))


def parse(texts: Mapping[str, str]) -> dict[str, SqlStatement]:
    """Statements and parts of these files (name to text), by name. Raises ValueError with every problem, a line each."""
    found: dict[str, SqlStatement] = {}
    problems: list[str] = []
    for file, text in sorted(texts.items()):
        first = _BLOCK.search(text)
        before = text[: first.start()] if first else text
        if any(line.strip() and not line.startswith("--") for line in before.splitlines()):
            problems.append(f"{file}:1: only comments may stand before the first block")
        for match in _BLOCK.finditer(text):
            where = f"{file}:{text.count(chr(10), 0, match.start()) + 1}"
            kind, name, comment, body = match.groups()
            why = " ".join(line.removeprefix("--").strip() for line in comment.splitlines())
            if not why.endswith(".") or ". " in why:
                problems.append(f"{where}: {name} needs one sentence, and its full stop, that says why it is safe")
            if not re.fullmatch("[a-z_]+", name):
                problems.append(f"{where}: {name!r} is no name: small letters and _ alone")
            if not body.strip():
                problems.append(f"{where}: {name} has no statement")
            if name in found or name in NAMES or name in _WORDS:
                there = found[name].where if name in found else "every statement"
                problems.append(f"{where}: {name} is a name of {there} already: choose another")
            found[name] = SqlStatement(name, where, why, body.strip(), kind == "part")
    parts = {one.name: one.text for one in found.values() if one.is_part} | _WORDS
    for one in found.values():
        whole = one
        while included := whole.holes & parts.keys():
            whole = replace(whole, text=_HOLE.sub(lambda hole: parts.get(hole[1], hole[0]), whole.text))
            if one.name in included:
                problems.append(f"{one.where}: {one.name} includes itself")
                break
        problems += [
            f"{one.where}: there is nothing to put for {{{hole}}}" for hole in whole.holes - NAMES - {one.name}
        ]
        found[one.name] = whole
    if problems:
        raise ValueError("\n".join(problems))
    return found


def _read() -> dict[str, str]:
    folder = files("cockpit.migration") / "sql"
    return {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".sql")}


STATEMENTS = parse(_read())


def statement(name: str) -> sql.SQL:
    """A statement on the ledger alone. Raises LookupError, at import: it is asked for by modules when they are loaded."""
    found = _found(name)
    if found.holes:
        raise LookupError(f"{found.where}: {name} is about a table of the plan: ask for it with table_statement()")
    return sql.SQL(found.text)


def table_statement(name: str) -> Callable[[Source], sql.Composed]:
    """A statement on a table of the application, made for one by its names: always executed with values, if only {}.

    Raises LookupError, at import.
    """
    found = _found(name)
    if not found.holes:
        raise LookupError(f"{found.where}: {name} names no table of the plan: ask for it with statement()")
    pieces = _HOLE.split(found.text)

    @cache
    def of(source: Source) -> sql.Composed:
        names = _names(source)
        return sql.Composed([names[piece] if n % 2 else sql.SQL(piece) for n, piece in enumerate(pieces)])

    return of


def _found(name: str) -> SqlStatement:
    found = STATEMENTS.get(name)
    if found is None or found.is_part:
        raise LookupError(f"no file in cockpit/migration/sql/ has a statement {name}")
    return found


def _names(source: Source) -> dict[str, sql.Composable]:
    """A table's names as SQL: quoted, never pasted."""
    table = source.table
    columns = {
        "id": table.id,
        "data": table.data,
        "name": table.filename,
        "kind": table.file_type,
        "size": table.size,
        "key": table.key,
        "bucket": table.bucket,
        "region": table.region,
    }
    return {
        **{word: _identifier(column) for word, column in columns.items()},
        "table": _identifier(table.schema, table.name),
        "type": sql.SQL(source.id_type),
    }


def _identifier(*names: str) -> sql.Identifier:
    """A name in a statement that is given values: there a `%` alone would begin a placeholder."""
    return sql.Identifier(*(name.replace("%", "%%") for name in names))
