"""A primary, its standby, and one address that leads to whichever is wanted: what a failover is to those who are connected."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres, binaries
from probes.clients.child_process import run

_SETTINGS = {"wal_level": "replica", "max_wal_senders": "4", "synchronous_commit": "on", "max_connections": "112"}
_BACKUP_WITHIN_S = 120.0


class Address:
    """A port that forwards to another; None refuses. A change of `leads_to` cuts what is connected, as a failover does."""

    def __init__(self, leads_to: int | None) -> None:
        self._leads_to = leads_to
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def leads_to(self) -> int | None:
        return self._leads_to

    @leads_to.setter
    def leads_to(self, port: int | None) -> None:
        self._leads_to = port
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.leads_to = None
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self._leads_to is None:
                return
            with socket.create_connection(("127.0.0.1", self._leads_to)) as server:
                self._open |= {client, server}
                try:
                    ways = {client.fileno(): (client, server), server.fileno(): (server, client)}
                    ready = select.poll()
                    for each in ways:
                        ready.register(each, select.POLLIN)
                    while True:
                        for descriptor, _ in ready.poll():
                            source, other = ways[descriptor]
                            data = source.recv(65536)
                            if not data:
                                return
                            other.sendall(data)
                finally:
                    self._open -= {client, server}


class Pair:
    """`primary` and `standby`, which replicates from it; `dsn_of` gives connection strings through the address."""

    def __init__(self, folder: Path) -> None:
        self.primary = EmbeddedPostgres(folder / "primary", settings=_SETTINGS)
        self.standby = EmbeddedPostgres(folder / "standby", settings=_SETTINGS)
        self.address = Address(None)

    def follow(self, *, synchronous: bool) -> None:
        """Make the standby from a base backup of the primary that runs; with `synchronous` no commit is lost by a failover."""
        words = [str(binaries() / "pg_basebackup"), "-D", str(self.standby.folder / "data"), "-R", "-c", "fast"]
        words += ["-d", self.primary.dsn_of("postgres", self.primary.password, "postgres")]
        self.standby.folder.mkdir(mode=0o700)
        self.standby._give_folder_to_nobody()
        command, user = self.standby._as_other(words)
        done = run(command, timeout_s=_BACKUP_WITHIN_S, folder="/", user=user)
        assert done.code == 0, done.err
        self.standby.password = self.primary.password
        self.standby.start()
        if synchronous:
            with psycopg.connect(self.primary.dsn, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                connection.execute("SELECT pg_reload_conf()")
        self.address.leads_to = self.primary.port

    def through_address(self, dsn: str) -> str:
        """The same role and database, through the address."""
        given = conninfo_to_dict(dsn)
        return f"postgresql://{given['user']}:{given['password']}@127.0.0.1:{self.address.port}/{given['dbname']}"

    def promote(self) -> None:
        """The standby becomes a primary that waits for no other."""
        with psycopg.connect(self.standby.dsn, autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")

    def stop(self) -> None:
        self.address.close()
        self.primary.kill()
        self.standby.kill()


@contextlib.contextmanager
def pair(folder: Path) -> Iterator[Pair]:
    made = Pair(folder)
    try:
        made.primary.start()
        yield made
    finally:
        made.stop()
