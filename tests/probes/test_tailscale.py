"""Tailscale's own words, from a program that says them; and what must not be reached from here."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support.http_server import Authority, Site, serving, small_site
from support.silent_wire import wire_to

from probes.clients.clients import AwsOptions, Clients
from probes.local.tailscale import TailscaleParams, TailscaleStatus
from probes.reading import Reading, Reason

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
UP = {
    "Version": "1.90.4",
    "BackendState": "Running",
    "Self": {"HostName": "laptop", "DNSName": "laptop.tail1234.ts.net.", "Online": True},
    "Health": [],
    "Peer": {"nodekey:a": {"Online": True}, "nodekey:b": {"Online": False}, "nodekey:c": {"Online": True}},
}
STATUS = {"running", "backend_state", "online", "peers_online", "dns_name"}
Says = Callable[..., str]


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


@pytest.fixture
def says(tmp_path: Path) -> Says:
    """A program in Tailscale's place."""

    def make(held: Any = "", *, err: str = "", code: int = 0, before: str = "") -> str:
        out = held if isinstance(held, str) else json.dumps(held)
        (tmp_path / "out").write_text(out)
        (tmp_path / "err").write_text(err)
        program = tmp_path / "tailscale"
        program.write_text(
            f'#!/bin/sh\n{before}\n[ "$*" = "status --json" ] || exit 9\n'
            f'cat "{tmp_path}/out"\ncat "{tmp_path}/err" >&2\nexit {code}\n'
        )
        program.chmod(0o700)
        return str(program)

    return make


async def read(clients: Clients, program: str, **params: Any) -> Reading:
    given = {"program": program} | params
    return await TailscaleStatus(TailscaleParams.model_validate(given), clients).read(NOW)


async def test_up(clients: Clients, says: Says) -> None:
    reading = await read(clients, says(UP))
    assert reading.values == {
        "running": True,
        "backend_state": "Running",
        "online": True,
        "peers_online": 2,
        "dns_name": "laptop.tail1234.ts.net",
    }
    assert "must_not_reach" in reading.unknown["reached"].detail


async def test_alone_on_the_tailnet(clients: Clients, says: Says) -> None:
    assert (await read(clients, says(UP | {"Peer": None}))).values["peers_online"] == 0


async def test_up_and_not_seen_by_the_coordination_server(clients: Clients, says: Says) -> None:
    held = UP | {"Self": {"Online": False}, "Health": ["not in map poll"]}
    reading = await read(clients, says(held))
    assert (reading.values["running"], reading.values["online"]) == (True, False)
    assert reading.unknown["dns_name"].reason is Reason.NO_DATA
    assert reading.evidence.lines == ("not in map poll",)


@pytest.mark.parametrize("state", ["Stopped", "NeedsLogin", "Starting"])
async def test_not_up(clients: Clients, says: Says, state: str) -> None:
    reading = await read(clients, says({"BackendState": state, "Self": {"Online": True}, "Peer": {}}))
    assert reading.values == {"running": False, "backend_state": state}
    assert state in reading.unknown["peers_online"].detail


async def test_a_daemon_that_does_not_run_is_an_answer(clients: Clients, says: Says) -> None:
    program = says(err="failed to connect to local tailscaled; it doesn't appear to be running", code=1)
    reading = await read(clients, program)
    assert reading.values == {"running": False}
    assert reading.unknown["backend_state"].reason is Reason.NO_DATA
    assert "local tailscaled" in reading.evidence.lines[0]


@pytest.mark.parametrize(
    ("out", "err", "code"), [("", "flag provided but not defined", 2), ("[]", "", 0), ("{}", "", 0)]
)
async def test_other_words_are_not_known(clients: Clients, says: Says, out: str, err: str, code: int) -> None:
    reading = await read(clients, says(out, err=err, code=code))
    assert not reading.values
    assert {reading.unknown[name].reason for name in STATUS} == {Reason.ERROR}
    assert err in reading.unknown["running"].detail


async def test_a_missing_program_is_not_known_and_says_what_to_do(clients: Clients, tmp_path: Path) -> None:
    reading = await read(clients, str(tmp_path / "nothing"))
    assert {reading.unknown[name].reason for name in STATUS} == {Reason.NOT_FOUND}
    assert "install" in reading.unknown["running"].hint


async def test_a_program_that_may_not_be_run(clients: Clients, tmp_path: Path) -> None:
    (tmp_path / "tailscale").write_text("x")
    reading = await read(clients, str(tmp_path / "tailscale"))
    assert reading.unknown["running"].reason is Reason.ACCESS_DENIED


async def test_a_program_that_hangs_is_ended(clients: Clients, says: Says, tmp_path: Path) -> None:
    program = says(UP, before=f'echo $$ > "{tmp_path}/pid"; exec sleep 3600')
    for seconds in (0.5, 2, 8, 32):  # until it had the time to begin
        reading = await read(clients, program, timeout=f"{seconds}s")
        assert {reading.unknown[name].reason for name in STATUS} == {Reason.TIMEOUT}
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            break
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


# -- what must not be reached ------------------------------------------------------------------------------------------


async def test_what_answers_is_reached(clients: Clients, says: Says) -> None:
    async with small_site() as site:
        reading = await read(clients, says(UP), must_not_reach=f"{site.url}/health")
    assert reading.values["reached"] is True


async def test_what_refuses_or_is_silent_is_not_reached(clients: Clients, says: Says) -> None:
    async with small_site() as gone:
        url = gone.url
    assert (await read(clients, says(UP), must_not_reach=url)).values["reached"] is False
    async with wire_to() as hole:
        reading = await read(clients, says(UP), must_not_reach=f"http://127.0.0.1:{hole.port}", timeout="1s")
    assert reading.values["reached"] is False


async def test_without_the_tailnet_not_reaching_proves_nothing(clients: Clients, says: Says) -> None:
    async with small_site() as gone:
        url = gone.url
    reading = await read(clients, says({"BackendState": "Stopped"}), must_not_reach=url)
    assert reading.unknown["reached"].reason is Reason.NO_DATA


async def test_a_name_that_does_not_resolve_proves_nothing(clients: Clients, says: Says) -> None:
    reading = await read(clients, says(UP), must_not_reach="https://no-such-host.invalid/")
    assert reading.unknown["reached"].reason is Reason.UNREACHABLE


async def test_a_bad_certificate_does_not_count_as_out_of_reach(clients: Clients, says: Says, tmp_path: Path) -> None:
    async with serving(Site().answer, Authority(tmp_path).server()) as port:
        reading = await read(clients, says(UP), must_not_reach=f"https://127.0.0.1:{port}/")
    assert reading.unknown["reached"].reason is Reason.ERROR


@pytest.mark.parametrize("wrong", [{"program": ""}, {"must_not_reach": "host"}, {"args": ["up"]}])
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TailscaleParams.model_validate(wrong)
