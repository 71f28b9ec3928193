"""The terminal is only a hand on the migration: killed, the migration goes on; opened again, it is all there."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from rehearsal.files_world import counted, until, written
from support.pty_terminal import Terminal

from cockpit.migration.database import host_and_name
from cockpit.rehearsal.process import workdir
from cockpit.rehearsal.process.launcher import Rehearsal

pytestmark = [pytest.mark.world, pytest.mark.long]
SEEN_S = 3.0
"""Many times as long as a page takes no key after it is painted."""


@pytest.fixture(autouse=True)
def _no_left_overs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    yield
    assert list(tmp_path.glob(f"{workdir.PREFIX}*")) == []


def movers(dsn: str) -> list[psutil.Process]:
    """Supervisor and workers of this world."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        try:
            if ("cockpit.migration" in words or " migrate " in words) and dsn in process.environ().values():
                found.append(process)
        except psutil.Error:
            continue
    return found


def answer(terminal: Terminal, words: str) -> None:
    """Type what a page asks for. A page takes no key at first, so that none typed before it is seen counts."""
    terminal.drain(SEEN_S)
    terminal.key(f"{words}\r")


async def test_killed_the_migration_goes_on_and_another_terminal_finds_it(tmp_path: Path) -> None:
    async with Rehearsal(rate=0.3) as world:
        world.clock.set_speed(1.0)
        dsn = world.environment["MIGRATION_DATABASE_URL"]
        plan = written(world, tmp_path, rate=20, task="unused")
        command = [str(Path(sys.executable).with_name("cockpit")), "run", str(plan)]
        terminal = Terminal(command, env=dict(world.environment))
        try:
            await asyncio.to_thread(terminal.wait_for, b"READ-ONLY")
            terminal.key("4")
            await asyncio.to_thread(terminal.wait_for, b"MIGRATION")
            terminal.key("\x1b[20~")  # F9
            await asyncio.to_thread(terminal.wait_for, b"to confirm")
            await asyncio.to_thread(answer, terminal, "123456789012")
            await asyncio.to_thread(terminal.wait_for, b"ARMED")
            terminal.key("m")
            words = f"copy {host_and_name(dsn)}"
            await asyncio.to_thread(terminal.wait_for, words.encode())
            await asyncio.to_thread(answer, terminal, f"{words}: it is time")
            await until(lambda: counted(dsn).get("switched", 0) > 20, terminal)
        finally:
            terminal.kill()
        at_death = counted(dsn)
        assert at_death.get("planned", 0) + at_death.get("uploading", 0) > 20, "it was killed in the middle"
        assert movers(dsn), "supervisor and workers outlive it"
        await until(lambda: counted(dsn).get("switched", 0) >= at_death["switched"] + 20)
        again = Terminal(command, env=dict(world.environment))
        try:
            await asyncio.to_thread(again.wait_for, b"READ-ONLY")
            again.key("4")
            await asyncio.to_thread(again.wait_for, b"RUNNING")
            again.key("q")
            await asyncio.to_thread(again.wait_for, b"QUIT")
            await asyncio.to_thread(answer, again, "quit")
            await asyncio.to_thread(again.read_until, again.ended)
        finally:
            again.kill()
        assert movers(dsn), "nor does quitting end it"
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("UPDATE cutover.run SET files_per_s = 0")
            await until(lambda: not {"planned", "uploading"} & set(counted(dsn)))
            rows = connection.execute(
                """SELECT count(*) FROM "KnowledgeDocument" WHERE "fileData" IS NOT NULL AND "s3Key" IS NOT NULL"""
            ).fetchone()
            assert rows is not None
            assert rows[0] >= at_death["switched"]
        await until(lambda: not movers(dsn))
