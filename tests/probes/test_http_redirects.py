"""What a redirect to another origin carries: nothing the plan gave."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support.http_server import Site, site, small_site

from probes.clients.http import HttpClient

__all__ = ["site"]

GIVEN = {"Authorization": "Bearer t0p", "X-Api-Key": "k3y", "Cookie": "session=c00kie", "X-Trace": "plain-word"}
VALUES = ("t0p", "k3y", "c00kie", "plain-word")


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


def carried(head: str) -> list[str]:
    return [value for value in VALUES if value in head]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_header_of_the_plan_goes_on_to_another_origin(http: HttpClient, site: Site, status: int) -> None:
    async with small_site() as other:
        site.page("/", status, Location=f"{other.url}/in")
        other.page("/in", 200, "there")
        answer = await http.exchange("GET", f"{site.url}/", headers=GIVEN, follow_redirects=True)
        assert (answer.text, answer.redirects) == ("there", (f"{site.url}/",))
        assert carried(site.asked[0]) == list(VALUES)
        assert [carried(head) for head in other.asked] == [[]]


async def test_nor_back_from_there(http: HttpClient, site: Site) -> None:
    async with small_site() as other:
        site.page("/", 302, Location=f"{other.url}/in")
        other.page("/in", 302, Location=f"{site.url}/back")
        site.page("/back", 200, "back")
        await http.exchange("GET", f"{site.url}/", headers=GIVEN, follow_redirects=True)
        assert [carried(head) for head in site.asked] == [list(VALUES), []]


async def test_within_the_origin_they_go_along(http: HttpClient, site: Site) -> None:
    site.page("/", 302, Location="/in")
    site.page("/in", 200, "there")
    await http.exchange("GET", f"{site.url}/", headers=GIVEN, follow_redirects=True)
    assert [carried(head) for head in site.asked] == [list(VALUES)] * 2


@pytest.mark.parametrize("status", [307, 308])
async def test_nor_does_what_was_posted(http: HttpClient, site: Site, status: int) -> None:
    async with small_site() as other:
        site.page("/", status, Location=f"{other.url}/in")
        other.page("/in", 200, "there")
        await http.exchange("POST", f"{site.url}/", content="12345", follow_redirects=True)
        assert "content-length: 5" in site.asked[0].lower()
        assert [head for head in other.asked if "content-length: 5" in head.lower()] == []
        assert len(other.asked) == 1


async def test_a_user_and_password_of_the_address_stay_with_its_host(http: HttpClient, site: Site) -> None:
    async with small_site() as other:
        site.page("/", 302, Location=f"{other.url}/in")
        other.page("/in", 200, "there")
        await http.exchange("GET", f"{site.url.replace('//', '//me:pass@')}/", follow_redirects=True)
        assert "authorization" in site.asked[0].lower()
        assert "authorization" not in other.asked[0].lower()
