"""Status pages of both makes, in the shapes they really have."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from support.http_server import Site, site, small_site
from support.silent_wire import wire_to

from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Reason
from probes.web.status_page import StatusPage, StatusPageParams

__all__ = ["site"]

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


async def read(clients: Clients, url: str, **params: Any) -> Reading:
    return await StatusPage(StatusPageParams.model_validate({"url": url} | params), clients).read(NOW)


def reasons(reading: Reading) -> set[Reason]:
    assert not reading.values
    return {unknown.reason for unknown in reading.unknown.values()}


# -- Statuspage --------------------------------------------------------------------------------------------------------


def summary(
    indicator: str = "none", incidents: tuple[str, ...] = (), outages: Mapping[str, str] | None = None
) -> dict[str, Any]:
    states = {"claude.ai": "operational", "api.anthropic.com": "operational"} | dict(outages or {})
    return {
        "page": {
            "id": "x",
            "name": "Anthropic",
            "updated_at": (NOW - timedelta(hours=2)).isoformat(),
            "time_zone": "UTC",
        },
        "components": [{"id": name, "name": name, "status": state, "group": False} for name, state in states.items()],
        "incidents": [{"id": name, "name": name, "status": "investigating", "impact": "major"} for name in incidents],
        "scheduled_maintenances": [],
        "status": {"indicator": indicator, "description": "All Systems Operational"},
    }


async def statuspage(clients: Clients, site: Site, said: Any, *components: str) -> Reading:
    site.page("/api/v2/summary.json", 200, json.dumps(said))
    return await read(clients, f"{site.url}/", components=list(components))


async def test_all_is_well(clients: Clients, site: Site) -> None:
    reading = await statuspage(clients, site, summary(), "api.anthropic.com")
    assert reading.values == {
        "operational": True,
        "indicator": "none",
        "degraded": 0,
        "incidents_open": 0,
        "page_age_s": 7200.0,
    }
    assert reading.unknown["degraded_names"].reason is Reason.NO_DATA


@pytest.mark.parametrize("state", ["degraded_performance", "partial_outage", "major_outage", "under_maintenance"])
async def test_a_component_that_matters_is_degraded(clients: Clients, site: Site, state: str) -> None:
    said = summary("major", ("Elevated errors",), {"api.anthropic.com": state})
    reading = await statuspage(clients, site, said, "API.anthropic.com")
    assert (reading.values["operational"], reading.values["degraded"], reading.values["indicator"]) == (
        False,
        1,
        "major",
    )
    assert reading.values["degraded_names"] == ("api.anthropic.com",)
    assert reading.values["incidents_open"] == 1
    assert reading.evidence.lines == ("open: Elevated errors (investigating, major)",)


async def test_a_component_that_does_not_matter_is_left_out(clients: Clients, site: Site) -> None:
    said = summary("minor", outages={"claude.ai": "partial_outage"})
    values = (await statuspage(clients, site, said, "api.anthropic.com")).values
    assert (values["operational"], values["degraded"], values["indicator"]) == (True, 0, "minor")


async def test_without_names_every_component_and_the_indicator_count(clients: Clients, site: Site) -> None:
    assert (await statuspage(clients, site, summary())).values["operational"] is True
    assert (await statuspage(clients, site, summary("minor"))).values["operational"] is False
    worse = summary(outages={"claude.ai": "partial_outage"})
    assert (await statuspage(clients, site, worse)).values["degraded_names"] == ("claude.ai",)


async def test_a_component_the_page_does_not_know_is_not_well(clients: Clients, site: Site) -> None:
    reading = await statuspage(clients, site, summary(), "api", "claude.ai")
    for name in ("operational", "degraded", "degraded_names"):
        assert reading.unknown[name].reason is Reason.NOT_FOUND
    assert reading.values["incidents_open"] == 0


async def test_a_resolved_incident_is_not_open(clients: Clients, site: Site) -> None:
    said = summary(incidents=("One", "Two"))
    said["incidents"][0]["status"] = "resolved"
    assert (await statuspage(clients, site, said)).values["incidents_open"] == 1


@pytest.mark.parametrize(
    ("updated", "reason"), [(None, Reason.NO_DATA), ("yesterday", Reason.NO_DATA), ("2027-01-01T00:00Z", Reason.ERROR)]
)
async def test_a_page_without_a_good_date_has_no_age(
    clients: Clients, site: Site, updated: Any, reason: Reason
) -> None:
    said = summary()
    said["page"]["updated_at"] = updated
    reading = await statuspage(clients, site, said)
    assert reading.unknown["page_age_s"].reason is reason
    assert reading.values["operational"] is True


async def test_a_page_that_has_moved_is_followed(clients: Clients, site: Site) -> None:
    site.page("/new", 200, json.dumps(summary()))
    site.page("/api/v2/summary.json", 302, Location="/new")
    assert (await read(clients, site.url)).values["operational"] is True


# -- Google ------------------------------------------------------------------------------------------------------------


def incident(product: str, *, ended: bool, impact: str = "SERVICE_DISRUPTION") -> dict[str, Any]:
    begin = NOW - timedelta(hours=3)
    held: dict[str, Any] = {
        "id": "m4sTyNkR9ADiCDASGyNQ",
        "begin": begin.isoformat(),
        "modified": (begin + timedelta(hours=1)).isoformat(),
        "external_desc": "**Title**\nUsers cannot sign in",
        "status_impact": impact,
        "service_name": product,
        "affected_products": [{"title": product, "id": "p"}],
    }
    return held | ({"end": (begin + timedelta(hours=1)).isoformat()} if ended else {})


async def google(clients: Clients, site: Site, said: Any, *components: str) -> Reading:
    site.page("/incidents.json", 200, json.dumps(said))
    return await read(clients, site.url, kind="google", components=list(components))


async def test_google_without_open_incidents(clients: Clients, site: Site) -> None:
    reading = await google(clients, site, [incident("Gmail", ended=True)], "Gmail")
    assert reading.values == {
        "operational": True,
        "indicator": "none",
        "degraded": 0,
        "incidents_open": 0,
        "page_age_s": 7200.0,
    }


async def test_an_open_incident_of_a_product_that_matters(clients: Clients, site: Site) -> None:
    said = [
        incident("Gmail", ended=False),
        incident("Gmail", ended=True),
        incident("Google Cloud Identity", ended=False, impact="SERVICE_OUTAGE"),
        incident("Gmail", ended=False, impact="SERVICE_INFORMATION"),
    ]
    reading = await google(clients, site, said, "gmail")
    assert (reading.values["operational"], reading.values["incidents_open"]) == (False, 2)
    assert (reading.values["degraded"], reading.values["degraded_names"]) == (1, ("Gmail",))
    assert reading.values["indicator"] == "service_disruption"
    everything = await google(clients, site, said)
    assert (everything.values["incidents_open"], everything.values["indicator"]) == (3, "service_outage")
    assert "Users cannot sign in" in everything.evidence.lines[0]


async def test_an_open_incident_of_another_product_is_left_out(clients: Clients, site: Site) -> None:
    said = [incident("Google Meet", ended=False), incident("Gmail", ended=True)]
    values = (await google(clients, site, said, "Gmail")).values
    assert (values["operational"], values["incidents_open"], values["indicator"]) == (True, 0, "none")


async def test_a_product_google_never_named_is_not_well(clients: Clients, site: Site) -> None:
    reading = await google(clients, site, [incident("Gmail", ended=True)], "Gmial")
    assert reading.unknown["operational"].reason is Reason.NOT_FOUND


async def test_a_list_longer_than_a_page_is_read_to_its_end(clients: Clients, site: Site) -> None:
    said = [incident("Gmail", ended=True) | {"updates": "x" * 2000} for _ in range(200)]
    said.append(incident("Gmail", ended=False))
    assert (await google(clients, site, said, "Gmail")).values["operational"] is False


# -- not knowing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, "<title>Status", Reason.ERROR),
        (200, "[]", Reason.ERROR),
        (200, "{}", Reason.ERROR),
        (200, '{"status": 1, "components": 2, "incidents": 3}', Reason.ERROR),
        (404, "", Reason.NOT_FOUND),
        (429, "", Reason.THROTTLED),
        (503, "", Reason.ERROR),
    ],
)
async def test_an_answer_that_is_no_status_page(
    clients: Clients, site: Site, status: int, body: str, reason: Reason
) -> None:
    site.page("/api/v2/summary.json", status, body)
    assert reasons(await read(clients, site.url)) == {reason}


@pytest.mark.parametrize("body", ["{}", "[1]", '[{"begin": "x"}]', '[{"affected_products": [{}]}]'])
async def test_an_answer_that_is_no_list_of_googles(clients: Clients, site: Site, body: str) -> None:
    site.page("/incidents.json", 200, body)
    assert reasons(await read(clients, site.url, kind="google")) == {Reason.ERROR}


async def test_an_empty_list_says_nothing(clients: Clients, site: Site) -> None:
    assert reasons(await google(clients, site, [])) == {Reason.NO_DATA}


async def test_nobody_there_is_unreachable_and_a_black_hole_a_timeout(clients: Clients) -> None:
    async with small_site() as gone:
        url = gone.url
    assert reasons(await read(clients, url)) == {Reason.UNREACHABLE}
    async with wire_to() as hole:
        assert reasons(await read(clients, f"http://127.0.0.1:{hole.port}", timeout="0.3s")) == {Reason.TIMEOUT}


@pytest.mark.parametrize("wrong", [{"url": "host"}, {"kind": "rss"}, {"components": "api"}])
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StatusPageParams.model_validate({"url": "https://host"} | wrong)
