"""The supervisor of a run is killed, or its window closed: the commands that are typed next need nobody who knows the ledger."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import psycopg
import pytest
from rehearsal.files_world import COCKPIT, counted, end_started, said, typed, until, written
from support.pty_terminal import Terminal

from cockpit.exit_codes import INTERRUPTED
from cockpit.migration.database import host_and_name
from cockpit.rehearsal.process.launcher import Rehearsal

pytestmark = [pytest.mark.world, pytest.mark.long]
A_MINUTE = (
    "UPDATE cutover.run SET supervised_until = supervised_until - interval '1 minute'",
    "UPDATE cutover.run SET guard_until = guard_until - interval '1 minute'",
    "UPDATE cutover.worker SET seen_at = seen_at - interval '1 minute'",
    "UPDATE cutover.item SET lease_until = lease_until - interval '1 minute'",
)


@pytest.fixture(autouse=True)
async def _ended() -> AsyncIterator[None]:
    yield
    await end_started()


def killed(process: asyncio.subprocess.Process) -> None:
    """With every worker it started; none of them can do anything more."""
    family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for each in family:
        each.send_signal(signal.SIGKILL)


async def test_the_run_is_ended_and_its_files_go_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with Rehearsal(rate=0.3) as world:
        world.clock.set_speed(1.0)
        dsn = world.environment["MIGRATION_DATABASE_URL"]
        plan, host = str(written(world, tmp_path, rate=20, task="unused")), host_and_name(dsn)
        copying = await typed(world, "copy", plan, "--workers", "1", "--confirm", f"copy {host}: it is time")
        await until(lambda: counted(dsn).get("switched", 0) > 10)
        killed(copying)
        await said(copying)
        with psycopg.connect(dsn, autocommit=True) as connection:
            for passes in A_MINUTE:
                connection.execute(passes)
            shown = await said(await typed(world, "status", plan))
            assert "no supervisor" in shown
            assert "cockpit migrate copy PLAN` goes on with it" in shown
            refused = await typed(world, "restore", plan, "--workers", "1", "--confirm", "restore elsewhere: no")
            await said(refused)
            assert refused.returncode != 0
            assert connection.execute("SELECT wanted FROM cutover.run").fetchall() == [("run",)], (
                "refused: nothing ended"
            )
            back = await typed(world, "restore", plan, "--workers", "1", "--confirm", f"restore {host}: we go back")
            told = await said(back)
            assert back.returncode == 0, told
            runs = connection.execute("SELECT phase, outcome FROM cutover.run ORDER BY id").fetchall()
            assert [(phase, outcome.split(",")[0]) for phase, outcome in runs] == [
                ("copy", "drained"),
                ("restore", "done"),
            ]
        assert not {"switched", "restoring"} & set(counted(dsn))
        again = await typed(world, "copy", plan, "--limit", "5", "--confirm", f"copy {host}: once more")
        told = await said(again)
        assert again.returncode == 0, told


async def test_a_window_that_is_closed_drains_the_run_and_who_presses_ctrl_c_twice_can_go_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with Rehearsal(rate=0.3) as world:
        world.clock.set_speed(1.0)
        dsn = world.environment["MIGRATION_DATABASE_URL"]
        plan, confirm = str(written(world, tmp_path, rate=20, task="unused")), f"copy {host_and_name(dsn)}: it is time"
        words = [COCKPIT, "migrate", "copy", plan, "--workers", "1", "--confirm", confirm]

        def outcomes() -> list[str]:
            with psycopg.connect(dsn) as connection:
                return [row[0] for row in connection.execute("SELECT outcome FROM cutover.run ORDER BY id").fetchall()]

        window = Terminal(words, env=dict(world.environment))
        await until(lambda: counted(dsn).get("switched", 0) > 10, window)
        os.close(window.fd)
        await until(window.ended)
        assert (window.code, outcomes()) == (0, ["drained"])
        before = counted(dsn)["switched"]

        window = Terminal(words, env=dict(world.environment))
        await until(lambda: counted(dsn).get("switched", 0) > before + 5, window)
        window.key("\x03")
        await asyncio.to_thread(window.wait_for, b"draining")
        window.key("\x03")
        shown = await asyncio.to_thread(window.read_until, window.ended)
        os.close(window.fd)
        assert window.code == INTERRUPTED, shown
        assert b"Traceback" not in shown
        assert b"cockpit migrate" in shown

        again = await typed(world, "copy", plan, "--limit", "5", "--confirm", confirm)
        told = await said(again)
        assert again.returncode == 0, told
