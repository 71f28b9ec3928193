"""A health page: an error is an answer, no answer is unknown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from support.http_server import Site, site, small_site
from support.silent_wire import wire_to

from probes.clients.clients import AwsOptions, Clients
from probes.clients.http import BODY_CAP_BYTES
from probes.reading import Reading, Reason
from probes.web.http_health import HttpHealth, HttpHealthParams

__all__ = ["site"]

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


async def read(clients: Clients, url: str, **params: Any) -> Reading:
    return await HttpHealth(HttpHealthParams.model_validate({"url": url} | params), clients).read(NOW)


async def test_a_good_page(clients: Clients, site: Site) -> None:
    site.page("/health", 200, '{"status":"ok"}')
    reading = await read(clients, f"{site.url}/health", expect_text='"ok"', headers={"X-Probe": "1"})
    assert {name: reading.values[name] for name in ("ok", "status", "body_matches", "redirected", "location")} == {
        "ok": True,
        "status": 200,
        "body_matches": True,
        "redirected": False,
        "location": "",
    }
    assert isinstance(reading.values["latency_ms"], float)
    assert 0 < reading.values["latency_ms"] < 5000
    assert "X-Probe: 1" in site.asked[0]


async def test_a_body_nothing_is_asked_of_is_no_match_and_no_mismatch(clients: Clients, site: Site) -> None:
    site.page("/", 200, "hello")
    reading = await read(clients, f"{site.url}/")
    assert reading.values["ok"] is True
    assert reading.unknown["body_matches"].reason is Reason.NO_DATA


async def test_an_error_page_is_not_ok_and_its_words_are_evidence(clients: Clients, site: Site) -> None:
    site.page("/", 500, "Error: connect postgresql://app:hunter2@db/x\n  at upload")
    reading = await read(clients, f"{site.url}/")
    assert (reading.values["ok"], reading.values["status"]) == (False, 500)
    assert "at upload" in reading.evidence.lines[-1]
    assert "hunter2" not in repr(reading)


async def test_of_an_error_page_in_html_its_words_are_evidence_and_not_its_markup(clients: Clients, site: Site) -> None:
    page = (
        "<!DOCTYPE html><html><head><style>body { color: red }</style><title>502 Bad Gateway</title>"
        "<script>var secret = 1 < 2;</script></head>\n<body><h1>502 Bad Gateway</h1>"
        "<p>upstream postgresql://app:&#104;unter2@db/x</p></body></html>"
    )
    site.page("/", 502, page)
    reading = await read(clients, f"{site.url}/")
    assert reading.evidence.lines[-1] == "502 Bad Gateway 502 Bad Gateway upstream postgresql://app:***@db/x"
    site.page("/", 502, "<html><script>boot()</script>")
    assert (await read(clients, f"{site.url}/")).evidence.lines[-1] == "<html><script>boot()</script>"


async def test_another_status_may_be_the_right_one(clients: Clients, site: Site) -> None:
    assert (await read(clients, f"{site.url}/nothing", expect_status=404)).values["ok"] is True


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ("please sign in", {"expect_text": "build 42"}),
        ("build 42, maintenance", {"expect_text": "build 42", "forbid_text": "maintenance"}),
        ("", {"min_body": 1}),
    ],
)
async def test_the_wrong_body_answered_with_200_is_not_ok(
    clients: Clients, site: Site, body: str, asked: dict[str, Any]
) -> None:
    site.page("/", 200, body)
    reading = await read(clients, f"{site.url}/", **asked)
    assert (reading.values["status"], reading.values["body_matches"], reading.values["ok"]) == (200, False, False)


async def test_a_text_beyond_what_is_read_is_unknown(clients: Clients, site: Site) -> None:
    site.page("/", 200, "x" * (BODY_CAP_BYTES + 1) + "build 42")
    reading = await read(clients, f"{site.url}/", expect_text="build 42")
    assert reading.unknown["body_matches"].reason is Reason.PARTIAL
    assert reading.unknown["ok"].reason is Reason.PARTIAL


async def test_a_wrong_status_is_not_ok_whatever_the_body(clients: Clients, site: Site) -> None:
    site.page("/", 500, "x" * (BODY_CAP_BYTES + 1))
    assert (await read(clients, f"{site.url}/", expect_text="build 42")).values["ok"] is False


async def test_a_redirect_says_where_to_and_hides_its_secrets(clients: Clients, site: Site) -> None:
    target = "https://accounts.google.com/auth?client_id=me&redirect_uri=https%3A%2F%2Fapp&client_secret=hunter2"
    site.page("/signin", 302, Location=target)
    reading = await read(clients, f"{site.url}/signin", expect_status=302)
    assert (reading.values["ok"], reading.values["redirected"]) == (True, True)
    assert "client_id=me&redirect_uri=https%3A%2F%2Fapp" in str(reading.values["location"])
    assert "hunter2" not in repr(reading)


async def test_a_followed_redirect_is_judged_where_it_ends(clients: Clients, site: Site) -> None:
    site.page("/", 301, Location="/login")
    site.page("/login", 200, "welcome")
    reading = await read(clients, f"{site.url}/", follow_redirects=True)
    assert (reading.values["ok"], reading.values["redirected"]) == (True, True)
    assert reading.values["location"] == f"{site.url}/login"


async def test_no_answer_leaves_everything_unknown(clients: Clients) -> None:
    async with small_site() as gone:
        url = gone.url
    reading = await read(clients, url)
    assert not reading.values
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.UNREACHABLE}


async def test_an_answer_that_never_comes_is_a_timeout(clients: Clients) -> None:
    async with wire_to() as hole:
        reading = await read(clients, f"http://127.0.0.1:{hole.port}/", timeout="0.3s")
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.TIMEOUT}


async def test_the_query_of_an_address_is_not_shown(clients: Clients, site: Site) -> None:
    site.page("/health", 200)
    assert "hunter2" not in repr(await read(clients, f"{site.url}/health?token=hunter2"))


@pytest.mark.parametrize(
    "wrong", [{"url": "host/path"}, {"method": "DELETE"}, {"expect_status": 20}, {"expect_text": ""}]
)
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HttpHealthParams.model_validate({"url": "https://host/"} | wrong)
