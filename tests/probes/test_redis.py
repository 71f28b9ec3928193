"""One PING: what comes back, and that the token never does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from support.http_server import Site, site, small_site
from support.silent_wire import wire_to

from probes.clients.clients import AwsOptions, Clients
from probes.databases.redis_upstash import RedisUpstash, RedisUpstashParams
from probes.reading import Reading, Reason

__all__ = ["site"]

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
TOKEN = "AXaSACQgNTk3ZjM0hunter2"
VARIABLE = "UPSTASH_REDIS_REST_TOKEN"


@pytest.fixture
async def clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clients]:
    monkeypatch.setenv(VARIABLE, TOKEN + "\n")
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


async def read(clients: Clients, url: str, **params: Any) -> Reading:
    reading = await RedisUpstash(RedisUpstashParams.model_validate({"url": url} | params), clients).read(NOW)
    assert "hunter2" not in repr(reading)
    return reading


async def test_pong(clients: Clients, site: Site) -> None:
    site.page("/ping", 200, '{"result":"PONG"}')
    reading = await read(clients, f"{site.url}/")
    assert (reading.values["answered"], reading.values["token_accepted"]) == (True, True)
    assert isinstance(reading.values["latency_ms"], float)
    assert 0 < reading.values["latency_ms"] < 5000
    assert f"Authorization: Bearer {TOKEN}\r\n" in site.asked[0]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_token_that_is_refused(clients: Clients, site: Site, status: int) -> None:
    site.page("/ping", status, f'{{"error":"WRONGPASS invalid token {TOKEN}"}}')
    reading = await read(clients, site.url)
    assert (reading.values["answered"], reading.values["token_accepted"]) == (False, False)
    assert "WRONGPASS" in reading.evidence.lines[0]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "oops"),
        (400, '{"error":"ERR max daily request limit exceeded"}'),
        (200, '{"result":"pong?"}'),
        (200, "<title>Sign in"),
        (200, "[1]"),
        (302, ""),
    ],
)
async def test_an_answer_that_is_not_pong(clients: Clients, site: Site, status: int, body: str) -> None:
    site.page("/ping", status, body)
    reading = await read(clients, site.url)
    assert reading.values["answered"] is False
    assert reading.unknown["token_accepted"].reason is Reason.NO_DATA
    assert "latency_ms" in reading.values


async def test_too_many_requests_is_throttled(clients: Clients, site: Site) -> None:
    site.page("/ping", 429, "slow down")
    reading = await read(clients, site.url)
    assert not reading.values
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.THROTTLED}


async def test_without_the_token_nothing_is_asked(
    clients: Clients, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    reading = await read(clients, site.url)
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.NOT_FOUND}
    assert VARIABLE in reading.unknown["answered"].detail
    assert not site.asked


@pytest.mark.parametrize("broken", ["hunter2\nX-Evil: 1", "hunter2 with spaces", "hunter2é"])
async def test_what_is_no_token_is_not_sent(
    clients: Clients, site: Site, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setenv("OTHER", broken)
    reading = await read(clients, site.url, token_env="OTHER")
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.ERROR}
    assert not site.asked


async def test_nobody_there_is_unreachable(clients: Clients) -> None:
    async with small_site() as gone:
        url = gone.url
    reading = await read(clients, url)
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.UNREACHABLE}


async def test_a_black_hole_is_a_timeout(clients: Clients) -> None:
    async with wire_to() as hole:
        reading = await read(clients, f"http://127.0.0.1:{hole.port}", timeout="0.3s")
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.TIMEOUT}


@pytest.mark.parametrize("wrong", [{"url": "host"}, {"token_env": "A B"}, {"token": "x"}])
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RedisUpstashParams.model_validate({"url": "https://host"} | wrong)
