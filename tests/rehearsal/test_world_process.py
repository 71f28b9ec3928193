"""The rehearsed world as a process: it comes up whole, obeys, and leaves nothing behind however it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from support.waiting import LAST_RESORT_S

from cockpit.rehearsal.process import workdir
from cockpit.rehearsal.process.launcher import Rehearsal, WorldError

pytestmark = pytest.mark.world


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def family(pid: int) -> list[psutil.Process]:
    head = psutil.Process(pid)
    return [head, *head.children(recursive=True)]


def listens(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((str(parts.hostname), int(parts.port or 0))) == 0


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Rehearsals of these tests live in a folder of their own, where leftovers can be seen."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.glob(f"{workdir.PREFIX}*")) == []


async def test_the_folder_is_private_and_gone_once_the_world_was_terminated() -> None:
    async with Rehearsal() as rehearsal:
        assert rehearsal.folder.stat().st_mode & 0o777 == 0o700
        processes = family(rehearsal.pid or 0)
        assert len(processes) > 2
        addresses = [
            rehearsal.environment["AWS_ENDPOINT_URL"],
            rehearsal.vars["url"],
            rehearsal.environment["DATABASE_URL"],
        ]
        assert all(listens(url) for url in addresses)
        os.kill(rehearsal.pid or 0, signal.SIGTERM)
        psutil.wait_procs(processes[1:], timeout=LAST_RESORT_S)
        assert alive(processes[1:]) == [], "it ended by itself"
    assert not rehearsal.folder.exists()
    assert alive(processes) == []
    assert not any(listens(url) for url in addresses)


async def test_a_world_that_is_not_ready_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cockpit.rehearsal.process.launcher.READY_WITHIN_S", 0.05)
    with pytest.raises(WorldError, match="was not ready within"):
        async with Rehearsal():
            pass


async def test_a_world_that_dies_at_its_start_says_why_without_secrets() -> None:
    with pytest.raises(WorldError) as died:
        async with Rehearsal(rate="password=hunter2hunter2"):  # type: ignore[arg-type]
            pass
    assert "ended at its start (exit 1): " in str(died.value)
    assert "ValueError: could not convert string to float" in str(died.value)
    assert "hunter2" not in str(died.value)


@pytest.mark.long
async def test_a_world_that_is_killed_is_noticed_and_its_database_dies_with_it() -> None:
    async with Rehearsal() as rehearsal:
        processes = family(rehearsal.pid or 0)
        os.kill(rehearsal.pid or 0, signal.SIGKILL)
        with pytest.raises(WorldError, match=r"has ended|is not running"):
            await rehearsal.report()
        psutil.wait_procs(processes, timeout=LAST_RESORT_S)
        assert alive(processes) == []


@pytest.mark.long
async def test_a_world_that_hangs_is_killed_with_its_database() -> None:
    async with Rehearsal() as rehearsal:
        processes = family(rehearsal.pid or 0)
        for process in processes:
            process.suspend()
    for process in alive(processes):
        process.resume()  # a helper of the database sees that its server is gone once it runs again
    psutil.wait_procs(processes, timeout=LAST_RESORT_S)
    assert alive(processes) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_cockpit_itself_is_killed(how: signal.Signals, temporary_folder: Path) -> None:
    program = """
        import asyncio, json, os
        from cockpit.rehearsal.process.launcher import Rehearsal
        async def main():
            async with Rehearsal() as rehearsal:
                print(json.dumps([rehearsal.pid, str(rehearsal.folder), rehearsal.vars["url"]]), flush=True)
                await asyncio.Event().wait()
        asyncio.run(main())
    """
    environment = os.environ | {"TMPDIR": str(temporary_folder)}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as cockpit:
        assert cockpit.stdout is not None
        pid, folder, url = json.loads(cockpit.stdout.readline())
        processes = family(pid)
        cockpit.send_signal(how)
    psutil.wait_procs(processes, timeout=LAST_RESORT_S)
    assert alive(processes) == []
    assert not Path(folder).exists()
    assert not listens(url)


def test_folders_of_the_dead_are_swept_and_those_of_the_living_are_not(temporary_folder: Path) -> None:
    dead, lock = workdir.make()
    lock.close()
    living, held = workdir.make()
    unborn = temporary_folder / f"{workdir.PREFIX}unborn"
    unborn.mkdir()
    assert workdir.sweep() == [dead]
    assert living.exists()
    assert unborn.exists()
    os.utime(unborn, (time.time() - 120, time.time() - 120))
    assert workdir.sweep() == [unborn]
    held.close()
    assert workdir.sweep() == [living]


def test_nothing_of_the_operators_shell_can_lead_to_the_real_aws() -> None:
    rehearsal = Rehearsal()
    rehearsal.environment = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    shell = {
        "AWS_PROFILE": "prod",
        "AWS_SESSION_TOKEN": "t",
        "AWS_ENDPOINT_URL_S3": "https://s3.amazonaws.com",
        "HOME": "/h",
    }
    rehearsal.apply(shell)
    assert shell == {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "HOME": "/h"}
