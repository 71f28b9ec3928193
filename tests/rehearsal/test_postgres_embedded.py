"""The embedded PostgreSQL: starts, restarts, refuses strangers, and dies with whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from support.waiting import LAST_RESORT_S

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres, PostgresUnavailable


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("pg"), max_connections=20) as started:
        yield started


def test_it_is_postgresql_18_with_the_connections_asked_for(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn) as connection:
        query = "SELECT current_setting('server_version'), current_setting('max_connections'), current_database()"
        version, slots, database = connection.execute(query).fetchone() or ("", "", "")
    assert (version.partition(".")[0], slots, database) == ("18", "20", "transparent_trust")


def test_a_stranger_without_the_password_stays_out(server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{server.port}/transparent_trust")


def test_it_listens_on_this_machine_only(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    listening = [
        c.laddr.ip for c in psutil.Process(server.pid).net_connections(kind="inet") if c.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


def test_a_restart_keeps_port_and_rows_and_cuts_connections(server: EmbeddedPostgres) -> None:
    port = server.port
    with psycopg.connect(server.dsn, autocommit=True) as before:
        before.execute("CREATE TABLE kept (n int)")
        before.execute("INSERT INTO kept VALUES (1)")
        server.restart()
        with pytest.raises(psycopg.OperationalError):
            before.execute("SELECT 1")
    assert server.port == port
    with psycopg.connect(server.dsn) as after:
        assert after.execute("SELECT n FROM kept").fetchone() == (1,)


def test_stopping_twice_and_starting_twice_is_harmless(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "pg")
    server.start()
    server.start()
    assert server.running
    server.stop()
    server.stop()
    assert not server.running


def test_one_that_dies_at_its_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(
        PostgresUnavailable, match=r'ended at start \(1\): .*invalid value for parameter "shared_buffers"'
    ):
        EmbeddedPostgres(tmp_path / "pg", settings={"shared_buffers": "plenty"}).start()


def test_it_dies_when_its_starter_is_killed(tmp_path: Path) -> None:
    program = f"""
        import signal
        from pathlib import Path
        from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
        server = EmbeddedPostgres(Path({str(tmp_path / "pg")!r}))
        server.start()
        print(server.pid, flush=True)
        signal.pause()
    """
    starter = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    with starter:
        assert starter.stdout is not None
        server = psutil.Process(int(starter.stdout.readline()))
        family = [server, *server.children(recursive=True)]
        os.kill(starter.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=LAST_RESORT_S)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_the_password_is_not_left_in_a_file_or_on_a_command_line(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    assert server.password not in " ".join(psutil.Process(server.pid).cmdline())
    assert not (server.folder / "key").exists()
