"""A PostgreSQL older than the one that rehearsals bring, where the machine has one: its views show fewer sessions."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from cockpit.rehearsal.database import postgres_server
from support.postgres_version import at_least
from support.waiting import wait_until

PLACES = Path("/usr/lib/postgresql")
VERSIONS = ("17", "16", "15", "14", "13")
PASSWORD = "older-pw"


@contextmanager
def older_server(folder: Path, max_connections: int = 12) -> Iterator[str]:
    """Its superuser's connection string. Skips the test where the machine has no such server."""
    places = [PLACES / version / "bin" for version in VERSIONS]
    if not at_least(18):
        places.insert(0, postgres_server.binaries())
    programs = next((place for place in places if (place / "postgres").exists()), None)
    if programs is None or (os.geteuid() == 0 and shutil.which("setpriv") is None):
        pytest.skip("no PostgreSQL 13 to 17 on this machine")
    assert programs is not None
    as_other = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.geteuid() == 0 else ()
    if as_other:
        os.chown(folder, 65534, 65534)
        for part in (folder, *folder.parents):
            if part.stat().st_uid in (0, 65534) and part != Path("/"):
                part.chmod(part.stat().st_mode | 0o011)
    secret = folder / "key"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    data = folder / "data"
    made = [
        *as_other,
        programs / "initdb",
        "-D",
        data,
        "-U",
        "admin",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "-N",
    ]
    subprocess.run([str(word) for word in made], check=True, stdout=subprocess.DEVNULL, cwd="/")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"max_connections": max_connections, "unix_socket_directories": "", "listen_addresses": "127.0.0.1"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [*as_other, str(programs / "postgres"), "-D", str(data), "-p", str(port), *options]
    process = subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL)
    dsn = f"postgresql://admin:{PASSWORD}@127.0.0.1:{port}/postgres"

    def answers() -> bool:
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        wait_until(answers)
        yield dsn
    finally:
        process.send_signal(signal.SIGINT)  # without waiting for its clients
        process.wait()
