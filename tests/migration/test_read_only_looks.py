"""Who only looks at the ledger asks for a session in which nothing can be written, and gets one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest
from support.cockpit_process import cockpit
from support.plans.trusted_plan import allow
from support.silent_wire import Wire, wire_to
from support.waiting import until

from cockpit.engine.tasks import end
from cockpit.migration.controller import Controller
from cockpit.migration.database import connect
from cockpit.migration.progress import Progress
from cockpit.plan.model import Migration
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres

pytest_plugins = ["support.real_server"]


class Kept(Wire):
    """Keeps what went over it."""

    carried = b""

    def change(self, data: bytes) -> bytes:
        self.carried += data
        return data


@pytest.mark.parametrize("read_only", [True, False])
async def test_a_session_that_looks_writes_nothing(read_only: bool, postgres_server: EmbeddedPostgres) -> None:
    connection = await connect(postgres_server.dsn, read_only=read_only)
    try:
        if read_only:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                await connection.execute("CREATE TABLE public.written_by_a_look (n int)")
        else:
            await connection.execute(
                "CREATE TABLE public.written_by_a_look (n int); DROP TABLE public.written_by_a_look"
            )
    finally:
        await connection.close()


async def test_the_terminal_follows_the_ledger_in_such_a_session(postgres_server: EmbeddedPostgres) -> None:
    async with wire_to(postgres_server.port, Kept) as wire:
        assert isinstance(wire, Kept)
        dsn = postgres_server.dsn.replace(f":{postgres_server.port}", f":{wire.port}")
        controller = Controller(Migration(dsn, "bucket", "eu-west-1", ()), "plan.yaml")
        following = asyncio.create_task(controller.run())
        try:
            await until(lambda: b"default_transaction_read_only" in wire.carried, "it looks")
        finally:
            await end((following,))
    assert b"default_transaction_read_only=on" in wire.carried
    assert b"default_transaction_read_only=off" not in wire.carried


async def test_a_ledger_that_answers_nothing_is_not_shown_as_if_it_were_of_now(
    postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cockpit.migration.controller.ANSWERS_WITHIN_S", 0.3)
    monkeypatch.setattr("cockpit.migration.controller.POLL_S", 0.05)
    async with wire_to(postgres_server.port) as wire:
        dsn = postgres_server.dsn.replace(f":{postgres_server.port}", f":{wire.port}")
        controller = Controller(Migration(dsn, "bucket", "eu-west-1", ()), "plan.yaml")
        read: list[Progress] = []
        controller.on_progress.append(read.append)
        following = asyncio.create_task(controller.run())
        try:
            await until(lambda: read)
            wire.silent = True
            await until(lambda: controller.trouble)
            assert controller.trouble == "no answer within 0.3 s"
        finally:
            await end((following,))


async def test_the_dry_run_is_one_too(postgres_server: EmbeddedPostgres, tmp_path: Path) -> None:
    async with wire_to(postgres_server.port, Kept) as wire:
        assert isinstance(wire, Kept)
        plan = tmp_path / "plan.yaml"
        dsn = postgres_server.dsn.replace(f":{postgres_server.port}", f":{wire.port}")
        plan.write_text(
            "plan: v1\nname: moving\nprobes: {me: {uses: aws.identity}}\n"
            f"migration: {{database: '{dsn}', bucket: docs, tables: [{{name: Document}}]}}\n"
        )
        allow(plan)
        done = await asyncio.to_thread(cockpit, "migrate", "plan", str(plan))
    assert "Document" in done.stdout, done.stderr
    assert b"default_transaction_read_only=on" in wire.carried
    assert b"default_transaction_read_only=off" not in wire.carried
