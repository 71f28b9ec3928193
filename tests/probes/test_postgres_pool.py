"""The pool, against a real server."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from support.older_server import older_server
from support.silent_wire import Wire, wire_to
from support.waiting import wait_until

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from probes.clients.clients import AwsOptions, Clients
from probes.clients.sql_errors import unseen_from
from probes.databases.postgres_pool import LOGIN_EVERY, PostgresPool, PostgresPoolParams
from probes.reading import Reading, Reason

pytest_plugins = ["support.real_server"]

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


async def pool(clients: Clients, dsn: str) -> Reading:
    return await PostgresPool(PostgresPoolParams(dsn=dsn), clients).read(NOW)


async def pool_of(clients: Clients, dsn: str, used: int) -> Reading:
    """The pool once sessions that earlier tests closed have really left."""
    for _ in range(200):
        reading = await pool(clients, dsn)
        if reading.values.get("used") == used:
            break
    return reading


def _is_full_of(opened: list[psycopg.Connection], server: EmbeddedPostgres) -> bool:
    """Whether every session that the server has of its users is one of these, or the cockpit's own."""
    with psycopg.connect(server.dsn, autocommit=True) as admin:
        row = admin.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'blinkered'").fetchone()
    return row is not None and row[0] == len(opened)


@contextmanager
def sessions(server: EmbeddedPostgres, count: int, application: str = "prisma") -> Iterator[list[psycopg.Connection]]:
    """`count` idle sessions of the application, or as many as the server has slots for."""
    dsn = server.dsn_of("blinkered", "blinkered-pw")
    with ExitStack() as held:
        opened: list[psycopg.Connection] = []
        while len(opened) < count:
            try:
                one = psycopg.connect(dsn, autocommit=True, application_name=application)
            except psycopg.OperationalError:
                if _is_full_of(opened, server):
                    break
                continue  # a session that an earlier test closed is still leaving
            opened.append(held.enter_context(one))
        yield opened


async def test_a_quiet_pool(clients: Clients, postgres_server: EmbeddedPostgres, cockpit_dsn: str) -> None:
    with sessions(postgres_server, 3):
        reading = await pool_of(clients, cockpit_dsn, used=3)
    assert reading.values == {
        "used": 3,
        "max_connections": 12,
        "reserved": 3,
        "usable": 9,
        "utilization": 3 / 9,
        "active": 0,
        "idle": 3,
        "idle_in_transaction": 0,
        "waiting": 0,
        "by_application": "prisma 3",
        "longest_query_s": 0.0,
        "exhausted": False,
        "through_pooler": False,
    }
    assert not reading.unknown
    assert reading.evidence.lines == ("new login at 22:30:00: accepted", "prisma idle: 3")


@pytest.fixture
def pgbouncer(tmp_path: Path, postgres_server: EmbeddedPostgres) -> Iterator[int]:
    """The port of a PgBouncer before the server, that keeps a connection for the length of a transaction."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = conninfo_to_dict(postgres_server.dsn_of("cockpit", "read-only-pw"))
    where = " ".join(f"{key}={server[key]}" for key in ("host", "port", "user", "password"))
    settings = f"""[databases]
* = {where}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
ignore_startup_parameters = options, extra_float_digits
"""
    file = tmp_path / "pgbouncer.ini"
    file.write_text(settings, encoding="utf-8")
    as_whom = ("-u", "nobody") if os.geteuid() == 0 else ()
    for part in (file, *file.parents):
        if tmp_path.parent.parent in (part, *part.parents):
            part.chmod(0o755)
    process = subprocess.Popen([program, "-q", *as_whom, str(file)], stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


async def test_a_pool_behind_pgbouncer_says_so(clients: Clients, pgbouncer: int, cockpit_dsn: str) -> None:
    database = conninfo_to_dict(cockpit_dsn)["dbname"]
    dsn = f"postgresql://cockpit:read-only-pw@127.0.0.1:{pgbouncer}/{database}"
    reading = await pool(clients, dsn)
    while not reading.values and "refused" in reading.unknown["used"].detail:
        reading = await pool(clients, dsn)  # it has not begun to listen
    assert (reading.values["through_pooler"], reading.values["exhausted"]) == (True, False)
    assert "clients that wait there are not counted" in reading.evidence.lines[0]


class Proxy(Wire):
    """Answers as RDS Proxy does, with a process of its own: BackendKeyData names none of the server's."""

    def change(self, data: bytes) -> bytes:
        before, key, after = data.partition(b"K\0\0\0\x0c")
        return before + key + b"\0\0\0\1" + after[4:] if key else data


async def test_a_pool_behind_a_proxy_says_so(
    clients: Clients, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    server = conninfo_to_dict(cockpit_dsn)
    async with wire_to(int(str(server["port"])), Proxy) as proxy:
        dsn = f"postgresql://cockpit:read-only-pw@127.0.0.1:{proxy.port}/{server['dbname']}"
        assert (await pool(clients, dsn)).values["through_pooler"] is True
    assert (await pool(clients, cockpit_dsn)).values["through_pooler"] is False


async def test_each_kind_of_session_is_counted(
    clients: Clients, postgres_server: EmbeddedPostgres, postgres_admin: psycopg.Connection, cockpit_dsn: str
) -> None:
    with sessions(postgres_server, 2) as (_, waiter):
        with postgres_admin.transaction():
            postgres_admin.execute("SELECT pg_advisory_xact_lock(7)")
            waiter.pgconn.send_query(b"SELECT pg_advisory_lock(7)")
            reading = await pool_of(clients, cockpit_dsn, used=3)
            while reading.values["waiting"] != 1:
                reading = await pool(clients, cockpit_dsn)
        waiter.close()
    assert (reading.values["active"], reading.values["idle"]) == (1, 1)
    assert reading.values["idle_in_transaction"] == 1
    assert reading.values["by_application"] == "prisma 2, (no name) 1"
    assert isinstance(reading.values["longest_query_s"], float)
    assert reading.values["longest_query_s"] > 0


async def test_the_last_slot_taken_is_exhausted_and_seen_from_inside(
    clients: Clients, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    await pool(clients, cockpit_dsn)
    with sessions(postgres_server, 20):
        reading = await pool(clients, cockpit_dsn)
    assert (reading.values["used"], reading.values["exhausted"]) == (8, True)


async def test_being_refused_the_last_slot_is_the_evidence(
    clients: Clients, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    with sessions(postgres_server, 20):
        reading = await pool(clients, cockpit_dsn)
    assert reading.values == {"exhausted": True}
    assert reading.unknown["utilization"].reason is Reason.UNREACHABLE
    assert "remaining connection slots" in reading.evidence.lines[0]


async def test_without_pg_monitor_nothing_is_counted_as_zero(
    clients: Clients, postgres_server: EmbeddedPostgres, postgres_admin: psycopg.Connection
) -> None:
    reading = await pool(clients, postgres_server.dsn_of("blinkered", "blinkered-pw"))
    assert reading.values == {"max_connections": 12, "reserved": 3, "usable": 9, "through_pooler": False}
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.ACCESS_DENIED}
    assert "pg_monitor" in reading.unknown["used"].hint


@pytest.mark.parametrize("dsn", ["postgresql://u:p@127.0.0.1:1/db", "postgresql://u:p@no-such-host.invalid/db"])
async def test_a_server_out_of_reach_leaves_everything_unknown(clients: Clients, dsn: str) -> None:
    reading = await pool(clients, dsn)
    assert not reading.values
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.UNREACHABLE}


async def test_a_server_that_falls_silent_leaves_everything_unknown(clients: Clients) -> None:
    async with wire_to() as hole:
        reading = await pool(clients, f"postgresql://u:p@127.0.0.1:{hole.port}/db")
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.TIMEOUT}


async def test_the_connection_string_is_nowhere_in_the_reading(
    clients: Clients, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    wrong = postgres_server.dsn_of("cockpit", "hunter2hunter2")
    for dsn, password in ((cockpit_dsn, "read-only-pw"), (wrong, "hunter2")):
        assert password not in repr(await pool(clients, dsn))


# -- what a kept connection cannot see -----------------------------------------------------------------------------------


@contextmanager
def unfinished_logins(dsn: str) -> Iterator[list[socket.socket]]:
    """Clients that begin to log in and say nothing more, until the server has no slot for another: no view shows them."""
    where = conninfo_to_dict(dsn)
    named = b"".join(f"{key}\0{where[name]}\0".encode() for key, name in (("user", "user"), ("database", "dbname")))
    body = struct.pack("!I", 196608) + named + b"\0"
    held: list[socket.socket] = []
    try:
        while True:
            one = socket.create_connection((str(where["host"]), int(str(where["port"]))))
            held.append(one)
            one.sendall(struct.pack("!I", len(body) + 4) + body)
            if one.recv(1) != b"R":  # an error: too many clients
                break
        yield held
    finally:
        for one in held:
            one.close()


async def until_it_has_room(probe: PostgresPool, now: datetime) -> Reading:
    for _ in range(400):
        reading = await probe.read(now)
        if reading.values.get("exhausted") is False:
            break
    return reading


async def test_slots_held_by_unfinished_logins_are_seen(
    clients: Clients, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    probe = PostgresPool(PostgresPoolParams(dsn=cockpit_dsn), clients)
    assert (await until_it_has_room(probe, NOW)).values["exhausted"] is False
    with unfinished_logins(cockpit_dsn):
        assert (await probe.read(NOW + LOGIN_EVERY)).values["exhausted"] is True
    assert (await until_it_has_room(probe, NOW + LOGIN_EVERY)).values["exhausted"] is False


@pytest.mark.long
async def test_where_no_view_shows_unfinished_logins_a_new_one_does(clients: Clients, tmp_path: Path) -> None:
    """PostgreSQL 13 to 17: a session is in no view before it has logged in."""
    with older_server(tmp_path) as dsn:
        probe = PostgresPool(PostgresPoolParams(dsn=dsn), clients)
        assert (await until_it_has_room(probe, NOW)).values["exhausted"] is False
        with unfinished_logins(dsn):
            soon = await probe.read(NOW + LOGIN_EVERY / 4)
            later = await probe.read(NOW + LOGIN_EVERY)
            still = await probe.read(NOW + LOGIN_EVERY * 1.25)
        assert soon.values["exhausted"] is False  # no new login was due
        assert (later.values["exhausted"], still.values["exhausted"]) == (True, True)
        assert "too many clients" in later.evidence.lines[0]
        assert isinstance(later.values["used"], int)
        assert later.values["used"] < 3
        assert (await until_it_has_room(probe, NOW + LOGIN_EVERY * 1.5)).values["exhausted"] is False


async def test_a_database_at_its_connection_limit_is_exhausted(
    clients: Clients, postgres_server: EmbeddedPostgres, postgres_admin: psycopg.Connection, cockpit_dsn: str
) -> None:
    name = conninfo_to_dict(cockpit_dsn)["dbname"]
    assert (await pool(clients, cockpit_dsn)).values["exhausted"] is False
    postgres_admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 4')
    try:
        with sessions(postgres_server, 2):
            reading = await pool(clients, cockpit_dsn)
            kept = Clients(AwsOptions())
            shut_out = await pool(kept, cockpit_dsn)
            await kept.close()
    finally:
        postgres_admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
    assert reading.values["exhausted"] is True
    assert reading.evidence.lines[0] == f"database {name} is at its CONNECTION LIMIT: 4 of 4"
    assert shut_out.values == {"exhausted": True}


@pytest.mark.parametrize(("roles", "exhausted"), [(["blinkered"], True), ([], False)])
async def test_a_role_of_the_application_at_its_connection_limit_is_exhausted(
    clients: Clients,
    postgres_server: EmbeddedPostgres,
    postgres_admin: psycopg.Connection,
    cockpit_dsn: str,
    roles: list[str],
    exhausted: bool,
) -> None:
    postgres_admin.execute("ALTER ROLE blinkered CONNECTION LIMIT 2")
    try:
        with sessions(postgres_server, 2):
            reading = await PostgresPool(PostgresPoolParams(dsn=cockpit_dsn, roles=roles), clients).read(NOW)
    finally:
        postgres_admin.execute("ALTER ROLE blinkered CONNECTION LIMIT -1")
    assert reading.values["exhausted"] is exhausted
    assert "role blinkered is at its CONNECTION LIMIT: 2 of 2" in reading.evidence.lines


def until_the_login_has_left(admin: psycopg.Connection) -> None:
    """The probe's trial login ends at once, and its slot is free when the server has noticed."""
    count = "SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'cockpit'"
    wait_until(lambda: admin.execute(count).fetchone() == (True,), "the trial login is still there")


@pytest.mark.parametrize(("application", "exhausted"), [("prisma", True), ("cockpit", False)])
async def test_the_role_of_the_connection_string_counts_where_the_application_uses_it(
    clients: Clients, postgres_admin: psycopg.Connection, cockpit_dsn: str, application: str, exhausted: bool
) -> None:
    postgres_admin.execute("ALTER ROLE cockpit CONNECTION LIMIT 2")
    try:
        probe = PostgresPool(PostgresPoolParams(dsn=cockpit_dsn), clients)
        await probe.read(NOW)
        until_the_login_has_left(postgres_admin)
        with psycopg.connect(cockpit_dsn, application_name=application):
            reading = await probe.read(NOW + LOGIN_EVERY)
    finally:
        postgres_admin.execute("ALTER ROLE cockpit CONNECTION LIMIT -1")
    assert reading.values["exhausted"] is exhausted
    assert any("too many connections for role" in line for line in reading.evidence.lines)


async def test_a_new_login_through_a_pooler_says_nothing_and_is_not_tried(
    clients: Clients, pgbouncer: int, cockpit_dsn: str
) -> None:
    database = conninfo_to_dict(cockpit_dsn)["dbname"]
    reading = await pool(clients, f"postgresql://cockpit:read-only-pw@127.0.0.1:{pgbouncer}/{database}")
    assert not any("new login" in line for line in reading.evidence.lines)


@pytest.mark.parametrize("how", ["no encryption", "SSL off"])
def test_a_server_that_takes_tls_alone_is_met_with_the_name_of_the_cure(how: str) -> None:
    refused = f'no pg_hba.conf entry for host "10.0.3.7", user "cockpit", database "orders", {how}'
    for error in (psycopg.OperationalError(refused), psycopg.errors.InvalidAuthorizationSpecification(refused)):
        unknown = unseen_from(error).unknown
        assert unknown.reason is Reason.ACCESS_DENIED
        assert "rds.force_ssl" in unknown.hint
        assert "sslmode" in unknown.hint
