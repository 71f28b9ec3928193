"""The journal's head is timestamped in the background: an authority that is down, wrong or silent delays nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from support.http_server import Site, serving, site
from support.plans.signing_plan import signing_plan
from support.timestamp_authority import TimestampAuthority, timestamp_server
from support.transparency_log import TransparencyLog, log_server
from support.waiting import until

from cockpit.engine.clock import SessionClock
from cockpit.engine.recording import Recording, recording
from cockpit.engine.timestamping import Timestamper, by_authority, timestamping
from cockpit.journal.timestamps import KIND, read_roots
from cockpit.journal.transparency_log import KIND as LOGGED
from cockpit.journal.transparency_log import LogKey
from cockpit.journal.verify import verify_record
from cockpit.plan.model import Witness
from probes.clients.http import HttpClient

__all__ = ["site"]


def stamps(kept: Recording) -> int:
    return sum(line.entry.body.get("kind") == KIND for _, line in kept.folder.lines())


def logged(kept: Recording) -> int:
    return sum(line.entry.body.get("kind") == LOGGED for _, line in kept.folder.lines())


async def test_heads_are_timestamped_and_kept(tmp_path: Path) -> None:
    plan, clock, authority = signing_plan(tmp_path), SessionClock(), TimestampAuthority(tmp_path / "tsa")
    notices: list[Callable[[], str]] = []
    async with timestamp_server(authority) as url, recording(plan, clock, root=tmp_path / "records") as kept:
        async with timestamping(kept, url, notices):
            await until(lambda: stamps(kept) == 1)
        assert [notice() for notice in notices] == [""]
        folder = kept.folder.path
    row = verify_record(folder, roots=read_roots(authority.ca)).row("time")
    assert not row.broken
    assert "after the last timestamp" in " ".join(row.unproven)


async def test_a_head_is_timestamped_once(tmp_path: Path) -> None:
    plan, clock, authority = signing_plan(tmp_path), SessionClock(), TimestampAuthority(tmp_path / "tsa")
    http = HttpClient()
    async with timestamp_server(authority) as url, recording(plan, clock, root=tmp_path / "records") as kept:
        stamper = Timestamper(kept, by_authority(http, url))
        await stamper.once()
        await stamper.once()
        assert authority.asked == 1
        await asyncio.to_thread(kept.anchor, "slack")
        await stamper.once()
        assert authority.asked == 2
        await http.close()


@pytest.mark.parametrize("status", [200, 503])
async def test_what_is_no_timestamp_is_said_and_not_kept(tmp_path: Path, site: Site, status: int) -> None:
    site.page("/tsr", status, "no timestamp")
    http = HttpClient()
    async with recording(signing_plan(tmp_path), SessionClock(), root=tmp_path / "records") as kept:
        stamper = Timestamper(kept, by_authority(http, f"{site.url}/tsr"))
        await stamper.once()
        assert "not being timestamped: 127.0.0.1" in stamper.trouble
        assert stamps(kept) == 0
        await http.close()
        folder = kept.folder.path
    assert not verify_record(folder).broken


async def test_an_authority_that_never_answers_delays_no_entry_and_no_quitting(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1)
        asked.set()
        await asyncio.Event().wait()

    async with (
        serving(silent) as port,
        recording(signing_plan(tmp_path), SessionClock(), root=tmp_path / "records") as kept,
    ):
        notices: list[Callable[[], str]] = []
        async with timestamping(kept, f"http://127.0.0.1:{port}/", notices):
            await asked.wait()
            line = await asyncio.to_thread(kept.anchor, "slack")
            assert line == kept.journal.head
        assert [notice() for notice in notices] == [""], "it did not wait until the request gave up: that would be said"
        assert stamps(kept) == 0


async def test_heads_are_put_in_a_transparency_log_and_proven_by_it(tmp_path: Path) -> None:
    plan, clock, public = signing_plan(tmp_path), SessionClock(), TransparencyLog()
    notices: list[Callable[[], str]] = []
    async with log_server(public) as url, recording(plan, clock, root=tmp_path / "records") as kept:
        async with timestamping(kept, "", notices, Witness(url, public.pem)):
            await until(lambda: logged(kept) == 1)
        assert [notice() for notice in notices] == [""]
        folder = kept.folder.path
    row = verify_record(folder, log_keys=[LogKey.read(public.pem)]).row("time")
    assert not row.broken
    assert "after the last timestamp" in " ".join(row.unproven)
    assert verify_record(folder, log_keys=[LogKey.read(TransparencyLog().pem)]).row("time").broken


async def test_an_answer_of_another_log_is_said_and_not_kept(tmp_path: Path) -> None:
    notices: list[Callable[[], str]] = []
    async with (
        log_server(TransparencyLog()) as url,
        recording(signing_plan(tmp_path), SessionClock(), root=tmp_path / "records") as kept,
        timestamping(kept, "", notices, Witness(url, TransparencyLog().pem)),
    ):
        await until(lambda: "not being put in the transparency log" in notices[0]())
        assert "another log than the plan names" in notices[0]()
        assert logged(kept) == 0
