"""Whose fault an error is decides what stops: a row, a batch that was too long, a connection, the run. Each ends somewhere."""

from __future__ import annotations

import psycopg
import pytest
from migration.migration_bench import Bench

from cockpit.migration.ledger import Ledger
from cockpit.migration.object_store import Store
from cockpit.migration.rate_limiter import Throttle
from cockpit.migration.row_errors import About, about
from cockpit.migration.states import PhaseName
from cockpit.migration.worker import Abandoned, Trouble
from cockpit.migration.worker_context import ENOUGH, Work

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
RAISED = "DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '{}'; END $$"


@pytest.mark.parametrize(
    ("statement", "whose"),
    [
        ("SELECT 1 / 0", About.ROW),
        ("SELECT nothing", About.EVERY_ROW),
        ("CREATE UNLOGGED TABLE t () INHERITS (t)", About.EVERY_ROW),
        ("SELECT pg_sleep(9)", About.ROW),
        (RAISED.format("P0001"), About.ROW),
        (RAISED.format("42P01"), About.ROW),
        (RAISED.format("0A000"), About.ROW),
        (RAISED.format("55000"), About.ROW),
        (RAISED.format("40001"), About.MOMENT),
        (RAISED.format("53100"), About.EVERY_ROW),
    ],
)
def test_an_error_is_about_what_the_server_says(bench: Bench, statement: str, whose: About) -> None:
    options = "-c statement_timeout=50"
    with (
        psycopg.connect(bench.dsn, autocommit=True, options=options) as connection,
        pytest.raises(psycopg.Error) as caught,
    ):
        connection.execute(statement.encode())
    assert about(caught.value) is whose


def test_a_plan_made_before_the_table_was_changed_is_about_the_connection(bench: Bench) -> None:
    bench.sql("DROP TABLE IF EXISTS changed")
    bench.sql("CREATE TABLE changed (a int)")
    with psycopg.connect(bench.dsn, autocommit=True) as connection:
        connection.execute("SELECT * FROM changed", prepare=True)
        bench.sql("ALTER TABLE changed ADD b int")
        with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
            connection.execute("SELECT * FROM changed", prepare=True)
    assert about(caught.value) is About.SERVER


def test_trouble_that_does_not_pass_ends_the_worker_with_its_words() -> None:
    now = [0.0]
    trouble = Trouble(300, clock=lambda: now[0])
    for now[0] in range(0, 301, 10):
        trouble.met("still starting up")
    trouble.over()
    now[0] = 1000
    trouble.met("again")
    now[0] = 1301
    with pytest.raises(Abandoned, match="this is read only"):
        trouble.met("this is read only")


def test_a_batch_that_took_too_long_is_halved_down_to_one_and_grows_again(bench: Bench) -> None:
    settings = bench.settings
    work = Work(settings, 1, "me", Store(settings), Ledger(settings, 1, "me"), Throttle(most=400))
    files, size = work.batch()
    seen = []
    while work.was_too_much():
        seen.append(work.batch())
    assert seen == [(files >> n, size >> n) for n in range(1, files.bit_length())]
    assert work.batch()[0] == 1
    for _ in range(ENOUGH * len(seen)):
        work.was_enough()
    assert work.batch() == (files, size)


async def test_rows_that_take_long_to_change_are_moved_in_smaller_batches(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row takes so long that a full batch is never done within a statement's time, and a part of it is."""
    monkeypatch.setattr("cockpit.migration.database.STATEMENT_MS", 400)
    bench.insert(16)
    bench.sql(
        "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$"
    )
    bench.sql('CREATE TRIGGER slow BEFORE UPDATE ON "KnowledgeDocument" FOR EACH ROW EXECUTE FUNCTION slow()')
    try:
        for phase in (PhaseName.COPY, PhaseName.VERIFY, PhaseName.PURGE, PhaseName.RESTORE):
            assert await bench.phase(phase) == "done"
        assert bench.sql("SELECT sum(failures) FROM cutover.item") == [(0,)]
    finally:
        bench.sql('DROP TRIGGER slow ON "KnowledgeDocument"')
