"""What a statement starts without naming it: through a view, a domain or a row's type. Nobody's session ends by it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from probes.clients.sql import SqlClient
from probes.reading import Reason, Unseen

pytest_plugins = ["support.real_server"]

TRAPS = """
CREATE FUNCTION hidden.ends(int) RETURNS bool STRICT LANGUAGE plpgsql AS $$ BEGIN RETURN pg_terminate_backend({pid}); END $$;
CREATE FUNCTION hidden.ends(int, int) RETURNS bool LANGUAGE sql AS $$ SELECT hidden.ends($1) $$;
CREATE OPERATOR hidden.### (FUNCTION = hidden.ends, LEFTARG = int, RIGHTARG = int);
CREATE FUNCTION hidden.step(int, int) RETURNS int LANGUAGE sql AS $$ SELECT 1 FROM hidden.ends($1) $$;
CREATE AGGREGATE hidden.ends_all(int) (SFUNC = hidden.step, STYPE = int, INITCOND = '0');
CREATE TYPE hidden.handle AS (pid int);
CREATE FUNCTION hidden.to_handle(text) RETURNS hidden.handle LANGUAGE sql AS
  $$ SELECT ROW(1)::hidden.handle FROM hidden.ends(1) $$;
CREATE CAST (text AS hidden.handle) WITH FUNCTION hidden.to_handle(text);
CREATE DOMAIN hidden.checked AS int CHECK (hidden.ends(VALUE));
CREATE DOMAIN hidden.on_checked AS hidden.checked;
CREATE DOMAIN hidden.builtin AS int CHECK (pg_terminate_backend({pid}) OR VALUE > 0);
CREATE TYPE hidden.held AS (a hidden.checked);
CREATE TYPE hidden.spans AS RANGE (SUBTYPE = hidden.checked);
CREATE TABLE hidden.rows (a hidden.checked);
INSERT INTO hidden.rows VALUES (NULL);
CREATE TABLE hidden.guarded (a int);
ALTER TABLE hidden.guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY looks ON hidden.guarded USING (a IN (SELECT 1 FROM (VALUES (true), (hidden.ends(1))) AS v));
CREATE TABLE hidden.plain (a int);
INSERT INTO hidden.plain VALUES (1);
CREATE TYPE hidden.grip AS (pid int);
CREATE FUNCTION hidden.to_grip(text) RETURNS hidden.grip LANGUAGE sql AS $$ SELECT ROW(1)::hidden.grip FROM hidden.ends(1) $$;
CREATE CAST (text AS hidden.grip) WITH FUNCTION hidden.to_grip(text) AS IMPLICIT;
CREATE TYPE hidden.knob AS (pid int);
CREATE FUNCTION hidden.from_knob(hidden.knob) RETURNS int LANGUAGE sql AS $$ SELECT 1 FROM hidden.ends(1) $$;
CREATE CAST (hidden.knob AS int) WITH FUNCTION hidden.from_knob(hidden.knob) AS IMPLICIT;
CREATE FUNCTION hidden.grips(hidden.grip) RETURNS int STABLE LANGUAGE sql AS $$ SELECT 1 $$;
CREATE FUNCTION hidden.of_plain(hidden.plain) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RETURN hidden.ends(1); END $$;
CREATE FUNCTION hidden.takes(hidden.checked) RETURNS int STABLE LANGUAGE sql AS $$ SELECT 1 $$;
CREATE FUNCTION hidden.takes_all(VARIADIC hidden.checked[]) RETURNS int STABLE LANGUAGE sql AS $$ SELECT 1 $$;
CREATE FUNCTION hidden.defaults(bool DEFAULT pg_terminate_backend({pid})) RETURNS int STABLE LANGUAGE sql AS $$ SELECT 1 $$;
CREATE OPERATOR hidden.#% (FUNCTION = hidden.takes, RIGHTARG = hidden.checked);
CREATE FUNCTION hidden.same(hidden.handle, hidden.handle) RETURNS bool LANGUAGE sql AS $$ SELECT hidden.ends(1) $$;
CREATE OPERATOR hidden.= (FUNCTION = hidden.same, LEFTARG = hidden.handle, RIGHTARG = hidden.handle);
CREATE VIEW hidden.defaulted AS SELECT * FROM (VALUES (0), (hidden.defaults())) AS v;
CREATE VIEW hidden.listed AS SELECT * FROM (VALUES (true), (pg_terminate_backend({pid}))) AS v;
CREATE VIEW hidden.on_listed AS SELECT count(*) FROM hidden.listed;
CREATE VIEW hidden.signed AS SELECT * FROM (VALUES (true), (1 OPERATOR(hidden.###) 2)) AS v;
CREATE VIEW hidden.summed AS SELECT hidden.ends_all(n) FROM (VALUES (1), (2)) AS v(n);
CREATE VIEW hidden.cast AS SELECT * FROM (VALUES (ROW(1)::hidden.handle), ((text '1' || 'x')::hidden.handle)) AS v;
CREATE VIEW hidden.coerced AS SELECT * FROM (VALUES (NULL), ((1 + random()::int)::hidden.checked)) AS v;
"""

SELECTS = (
    "* FROM hidden.listed",
    "* FROM hidden.on_listed",
    'count(*) FROM "hidden" . "listed" AS x',
    "* FROM hidden.signed",
    "* FROM hidden.summed",
    "* FROM hidden.cast",
    "* FROM hidden.coerced",
    "* FROM hidden.defaulted",
    "* FROM (VALUES (0), (hidden.defaults())) AS v",
    "* FROM (VALUES (0), (hidden.takes(1))) AS v",
    "* FROM (VALUES (0), (hidden.takes_all(1, 2))) AS v",
    "* FROM (VALUES (0), (OPERATOR(hidden.#%) 1)) AS v",
    "hidden.takes(1)",
    "* FROM (VALUES (0), (hidden.grips(text '1' || 'x'))) AS v",
    "* FROM (VALUES (0), (abs(ROW(1)::hidden.knob))) AS v",
    "v.* FROM hidden.plain p, LATERAL (VALUES (true), (p.of_plain)) AS v",
    "* FROM (VALUES (true), (ROW(1)::hidden.handle OPERATOR(hidden.=) ROW(1)::hidden.handle)) AS v",
    "1::hidden.checked",
    "CAST(1 AS hidden.on_checked)",
    "1::hidden.builtin",
    "count(*) FROM (VALUES (NULL), (1::hidden.checked)) AS v",
    "'{1}'::hidden.checked[]",
    "'(1)'::hidden.held",
    "hidden.held '(1)'",
    "'{\"(1)\"}'::hidden.held[]",
    "'[1,2]'::hidden.spans",
    """jsonb_populate_record(NULL::hidden.held, '{"a": 1}')""",
    """a FROM jsonb_to_record('{"a": 1}') AS x(a hidden.checked)""",
    "COALESCE(u, '(1)') FROM hidden.rows u",
    """jsonb_populate_record(u, '{"a": 1}') FROM hidden.rows u""",
    "count(*) FROM hidden.guarded",
    "table_to_xml('hid' || 'den.listed', true, false, '')",
    "schema_to_xml('hid' || 'den', true, false, '')",
    "array_in('{1}', ('hid' || 'den.checked')::regtype::oid, -1)",
    "record_in('(1)', ('hid' || 'den.held')::regtype::oid, -1)",
)


@pytest.fixture
def session(postgres_server: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    """Somebody's, and what would end it."""
    with (
        psycopg.connect(postgres_server.dsn, autocommit=True) as admin,
        psycopg.connect(postgres_server.dsn, autocommit=True) as other,
    ):
        admin.execute("DROP SCHEMA IF EXISTS hidden CASCADE; CREATE SCHEMA hidden")
        admin.execute(TRAPS.replace("{pid}", str(other.info.backend_pid)).encode())
        yield other
        admin.execute("DROP SCHEMA hidden CASCADE")


@pytest.fixture
async def sql() -> AsyncIterator[SqlClient]:
    client = SqlClient()
    yield client
    await client.close()


@pytest.mark.parametrize("selected", SELECTS)
async def test_nothing_is_started_by_what_a_name_stands_for(
    sql: SqlClient, postgres_server: EmbeddedPostgres, session: psycopg.Connection, selected: str
) -> None:
    with pytest.raises(Unseen) as raised:
        await sql.rows(postgres_server.dsn, f"SELECT {selected}")
    assert raised.value.unknown.reason is Reason.REFUSED
    assert "() may do more than read" in raised.value.unknown.detail
    assert session.execute("SELECT 1").fetchone() == (1,), "it was ended"


@pytest.mark.usefixtures("session")
async def test_what_stands_beside_it_is_read(sql: SqlClient, postgres_server: EmbeddedPostgres) -> None:
    assert await sql.rows(postgres_server.dsn, "SELECT relname FROM pg_class WHERE relname = 'listed'")
