"""The rehearsed world as a process: it comes up whole, obeys, and leaves nothing behind however it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
import pytest

from cockpit.rehearsal.process import workdir
from cockpit.rehearsal.process.launcher import Rehearsal, WorldError
from cockpit.rehearsal.script.fault_catalogue import CATALOGUE, UnknownFault

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


@pytest.fixture
async def rehearsal() -> AsyncIterator[Rehearsal]:
    async with Rehearsal() as started:
        started.clock.set_speed(60)
        yield started


async def test_the_world_comes_up_whole_and_serves_its_users(rehearsal: Rehearsal) -> None:
    async with httpx.AsyncClient(base_url=rehearsal.vars["url"], trust_env=False) as browser:
        health = (await browser.get("/api/health")).json()
        providers = (await browser.get("/api/auth/providers")).json()
    assert health["status"] == "ok"
    assert health["version"]
    assert providers["google"]["callbackUrl"] == rehearsal.vars["url"] + "/api/auth/callback/google"
    with psycopg.connect(rehearsal.environment["DATABASE_URL"]) as cockpit:
        assert cockpit.execute('SELECT count(*) FROM "SkillCategory"').fetchone() == (12,)
    await asyncio.sleep(1.5)
    report = await rehearsal.report()
    assert report["errors"] == 0
    assert report["requests"] > 40
    assert [state for _, state in report["tasks"]] == ["HEALTHY", "HEALTHY"]


async def test_the_folder_is_private_and_gone_afterwards() -> None:
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
    assert not rehearsal.folder.exists()
    assert alive(processes) == []
    assert not any(listens(url) for url in addresses)


async def test_every_fault_can_be_broken_and_mended(rehearsal: Rehearsal) -> None:
    for fault in CATALOGUE:
        await rehearsal.set_fault(fault, active=True)
    assert set((await rehearsal.report())["active"]) == set(CATALOGUE)
    assert all(fault.active for fault in rehearsal.faults())
    for fault in CATALOGUE:
        await rehearsal.set_fault(fault, active=False)
    assert (await rehearsal.report())["active"] == []


async def test_a_toggle_is_shown_at_once_and_an_unknown_fault_is_refused(rehearsal: Rehearsal) -> None:
    rehearsal.toggle("llm.down")
    await asyncio.sleep(0)
    assert [fault.id for fault in rehearsal.faults() if fault.active] == ["llm.down"]
    with pytest.raises(UnknownFault, match=r"did you mean 'llm\.down'"):
        rehearsal.toggle("llm.dwon")


async def test_a_full_database_is_really_full(rehearsal: Rehearsal) -> None:
    await rehearsal.set_fault("db.connections", active=True)
    with pytest.raises(psycopg.OperationalError, match="remaining connection slots are reserved"):
        psycopg.connect(rehearsal.environment["DATABASE_URL"])
    await rehearsal.set_fault("db.connections", active=False)
    psycopg.connect(rehearsal.environment["DATABASE_URL"]).close()


async def test_an_upload_s3_denies_is_a_201_that_only_the_rows_betray(rehearsal: Rehearsal) -> None:
    url = f"{rehearsal.vars['url']}/api/documents?filename=a.pdf"
    query = 'SELECT "s3Key" IS NULL FROM "KnowledgeDocument" WHERE id = %s'
    in_database = []
    async with httpx.AsyncClient(trust_env=False) as browser:
        for denied in (False, True):
            await rehearsal.set_fault("s3.denied", active=denied)
            answer = await browser.post(url, content=b"%PDF")
            assert answer.status_code == 201
            with psycopg.connect(rehearsal.environment["DATABASE_URL"]) as cockpit:
                in_database.append(cockpit.execute(query, (answer.json()["document"]["id"],)).fetchone())
    assert in_database == [(False,), (True,)]


async def test_a_release_takes_over_task_by_task(rehearsal: Rehearsal) -> None:
    await rehearsal.deploy("good")
    deadline = time.monotonic() + 20
    while (await rehearsal.report())["tasks"] != [[2, "HEALTHY"], [2, "HEALTHY"]]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert (await browser.get(f"{rehearsal.vars['url']}/api/health")).json()["revision"] == 2


async def test_a_command_the_world_cannot_obey_is_an_error_with_its_reason(rehearsal: Rehearsal) -> None:
    with pytest.raises(WorldError, match="there is no release of kind 'splendid'"):
        await rehearsal.deploy("splendid")


async def test_a_world_that_dies_at_its_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr("cockpit.rehearsal.process.launcher.READY_WITHIN_S", 0.05)
    with pytest.raises(WorldError, match="was not ready within"):
        async with Rehearsal():
            pass


async def test_a_world_that_is_killed_is_noticed_and_its_database_dies_with_it() -> None:
    async with Rehearsal() as rehearsal:
        processes = family(rehearsal.pid or 0)
        os.kill(rehearsal.pid or 0, signal.SIGKILL)
        with pytest.raises(WorldError, match=r"has ended|is not running"):
            await rehearsal.report()
        psutil.wait_procs(processes, timeout=5)
        assert alive(processes) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_cockpit_itself_is_killed(how: signal.Signals, temporary_folder: Path) -> None:
    program = """
        import asyncio, json, os
        from cockpit.rehearsal.process.launcher import Rehearsal
        async def main():
            async with Rehearsal() as rehearsal:
                print(json.dumps([rehearsal.pid, str(rehearsal.folder), rehearsal.vars["url"]]), flush=True)
                await asyncio.sleep(60)
        asyncio.run(main())
    """
    environment = os.environ | {"TMPDIR": str(temporary_folder)}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as cockpit:
        assert cockpit.stdout is not None
        pid, folder, url = json.loads(cockpit.stdout.readline())
        processes = family(pid)
        cockpit.send_signal(how)
    psutil.wait_procs(processes, timeout=8)
    assert alive(processes) == []
    assert not Path(folder).exists()
    assert not listens(url)


async def test_a_terminated_world_ends_by_itself() -> None:
    async with Rehearsal() as rehearsal:
        processes = family(rehearsal.pid or 0)
        os.kill(rehearsal.pid or 0, signal.SIGTERM)
        psutil.wait_procs(processes[1:], timeout=8)
        assert alive(processes[1:]) == []


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
