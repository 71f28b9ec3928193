"""Ctrl-c twice in a phase: it leaves at once and in order, what it prints works, and the run ends or goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from rehearsal.files_world import COCKPIT, counted, end_started, said, typed, until, written
from support.pty_terminal import Terminal

from cockpit.exit_codes import INTERRUPTED
from cockpit.migration.database import host_and_name
from cockpit.rehearsal.process.launcher import Rehearsal

pytestmark = [pytest.mark.world, pytest.mark.long]
CTRL_C = "\x03"


@pytest.fixture(autouse=True)
async def _ended() -> AsyncIterator[None]:
    yield
    await end_started()


async def test_the_second_leaves_at_once_and_what_it_advises_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with Rehearsal(rate=0.3) as world:
        world.clock.set_speed(1.0)
        dsn = world.environment["MIGRATION_DATABASE_URL"]
        plan, host = str(written(world, tmp_path, rate=20, task="unused")), host_and_name(dsn)
        command = [COCKPIT, "migrate", "copy", plan, "--workers", "1", "--confirm", f"copy {host}: it is time"]
        terminal = Terminal(command, env=dict(world.environment))
        await until(lambda: counted(dsn).get("switched", 0) > 5, terminal)
        terminal.key(CTRL_C)
        terminal.wait_for(b"ctrl-c again to stop at once")
        terminal.key(CTRL_C)
        shown = terminal.read_until(terminal.ended).decode(errors="replace")
        assert terminal.code == INTERRUPTED
        assert "Traceback" not in shown
        with psycopg.connect(dsn, autocommit=True) as connection:
            wanted, ended = connection.execute("SELECT wanted, ended_at FROM cutover.run").fetchall()[0]
            assert wanted == "drain"
            assert ended is not None or "cockpit migrate status PLAN" in shown
            await until(lambda: "uploading" not in counted(dsn))
            status = await typed(world, "status", plan)
            assert "Traceback" not in await said(status)
            again = await typed(world, "copy", plan, "--limit", "5", "--confirm", f"copy {host}: once more")
            told = await said(again)
            assert again.returncode == 0, told
            runs = connection.execute("SELECT outcome FROM cutover.run ORDER BY id").fetchall()
        assert [outcome for (outcome,) in runs] == ["drained", "limit reached"]
