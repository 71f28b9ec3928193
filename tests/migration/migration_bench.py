"""A real PostgreSQL, the verifying store, and workers: what every test of the migration stands on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from migration.transitions import unlisted, watch_transitions
from migration.worker_process import WorkerProcess
from support.garbage import collect
from support.waiting import LAST_RESORT_S, until

from cockpit.migration import runs, schema
from cockpit.migration.database import Connection, connect
from cockpit.migration.settings import Settings, Source
from cockpit.migration.states import PhaseName, Wanted
from cockpit.migration.worker import Worker
from cockpit.migration_scope import Limits, MigrationTable
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from cockpit.rehearsal.database.seed import seed_database
from cockpit.rehearsal.object_store import ObjectStore

BUCKET = "documents-under-test"
BEATEN = "SELECT count(*) > 0 AND bool_and(seen_at > %s) FROM cutover.worker WHERE state <> 'ended'"
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
TABLES = ("KnowledgeDocument", "CustomerDocument")
T = TypeVar("T")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What a cancelled connection leaves behind is collected where it arose, not in another test."""
    yield
    collect()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedPostgres, str]]:
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "data")
    postgres.start()
    try:
        yield postgres, seed_database(postgres, datetime.now(UTC)).application
    finally:
        postgres.stop()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "rehearsal")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "rehearsal-secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with ObjectStore(BUCKET) as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
        yield served


@dataclass
class Bench:
    """One migration under test. `phase` runs a phase to its end with workers in this process."""

    postgres: EmbeddedPostgres
    dsn: str
    store: ObjectStore
    connection: Connection
    settings: Settings
    _looking: psycopg.Connection[Any] | None = None
    workers: list[Worker] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    processes: list[WorkerProcess] = field(default_factory=list)

    @property
    def shelf(self) -> Any:
        return self.store.buckets[BUCKET]

    def insert(
        self, count: int = 1, size: int = 2_000, *, table: str = TABLES[0], id_: str = "", name: str = "a report.pdf",
        kind: str = "pdf", body: bytes | None = None, file_size: int | None = None,
    ) -> list[str]:  # fmt: skip
        """Rows as the application writes them; their ids."""
        ids = [id_ or f"doc-{n:05}" for n in range(count)]
        extra = '"content"' if table == TABLES[0] else '"customer"'
        query = (
            f'INSERT INTO "{table}" ("id", "title", "filename", "fileType", {extra}, "fileData", "fileSize") '
            "VALUES (%s, 'title', %s, %s, 'text', %b, %s)"
        )
        for each in ids:
            held = body if body is not None else (each.encode() * (size // len(each) + 1))[:size]
            self.sql(query, each, name, kind, held, len(held) if file_size is None else file_size)
        return ids

    def rows(self, table: str = TABLES[0]) -> dict[str, tuple[bytes | None, str | None]]:
        """Bytes and key of every row, by id."""
        found = self.sql(f'SELECT "id", "fileData", "s3Key" FROM "{table}"')
        return {row[0]: (None if row[1] is None else bytes(row[1]), row[2]) for row in found}

    def fingerprint(self) -> list[Any]:
        """A hash over every column of every row of both tables."""
        query = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY id), '')) FROM \"{}\" t"
        return [self.sql(query.format(table)) for table in TABLES]

    def sql(self, query: str, *given: Any) -> list[Any]:
        """Its rows."""

        def ask(connection: psycopg.Connection[Any]) -> list[Any]:
            cursor = connection.execute(query, given)
            return cursor.fetchall() if cursor.description else []

        return self.looked(ask)

    def looked(self, ask: Callable[[psycopg.Connection[Any]], T]) -> T:
        """What `ask` finds; on another connection where the server was restarted, or failed over, since the last look."""
        try:
            return ask(self.looking())
        except psycopg.OperationalError:
            if not (self._looking and self._looking.broken):
                raise
        return ask(self.looking())

    def looking(self) -> psycopg.Connection[Any]:
        """A connection that is kept: while something is waited for, the database is asked a hundred times a second."""
        if self._looking is None or self._looking.closed:
            self._looking = psycopg.connect(self.dsn, autocommit=True, prepare_threshold=None)
        return self._looking

    def look_away(self) -> None:
        if self._looking is not None:
            self._looking.close()

    def states(self) -> dict[str, int]:
        return dict(self.sql("SELECT state, count(*) FROM cutover.item GROUP BY 1"))

    def item(self, id_: str) -> dict[str, Any]:
        columns = ("state", "key", "attempt", "failures", "last_error", "upload_id", "content_type", "remark", "owner")
        row = self.sql(f"SELECT {', '.join(columns)} FROM cutover.item WHERE doc_id = %s", id_)[0]
        return dict(zip(columns, row, strict=True))

    async def paused_at(self, run: int, switched: int) -> int:
        """Pause the run once so many files are switched, in the transaction that switches the last of them: however busy this
        machine is, no more come after it than the workers had in hand. How many are switched when none is.
        """
        self.sql(f"""
            CREATE FUNCTION cutover.pause() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF (SELECT count(*) FROM cutover.item WHERE state = 'switched') >= {switched} THEN
                    UPDATE cutover.run SET wanted = '{Wanted.PAUSE}' WHERE id = {run};
                END IF;
                RETURN NULL;
            END $$;
            CREATE TRIGGER pause AFTER UPDATE OF state ON cutover.item FOR EACH ROW WHEN (NEW.state = 'switched')
                EXECUTE FUNCTION cutover.pause()""")
        await self.until(lambda: self.sql("SELECT wanted FROM cutover.run WHERE id = %s", run) == [(Wanted.PAUSE,)])
        await runs.want(self.connection, run, Wanted.PAUSE)
        self.sql("DROP FUNCTION cutover.pause CASCADE")
        await self.until(lambda: "uploading" not in self.states())
        return self.states()["switched"]

    async def prepare(self) -> int:
        await schema.create(self.connection)
        self.looked(watch_transitions)
        return await runs.enlist_all(self.connection, self.settings)

    async def begin(self, phase: PhaseName, **more: Any) -> int:
        await self.prepare()
        return await runs.begin(self.connection, phase, self.settings, guarded=False, gate=lambda _: (), **more)

    def work(self, run: int, count: int = 1) -> None:
        """Workers in this process."""
        for _ in range(count):
            worker = Worker(self.dsn, run)
            self.workers.append(worker)
            self.tasks.append(asyncio.create_task(worker.run()))

    def process(self, run: int, *, hours_ahead: float = 0.0) -> WorkerProcess:
        """A worker in a process of its own, as it is in life."""
        started = WorkerProcess(self.dsn, run, hours_ahead=hours_ahead)
        self.processes.append(started)
        return started

    async def kill(self) -> None:
        """The workers in this process end without a word to the ledger, as a killed process does."""
        for worker in self.workers:
            worker._dsn = NOWHERE
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.workers.clear()
        self.tasks.clear()

    async def finish(self, run: int) -> str:
        """Wait until the run has ended; its outcome."""
        async with asyncio.timeout(LAST_RESORT_S):
            while not (outcome := await runs.finish_if_done(self.connection, await runs.load(self.connection, run))):
                for task in self.tasks:
                    if task.done() and not task.cancelled():
                        task.result()
                await asyncio.sleep(0.05)
        for worker in self.workers:
            worker.stop()  # they would hear of it within a second
        await asyncio.gather(*self.tasks)
        self.tasks.clear()
        return outcome

    async def phase(self, name: PhaseName, workers: int = 1, **more: Any) -> str:
        run = await self.begin(name, **more)
        self.work(run, workers)
        return await self.finish(run)

    async def until(self, condition: Callable[[], object]) -> None:
        """Poll until `condition()` is true."""
        await until(condition)

    async def beaten(self, times: int = 2) -> None:
        """Wait until every worker has said so often that it lives, and so has seen what is wanted of it."""
        for _ in range(times + 1):
            now = self.sql("SELECT clock_timestamp()")[0][0]
            await until(lambda now=now: self.sql(BEATEN, now) == [(True,)])  # type: ignore[misc]

    def proven(self) -> None:
        """Every key points at an object with the row's very bytes, and nothing is in the store that the ledger does not know."""
        known = {row[0] for row in self.sql("SELECT key FROM cutover.object")}
        assert set(self.shelf.names()) <= known
        for table in TABLES:
            for id_, (held, key) in self.rows(table).items():
                if key is not None and held is not None:
                    assert self.shelf.current(key).body == held, id_


@pytest.fixture
async def bench(server: tuple[EmbeddedPostgres, str], store: ObjectStore) -> AsyncIterator[Bench]:
    postgres, dsn = server
    sources = tuple(Source(MigrationTable(table)) for table in TABLES)
    settings = Settings(BUCKET, "us-east-1", "documents/", sources, Limits(connections=3), soak_s=0, lease_s=60)
    control = await connect(dsn)
    made = Bench(postgres, dsn, store, control, settings)
    made.sql("DROP SCHEMA IF EXISTS cutover, watch CASCADE")
    made.sql('TRUNCATE "KnowledgeDocument", "CustomerDocument"')
    try:
        yield made
    finally:
        for process in made.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        for task in made.tasks:
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)
        for opened in (control, made.connection):  # a test opens another where it cut the first
            await opened.close()
        assert made.looked(unlisted) == []
        made.look_away()


def quick(bench: Bench, seconds: float = 1.5) -> None:
    """Leases short enough to lapse within a test."""
    bench.settings = replace(bench.settings, lease_s=seconds)


def uploads(shelf: Any) -> Sequence[int]:
    return list(shelf.puts.values())


def memory_peak(pid: int) -> int:
    """The most memory a process ever held, in bytes (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0
