"""The migration as evidence: what its ledger says, against a real ledger in a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

import psycopg
import pytest
import pytest_asyncio
from support.aws.modelled import NOW

from cockpit.migration import schema
from cockpit.migration.follower import Follower
from cockpit.migration.progress import Progress
from cockpit.migration.settings import Settings
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from probes.clients.clients import AwsOptions, Clients
from probes.databases.migration_ledger import ITEM_STATES, CutoverMigration, CutoverMigrationParams
from probes.reading import Reading, Reason

pytest_plugins = ["support.real_server"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

TABLES = ["KnowledgeDocument", "CustomerDocument"]


@pytest.fixture(scope="module", autouse=True)
def _no_ledger_is_left(postgres_server: EmbeddedPostgres) -> Iterator[None]:
    yield
    with psycopg.connect(postgres_server.dsn, autocommit=True) as admin:
        admin.execute(GONE)


GONE = "DROP SCHEMA IF EXISTS cutover CASCADE"


@pytest.fixture
def no_ledger(postgres_admin: psycopg.Connection) -> None:
    """Nobody has prepared a migration here."""
    postgres_admin.execute(GONE)


@pytest.fixture
def ledger(postgres_admin: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The tests' connection; a ledger that was made stays (it takes longer than its test) and is empty afterwards."""
    yield postgres_admin
    if postgres_admin.execute("SELECT to_regnamespace('cutover')").fetchone() != (None,):
        for table in ("item", "run", "tally"):
            postgres_admin.execute(f"DELETE FROM cutover.{table}".encode())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients() -> AsyncIterator[Clients]:
    """A cockpit's: open all night, whatever becomes of the ledger."""
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


async def read(clients: Clients, dsn: str, tables: list[str] | None = None) -> Reading:
    return await CutoverMigration(CutoverMigrationParams(dsn=dsn, tables=tables or TABLES), clients).read(NOW)


async def prepared(server: EmbeddedPostgres) -> None:
    async with await psycopg.AsyncConnection.connect(server.dsn, autocommit=True) as connection:
        found = await connection.execute("SELECT to_regnamespace('cutover')")
        if await found.fetchone() != (None,):
            return
        await schema.create(connection)
        await schema.let_monitors_read(connection)


async def shown(server: EmbeddedPostgres) -> Progress:
    """What the screens of the migration show of the same ledger."""
    async with await psycopg.AsyncConnection.connect(server.dsn, autocommit=True) as connection:
        return await Follower().poll(connection)


def hold(admin: psycopg.Connection, files: Mapping[str, int]) -> None:
    for state, count in files.items():
        admin.execute(
            "INSERT INTO cutover.item (tbl, doc_id, state, kind, name, size)"
            " SELECT 'KnowledgeDocument', %s || n, %s, 'pdf', 'a.pdf', 2000 FROM generate_series(1, %s) AS n",
            [state, state, count],
        )


def run(admin: psycopg.Connection, phase: str = "copy", wanted: str = "run", **columns: str) -> None:
    """A run; `columns` are SQL expressions."""
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", {value}" for value in columns.values())
    query = f"INSERT INTO cutover.run (phase, wanted, settings{names}) VALUES (%s, %s, %s{values})"
    admin.execute(query.encode(), [phase, wanted, Settings("documents", "us-east-1", "documents/", ()).as_json()])


ENDED = {"ended_at": "clock_timestamp()", "outcome": "'done'"}
WATCHED = {"guard_until": "clock_timestamp() + interval '1 minute'"}
SUPERVISED = {"supervised_until": "clock_timestamp() + interval '1 minute'"}


@pytest.mark.usefixtures("no_ledger")
async def test_not_prepared_is_a_value(clients: Clients, cockpit_dsn: str) -> None:
    reading = await read(clients, cockpit_dsn)
    assert (reading.values["prepared"], reading.values["state"]) == (False, "NOT PREPARED")
    assert (reading.values["phase"], reading.values["active"]) == ("none", False)
    assert {reading.values[state] for state in (*ITEM_STATES, "files", "copied", "only_in_s3")} == {0}
    assert (reading.values["point_of_no_return"], reading.values["complete"]) == (False, False)


async def test_of_nothing_everything_is_verified_and_that_proves_nothing(
    clients: Clients, ledger: psycopg.Connection, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    await prepared(postgres_server)
    reading = await read(clients, cockpit_dsn)
    assert (reading.values["prepared"], reading.values["state"], reading.values["files"]) == (True, "READY", 0)
    assert {name: why.reason for name, why in reading.unknown.items()} == {
        "copied_share": Reason.NO_DATA,
        "verified_share": Reason.NO_DATA,
        "complete": Reason.NO_DATA,
    }


async def test_another_database_is_not_one_without_a_migration(
    clients: Clients, ledger: psycopg.Connection, cockpit_dsn: str
) -> None:
    reading = await read(clients, cockpit_dsn, ["KnowledgeDocument", "public.CustomerDocument", "public.Invoice"])
    assert reading.values == {}
    assert reading.unknown["prepared"].reason is Reason.NOT_FOUND
    assert reading.unknown["prepared"].detail == "no table public.Invoice"


async def test_files_are_counted_by_state(
    clients: Clients, ledger: psycopg.Connection, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    await prepared(postgres_server)
    held = {state: n for n, state in enumerate(ITEM_STATES, 1)}
    hold(ledger, held)
    run(ledger, "verify", **ENDED)
    reading = await read(clients, cockpit_dsn)
    assert {state: reading.values[state] for state in ITEM_STATES} == held
    ours = sum(held.values()) - held["gone"] - held["skipped"]
    verified = held["verified"] + held["purged"]
    assert (reading.values["files"], reading.values["copied"]) == (ours, verified + held["switched"])
    assert reading.values["verified_share"] == verified / ours
    copied = reading.values["copied"]
    assert isinstance(copied, int)
    assert reading.values["copied_share"] == copied / ours
    assert (reading.values["complete"], reading.values["phase"], reading.values["state"]) == (False, "verify", "DONE")
    assert not reading.unknown


async def test_complete_once_every_file_of_ours_was_read_back_and_no_run_is_active(
    clients: Clients, ledger: psycopg.Connection, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    await prepared(postgres_server)
    hold(ledger, {"verified": 3, "gone": 1, "skipped": 1})
    run(ledger, "verify", **WATCHED)
    under_way = (await read(clients, cockpit_dsn)).unknown["complete"]
    assert under_way.reason is Reason.WARMING, "nobody is asked why it fails while it runs"
    assert under_way.detail == "verify is under way: 3 of 3 files read back"
    ledger.execute("UPDATE cutover.run SET halted = '{}'")
    assert (await read(clients, cockpit_dsn)).values["complete"] is False
    ledger.execute("UPDATE cutover.run SET ended_at = clock_timestamp(), outcome = 'done'")
    reading = await read(clients, cockpit_dsn)
    assert (reading.values["complete"], reading.values["verified_share"]) == (True, 1.0)
    hold(ledger, {"quarantined": 1})
    reading = await read(clients, cockpit_dsn)
    assert (reading.values["complete"], reading.values["verified_share"], reading.values["quarantined"]) == (
        False,
        0.75,
        1,
    )


async def test_the_point_of_no_return_is_where_the_screens_have_it(
    clients: Clients, ledger: psycopg.Connection, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    await prepared(postgres_server)
    hold(ledger, {"verified": 2})
    run(ledger, "purge", **ENDED)
    reading = await read(clients, cockpit_dsn)
    assert (reading.values["point_of_no_return"], reading.values["only_in_s3"]) == (False, 0)
    assert (await shown(postgres_server)).purged == 0
    hold(ledger, {"purged": 1, "quarantined": 1})
    ledger.execute("UPDATE cutover.item SET failed_in = 'restore' WHERE state = 'quarantined'")
    reading, screen = await read(clients, cockpit_dsn), await shown(postgres_server)
    assert (reading.values["point_of_no_return"], reading.values["only_in_s3"]) == (True, 2)
    assert (screen.purge_began is not None, screen.purged) == (True, 2)


RUNS = {
    "none": None,
    "running": {"wanted": "run"} | WATCHED,
    "unguarded": {"wanted": "run", "guarded": "false"},
    "unwatched": {"wanted": "run"},
    "held": {"wanted": "run", "held_since": "clock_timestamp()"} | WATCHED,
    "held by what nobody has seen yet": {
        "wanted": "run",
        "held_since": "clock_timestamp()",
        "guards": '\'[{"holds": true, "first_sight": true}, {"holds": false}]\'',
    }
    | WATCHED,
    "supervised and not judged yet": {"wanted": "run"} | SUPERVISED,
    "supervised and judged": {"wanted": "run"} | WATCHED | SUPERVISED,
    "taken over and not judged yet": {"wanted": "run", "guard_until": "clock_timestamp()"} | SUPERVISED,
    "left by its supervisor": {"wanted": "run", "supervised_until": "clock_timestamp()"} | WATCHED,
    "left and unguarded": {"wanted": "run", "supervised_until": "clock_timestamp()", "guarded": "false"},
    "halted": {"wanted": "run", "halted": '\'{"why": "the bucket is gone"}\''},
    "paused": {"wanted": "pause", "held_since": "clock_timestamp()"},
    "draining": {"wanted": "drain"},
    "aborting": {"wanted": "abort"},
    "done": ENDED,
    "quarantined": {"ended_at": "clock_timestamp()", "outcome": "'done, 2 quarantined'"},
    "without a word": {"ended_at": "clock_timestamp()"},
}


HELD = WATCHED | {
    "wanted": "run",
    "held_since": "clock_timestamp()",
    "guards": '\'[{"title": "Pool in use", "holds": true}, {"title": "Open", "holds": false}, '
    '{"title": "Few errors", "holds": true}]\'',
}
"""By two of three."""
GOES_ON_BY_ITSELF = {
    "running",
    "unguarded",
    "held by what nobody has seen yet",
    "supervised and not judged yet",
    "supervised and judged",
    "taken over and not judged yet",
}
"""Of RUNS: all others have ended, or wait for somebody or something that may never come."""


@pytest.mark.parametrize("phase", ["copy", "verify", "purge", "restore"])
@pytest.mark.parametrize("name", RUNS)
async def test_what_goes_on_by_itself_does_not_fail_meanwhile(
    clients: Clients,
    ledger: psycopg.Connection,
    postgres_server: EmbeddedPostgres,
    cockpit_dsn: str,
    name: str,
    phase: str,
) -> None:
    await prepared(postgres_server)
    hold(ledger, {"switched": 3})
    if (given := RUNS[name]) is not None:
        run(ledger, phase, **given)
    reading = await read(clients, cockpit_dsn)
    if name in GOES_ON_BY_ITSELF and phase in ("copy", "verify"):
        assert reading.unknown["complete"].reason is Reason.WARMING
    else:
        assert reading.values["complete"] is False


@pytest.mark.parametrize("given", RUNS.values(), ids=RUNS)
async def test_the_state_is_the_word_of_the_screens(
    clients: Clients,
    ledger: psycopg.Connection,
    postgres_server: EmbeddedPostgres,
    cockpit_dsn: str,
    given: dict[str, str] | None,
) -> None:
    await prepared(postgres_server)
    if given is not None:
        run(ledger, **given)
    reading, screen = await read(clients, cockpit_dsn), await shown(postgres_server)
    assert reading.values["state"] == screen.word
    assert reading.values["active"] is screen.active


IS_STUCK = {"unwatched", "held", "paused", "halted", "left by its supervisor", "left and unguarded"}
"""Of RUNS: somebody has to do something before they end."""


@pytest.mark.parametrize("phase", ["copy", "verify", "purge", "restore"])
@pytest.mark.parametrize("name", [name for name, given in RUNS.items() if given is not None])
async def test_a_purge_that_runs_as_it_should_unproves_nothing(
    clients: Clients,
    ledger: psycopg.Connection,
    postgres_server: EmbeddedPostgres,
    cockpit_dsn: str,
    name: str,
    phase: str,
) -> None:
    await prepared(postgres_server)
    hold(ledger, {"verified": 2, "purged": 1})
    run(ledger, phase, **(RUNS[name] or {}))
    reading = await read(clients, cockpit_dsn)
    if RUNS[name] is not None and reading.values["active"] is False:
        assert reading.values["complete"] is True
    elif phase == "purge":
        assert reading.values["complete"] is (name not in IS_STUCK)
    else:
        assert reading.values.get("complete") is not True
    hold(ledger, {"diverged": 1})
    assert (await read(clients, cockpit_dsn)).values.get("complete") is not True, "it was written after the verify"


@pytest.mark.parametrize(
    ("files", "phase", "columns", "hint"),
    [
        ({}, "", {}, ""),
        ({"planned": 2, "uploading": 1}, "", {}, "begin the copy of 3 files"),
        ({"planned": 2, "switched": 1}, "copy", ENDED, "begin the copy of 2 files"),
        ({"switched": 3, "quarantined": 1}, "copy", ENDED, "begin the verify of 3 copied files"),
        ({"switched": 3, "diverged": 1}, "verify", ENDED, "begin the copy of 1 file"),
        (
            {"verified": 3, "quarantined": 2},
            "verify",
            ENDED,
            "see why 2 files could not be moved (quarantined), then retry",
        ),
        ({"verified": 3}, "verify", ENDED, ""),
        (
            {"restored": 2},
            "restore",
            ENDED,
            "waive it while the 2 files stay in the database, or copy again",
        ),
        (
            {"restored": 2, "planned": 1},
            "restore",
            ENDED,
            "waive it while the 3 files stay in the database, or copy again",
        ),
        (
            {"restored": 2, "purged": 1},
            "restore",
            ENDED,
            "go on with the restore of 1 file, or begin the copy of 2 files",
        ),
        ({"restored": 2}, "copy", ENDED, "begin the copy of 2 files"),
        ({"switched": 3}, "copy", RUNS["running"], ""),
        ({"switched": 3}, "copy", RUNS["draining"], ""),
        ({"purged": 3}, "restore", RUNS["running"], "wait until the restore has ended"),
        ({"purged": 3}, "restore", RUNS["halted"], "mend what halted the restore, then resume it"),
        ({"switched": 3}, "verify", RUNS["halted"], "mend what halted the verify, then resume it"),
        ({"switched": 3}, "verify", RUNS["left by its supervisor"], "go on with the verify, which nobody supervises"),
        ({"planned": 3}, "copy", RUNS["paused"], "resume the paused copy"),
        ({"planned": 3}, "copy", HELD, "see what holds the copy: Pool in use, Few errors"),
    ],
)
async def test_what_somebody_does_next_is_said(
    clients: Clients,
    ledger: psycopg.Connection,
    postgres_server: EmbeddedPostgres,
    cockpit_dsn: str,
    files: Mapping[str, int],
    phase: str,
    columns: dict[str, str],
    hint: str,
) -> None:
    await prepared(postgres_server)
    hold(ledger, files)
    if phase:
        run(ledger, phase, **columns)
    evidence = (await read(clients, cockpit_dsn)).evidence
    assert (evidence.hint, evidence.done_in) == (hint, "migration")


@pytest.mark.usefixtures("no_ledger")
async def test_before_the_ledger_is_made_a_copy_comes_next(clients: Clients, cockpit_dsn: str) -> None:
    assert (await read(clients, cockpit_dsn)).evidence.hint == "begin the copy"


@pytest.mark.parametrize("first_sight", [True, False])
async def test_the_guards_that_hold_it_are_named(
    clients: Clients, ledger: psycopg.Connection, postgres_server: EmbeddedPostgres, cockpit_dsn: str, first_sight: bool
) -> None:
    await prepared(postgres_server)
    hold(ledger, {"planned": 1})
    run(ledger, **HELD)
    if first_sight:
        ledger.execute(
            "UPDATE cutover.run SET guards = replace(guards::text, '\"holds\": true', %s)::jsonb",
            ['"holds": true, "first_sight": true'],
        )
    word = "WAITING FOR GUARDS" if first_sight else "HELD BY A GUARD"
    assert (await read(clients, cockpit_dsn)).evidence.lines[0] == f"copy: {word}: Pool in use, Few errors"


async def test_a_role_that_may_not_read_the_ledger_says_what_is_missing(
    clients: Clients, ledger: psycopg.Connection, postgres_server: EmbeddedPostgres
) -> None:
    await prepared(postgres_server)
    reading = await read(clients, postgres_server.dsn_of("blinkered", "blinkered-pw"))
    assert reading.values == {}
    assert reading.unknown["prepared"].reason is Reason.ACCESS_DENIED
    assert "cutover" in reading.unknown["prepared"].hint


async def test_a_database_that_does_not_answer_is_unreachable(clients: Clients) -> None:
    reading = await read(clients, "postgresql://u:hunter2@127.0.0.1:1/db")
    assert reading.unknown["complete"].reason is Reason.UNREACHABLE
    assert "hunter2" not in repr(reading)
