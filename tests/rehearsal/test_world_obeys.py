"""One rehearsed world, obeying: what it serves, what breaks in it, and how a release takes over."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psycopg
import pytest
import pytest_asyncio
from support.cockpit_process import cockpit
from support.waiting import LAST_RESORT_S, turns

from cockpit.commands.plan_loading import known_vars, load
from cockpit.commands.rehearsal_run import allow_in
from cockpit.commands.simulated_plans import shipped
from cockpit.engine.trusted_plans import TRUSTED_PLANS
from cockpit.rehearsal.process.launcher import Rehearsal, WorldError
from cockpit.rehearsal.script.fault_catalogue import CATALOGUE, UnknownFault

pytestmark = [pytest.mark.world, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rehearsal]:
    """One world for all who leave it as they found it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("shared")))
        async with Rehearsal(rate=0.3) as started:
            started.clock.set_speed(60)
            yield started


async def serving(rehearsal: Rehearsal) -> None:
    """Wait until both tasks are healthy, whatever was broken before."""
    async with asyncio.timeout(LAST_RESORT_S):
        while [state for _, state in (await rehearsal.report())["tasks"]] != ["HEALTHY"] * 2:
            await turns()


async def test_the_world_comes_up_whole_and_serves_its_users(rehearsal: Rehearsal) -> None:
    async with httpx.AsyncClient(base_url=rehearsal.vars["url"], trust_env=False) as browser:
        health = (await browser.get("/api/health")).json()
        providers = (await browser.get("/api/auth/providers")).json()
    assert health["status"] == "ok"
    assert health["version"]
    assert providers["google"]["callbackUrl"] == rehearsal.vars["url"] + "/api/auth/callback/google"
    with psycopg.connect(rehearsal.environment["DATABASE_URL"]) as cockpit:
        assert cockpit.execute('SELECT count(*) FROM "SkillCategory"').fetchone() == (12,)
    async with asyncio.timeout(LAST_RESORT_S):
        while (report := await rehearsal.report())["requests"] <= 40:  # the world offers no event
            await turns()
    assert report["errors"] == 0
    assert [state for _, state in report["tasks"]] == ["HEALTHY", "HEALTHY"]


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
    await rehearsal.set_fault("llm.down", active=False)
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
    await serving(rehearsal)
    async with httpx.AsyncClient(trust_env=False) as browser:
        for denied in (False, True):
            await rehearsal.set_fault("s3.denied", active=denied)
            answer = await browser.post(url, content=b"%PDF")
            assert answer.status_code == 201
            with psycopg.connect(rehearsal.environment["DATABASE_URL"]) as cockpit:
                in_database.append(cockpit.execute(query, (answer.json()["document"]["id"],)).fetchone())
    await rehearsal.set_fault("s3.denied", active=False)
    assert in_database == [(False,), (True,)]


async def test_the_migration_it_starts_reaches_its_own_database_and_what_the_user_has_allowed_stays_as_it_is(
    rehearsal: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv(TRUSTED_PLANS, "")
    for name, value in rehearsal.environment.items():
        monkeypatch.setenv(name, value)
    plan = shipped("checklists/transparent-trust.yaml")
    given = known_vars(plan, rehearsal.vars)
    words = ["migrate", "status", plan, *(word for pair in given.items() for word in ("--var", "=".join(pair)))]
    refused = cockpit(*words, **rehearsal.environment)
    assert (refused.returncode, "cockpit trust" in refused.stderr) == (1, True)
    allow_in(rehearsal, load(plan, overrides=given))
    done = cockpit(*words, **rehearsal.environment)
    assert done.returncode == 0, done.stderr
    assert os.environ[TRUSTED_PLANS].startswith(str(rehearsal.folder))
    assert not list(tmp_path.rglob("trusted.json"))


async def test_a_release_takes_over_task_by_task(rehearsal: Rehearsal) -> None:
    await rehearsal.deploy("good")
    async with asyncio.timeout(LAST_RESORT_S):
        while (await rehearsal.report())["tasks"] != [[2, "HEALTHY"], [2, "HEALTHY"]]:
            await turns()
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert (await browser.get(f"{rehearsal.vars['url']}/api/health")).json()["revision"] == 2


async def test_a_command_the_world_cannot_obey_is_an_error_with_its_reason(rehearsal: Rehearsal) -> None:
    with pytest.raises(WorldError, match="there is no release of kind 'splendid'"):
        await rehearsal.deploy("splendid")
