"""Behind a connection pooler settings of a session do not hold: it is found by every process, before anything is read."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from migration.migration_bench import Bench
from psycopg.conninfo import conninfo_to_dict
from support.waiting import until

from cockpit.migration.database import Pooled, connect
from cockpit.migration.states import PhaseName
from cockpit.migration.worker import main

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(PGBOUNCER is None, reason="needs pgbouncer, of Debian's package of that name"),
]
NOBODY = 65534


@pytest.fixture
def pooled(bench: Bench, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start a PgBouncer before the database; the connection string through it."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(**settings: str) -> str:
        given = conninfo_to_dict(bench.dsn)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        to = " ".join(f"{name}={given[name]}" for name in ("host", "port", "dbname", "user", "password"))
        lines = {"listen_addr": "127.0.0.1", "listen_port": port, "auth_type": "any", "unix_socket_dir": "", **settings}
        config = tmp_path / "pgbouncer.ini"
        config.write_text(f"[databases]\n* = {to}\n[pgbouncer]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items()))
        for folder in (config, *config.parents):
            if folder.stat().st_uid == os.geteuid() and folder.is_relative_to("/tmp/pytest-of-root"):
                folder.chmod(0o755)
        who = NOBODY if os.geteuid() == 0 else None
        started.append(
            subprocess.Popen([str(PGBOUNCER), "-q", str(config)], stderr=subprocess.DEVNULL, user=who, group=who)
        )
        return f"postgresql://app:secret@127.0.0.1:{port}/{given['dbname']}"

    yield begin
    for process in started:
        process.kill()
        process.wait()


async def reached(dsn: str) -> None:
    """Wait until something listens."""
    port = int(str(conninfo_to_dict(dsn)["port"]))

    def listens() -> bool:
        with socket.socket() as to:
            return to.connect_ex(("127.0.0.1", port)) == 0

    await until(listens)


@pytest.mark.parametrize("ignored", ["", "options, extra_float_digits"])
@pytest.mark.parametrize("mode", ["transaction", "session"])
async def test_a_pooler_is_refused_whatever_it_does_with_our_settings(
    bench: Bench, pooled: Callable[..., str], mode: str, ignored: str
) -> None:
    dsn = pooled(pool_mode=mode, ignore_startup_parameters=ignored)
    await reached(dsn)
    with pytest.raises(Pooled, match="name the database's own address"):
        await connect(dsn)
    bench.insert(2)
    run = await bench.begin(PhaseName.COPY)
    assert await main(dsn, run) == 1, "a worker ends, with words"
    assert bench.states() == {"planned": 2}


async def test_the_database_itself_is_no_pooler(bench: Bench) -> None:
    async with await connect(bench.dsn) as connection:
        assert isinstance(connection, psycopg.AsyncConnection)
