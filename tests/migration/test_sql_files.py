"""The SQL is in `sql/` alone: every statement used, with its sentence, each word of a state one of the column it is for."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path

import psycopg
import pytest
from migration.migration_bench import Bench
from migration.mutations import MUTATIONS

import cockpit.migration
from cockpit.migration.settings import Source
from cockpit.migration.sql_files import STATEMENTS, SqlStatement, parse, statement, table_statement
from cockpit.migration.states import ItemState, ObjectState, PhaseName, Wanted, WorkerState
from cockpit.migration_scope import MigrationTable

ROOM = Path(cockpit.migration.__file__).parent
LOADER = ROOM / "sql_files.py"
SQL = re.compile(
    r"\b(SELECT\b.+\bFROM|SELECT\s+\w+\(|INSERT\s+INTO|UPDATE\s+\S+(\s+\w+)?\s+SET|DELETE\s+FROM|SET\s+LOCAL|TRUNCATE\s|"
    r"(CREATE|DROP|ALTER)\s+(OR\s+REPLACE\s+)?(SCHEMA|TABLE|INDEX|FUNCTION|TRIGGER)|ANALYZE\s)|\bcutover\.\w",
    re.DOTALL,
)
ENUMS: dict[str, type[StrEnum]] = {
    "item_state": ItemState,
    "object_state": ObjectState,
    "worker_state": WorkerState,
    "wanted": Wanted,
    "phase": PhaseName,
}
COLUMNS = {
    ("item", "state"): "item_state",
    ("item", "failed_in"): "phase",
    ("tally", "state"): "item_state",
    ("object", "state"): "object_state",
    ("worker", "state"): "worker_state",
    ("worker", "phase"): "phase",
    ("run", "phase"): "phase",
    ("run", "wanted"): "wanted",
}
LITERAL = re.compile(r"'(?:[^']|'')*'")
WORD = re.compile(r"'\w+'")
WORDS = {str(word) for words in ENUMS.values() for word in words}
MADE = re.compile(r"(CREATE|DROP|ALTER|GRANT|SET|ANALYZE)\b")


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(ROOM.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.Module, names: Sequence[str]) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


# -- the loader ------------------------------------------------------------------------------------------------------


def test_a_block_is_a_name_a_sentence_and_a_statement() -> None:
    text = "-- About runs.\n\n-- part: open\n-- It holds.\nended_at IS NULL\n\n"
    text += "-- name: one\n-- It\n-- reads.\nSELECT 1\nWHERE {open}\n"
    found = parse({"a.sql": text})
    assert found["one"] == SqlStatement(
        "one", "a.sql:7", "It reads.", "SELECT 1\nWHERE ended_at IS NULL", is_part=False
    )
    assert found["open"].is_part


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("-- name: one\nSELECT 1\n", "a.sql:1: one needs one sentence"),
        ("-- name: one\n-- no full stop\nSELECT 1\n", "a.sql:1: one needs one sentence"),
        ("-- name: one\n-- Two. Sentences.\nSELECT 1\n", "a.sql:1: one needs one sentence"),
        ("-- name: one\n-- It reads.\n", "a.sql:1: one has no statement"),
        (
            "-- name: one\n-- It.\nSELECT 1\n-- name: one\n-- It.\nSELECT 2\n",
            "a.sql:4: one is a name of a.sql:1 already",
        ),
        ("-- name: phases\n-- It.\nSELECT 1\n", "a.sql:1: phases is a name of every statement already"),
        ("-- name: one\n-- It.\nSELECT {nothing}\n", "a.sql:1: there is nothing to put for {nothing}"),
        ("-- part: one\n-- It.\nSELECT {one}\n", "a.sql:1: one includes itself"),
        ("SELECT 1\n-- name: one\n-- It.\nSELECT 1\n", "a.sql:1: only comments may stand before the first block"),
        ("-- name: two words\n-- It.\nSELECT 1\n", "a.sql:1: 'two words' is no name"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        parse({"a.sql": text})


def test_every_problem_is_said_at_once() -> None:
    with pytest.raises(ValueError, match=r"(?s)a\.sql:1: one .*b\.sql:1: two"):
        parse({"a.sql": "-- name: one\nSELECT 1\n", "b.sql": "-- name: two\nSELECT {no}\n"})


def test_names_of_the_plan_are_quoted_and_asked_for_as_such() -> None:
    odd = Source(MigrationTable('my "files"', data="the data"))
    text = table_statement("survey_moved")(odd).as_string(None)
    assert text == 'SELECT count(*) FROM "public"."my ""files""" WHERE "s3Key" IS NOT NULL'
    for ask, name in (
        (statement, "survey_moved"),
        (table_statement, "note"),
        (statement, "may_begin"),
        (statement, "no"),
    ):
        with pytest.raises(LookupError, match=name):
            ask(name)


# -- the room --------------------------------------------------------------------------------------------------------


def test_every_statement_is_used_once_and_every_use_exists() -> None:
    used: list[str] = []
    for path, tree in modules():
        top = {
            id(call) for node in tree.body for call in ast.walk(node) if isinstance(node, ast.Assign | ast.AnnAssign)
        }
        for call in calls(tree, ("statement", "table_statement")):
            assert isinstance(call.args[0], ast.Constant), f"{path.name}:{call.lineno}: name the statement there"
            assert id(call) in top, f"{path.name}:{call.lineno}: ask for it where the module is loaded"
            used.append(str(call.args[0].value))
    assert sorted(used) == sorted(one.name for one in STATEMENTS.values() if not one.is_part)


def test_every_part_is_included() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in ROOM.glob("sql/*.sql"))
    assert {one.name for one in STATEMENTS.values() if one.is_part and f"{{{one.name}}}" not in texts} == set()


def test_no_python_of_the_room_holds_sql() -> None:
    found = []
    for path, tree in modules():
        expressions = [node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)]
        docs = {id(value) for value in expressions if isinstance(value, ast.Constant)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                found += [f"{path.name}:{node.lineno}: {node.value[:60]}"] * bool(SQL.search(node.value))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "sql.SQL" and path != LOADER:
                found.append(f"{path.name}:{node.lineno}: makes SQL by itself")
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".execute"):
                composed = [part for part in ast.walk(node.args[0]) if isinstance(part, (ast.JoinedStr, ast.BinOp))]
                found += [f"{path.name}:{part.lineno}: composes a text to execute" for part in composed]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM b",
        "UPDATE cutover.item i SET",
        "SET LOCAL x",
        "DELETE FROM b",
        "DROP SCHEMA a",
        "in cutover.item",
    ],
)
def test_sql_in_python_would_be_noticed(text: str) -> None:
    assert SQL.search(text)


def test_the_files_are_in_the_wheel(tmp_path: Path) -> None:
    root = ROOM.parents[1]
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=root, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".sql") and "/migration/" in name}
    assert held == {str(path.relative_to(root)) for path in ROOM.glob("sql/*.sql")}


@pytest.mark.parametrize("guard", MUTATIONS)
def test_a_guard_that_is_taken_out_is_there(guard: str) -> None:
    mutation = MUTATIONS[guard]
    assert mutation.mutated(STATEMENTS[mutation.statement].text) != STATEMENTS[mutation.statement].text


# -- words of states -------------------------------------------------------------------------------------------------


class Typed:
    """A ledger whose columns of states are enums: PostgreSQL itself says which column a literal stands for."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.source = Source(MigrationTable("KnowledgeDocument"))

    def convert(self) -> None:
        """Indexes and defaults are made again with the enums, so their words are compared as well."""
        run = self.connection.execute
        run("DROP SCHEMA IF EXISTS typed CASCADE")
        run("CREATE SCHEMA typed")
        for name, words in ENUMS.items():
            values = ", ".join(f"'{word}'" for word in words)
            run(f"CREATE TYPE typed.{name} AS ENUM ({values})")
            run(f"CREATE CAST (text AS typed.{name}) WITH INOUT AS ASSIGNMENT")
        # Of a column with a CHECK, PostgreSQL has the words already: they are made from the enums.
        checks = run(
            "SELECT conrelid::regclass, conname FROM pg_constraint "
            "WHERE contype = 'c' AND connamespace = 'cutover'::regnamespace"
        )
        for table, name in checks.fetchall():
            run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        indexes = run(
            "SELECT indexname, tablename, indexdef FROM pg_indexes "
            "WHERE schemaname = 'cutover' AND indexdef LIKE '% WHERE %state%'"
        ).fetchall()
        for name, _, _ in indexes:
            run(f"DROP INDEX cutover.{name}")
        for table in ("item", "object"):
            run(f"DROP TRIGGER IF EXISTS note_unlisted ON cutover.{table}")
        for (table, column), name in COLUMNS.items():
            default = run(
                "SELECT column_default FROM information_schema.columns WHERE table_schema = 'cutover' "
                "AND table_name = %s AND column_name = %s",
                (table, column),
            ).fetchone()
            run(f"ALTER TABLE cutover.{table} ALTER {column} DROP DEFAULT")
            run(f"ALTER TABLE cutover.{table} ALTER {column} TYPE typed.{name} USING {column}::typed.{name}")
            if default and default[0]:
                run(f"ALTER TABLE cutover.{table} ALTER {column} SET DEFAULT {default[0].replace('::text', '')}")
        for _, table, definition in indexes:
            run(definition.replace("::text", f"::typed.{COLUMNS[table, 'state']}"))

    def problem(self, text: str) -> str:
        """What PostgreSQL says of a statement; "" when it takes it."""
        numbers: dict[str, int] = {}
        numbered = re.sub(r"%\((\w+)\)[sb]", lambda value: f"${numbers.setdefault(value[1], len(numbers) + 1)}", text)
        try:
            self.connection.execute(f"PREPARE tried AS {numbered}".encode())
        except psycopg.Error as error:
            return str(error.diag.message_primary)
        self.connection.execute("DEALLOCATE tried")
        return ""


def wrong_words(typed: Typed, name: str, text: str) -> list[str]:
    """Literals that are no word of the column they stand for, and words of a state that stand for no column of states.

    Each literal in turn is given each type, the other words being NULL. PostgreSQL takes the type of the column it is compared
    with or assigned to, and no other; all of them only where any value may stand.
    """
    found = [f"{name}: {problem}"] if (problem := typed.problem(text)) else []
    for literal in LITERAL.finditer(text):
        word = literal[0].strip("'")
        before, after = (WORD.sub("NULL", part) for part in (text[: literal.start()], text[literal.end() :]))
        taken = [enum for enum in ENUMS if not typed.problem(f"{before}NULL::typed.{enum}{after}")]
        if len(taken) == 1:
            (enum,) = taken
            if word not in set(ENUMS[enum]):
                found.append(f"{name}: {word!r} is no {enum}")
        elif word in WORDS:
            found.append(f"{name}: {word!r} stands for no column of states")
    return found


async def test_every_word_of_a_state_is_one_of_its_column(bench: Bench) -> None:
    await bench.prepare()
    typed = Typed(bench.dsn)
    try:
        typed.convert()
        compared = 0
        wrong: list[str] = []
        for one in STATEMENTS.values():
            if one.is_part or MADE.match(one.text):
                continue
            text = table_statement(one.name)(typed.source).as_string(None) if one.holes else one.text
            wrong += wrong_words(typed, one.name, text)
            compared += sum(literal[0].strip("'") in WORDS for literal in LITERAL.finditer(text))
        assert wrong == []
        assert compared > 80
        tried = {
            "UPDATE cutover.item SET state = 'live'": ["no item_state"],
            "UPDATE cutover.item SET state = CASE WHEN true THEN 'planed' ELSE state END": ["no item_state"],
            "UPDATE cutover.item SET state = CASE WHEN size > 0 THEN 'gone' WHEN size < 0 THEN 'orphan' ELSE 'skipped' END": [
                "no item_state"
            ],
            "INSERT INTO cutover.object (key, tbl, doc_id, state) SELECT 'a', 'b', 'c', 'planned'": ["no object_state"],
            "SELECT 1 FROM cutover.worker w WHERE w.state <> 'aborted'": ["no worker_state"],
            "UPDATE cutover.item SET state = CASE WHEN size > 0 THEN 'planed' ELSE 'gon' END": ["'planed'", "'gon'"],
            "SELECT 1 FROM cutover.run WHERE phase = 'sweep' OR wanted IN ('run', 'copy')": ["no phase", "no wanted"],
            "SELECT 1 FROM cutover.item WHERE last_error = 'restore'": ["no column"],
        }
        for text, problems in tried.items():
            said = wrong_words(typed, "tried", text)
            assert all(any(problem in line for line in said) for problem in problems), (text, said)
    finally:
        typed.connection.execute("DROP SCHEMA IF EXISTS cutover CASCADE")
        typed.connection.execute("DROP SCHEMA IF EXISTS typed CASCADE")
        typed.connection.close()
