"""PromQL: one number, dated where the plan says by what; which of several is meant is never guessed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError
from support.http_server import Site, site  # noqa: F401 - a fixture

from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Reason
from probes.web.prometheus import PrometheusParams, PrometheusQuery

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
T = NOW.timestamp()


def element(value: str = "0.02", **labels: str) -> dict[str, Any]:
    return {"metric": labels, "value": [T, value]}


def vector(*elements: dict[str, Any], kind: str = "vector") -> str:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": list(elements)}})


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions(region="us-east-1", account="123456789012"))
    yield opened
    await opened.close()


async def read(clients: Clients, url: str, **params: Any) -> Reading:
    given = {"url": url, "query": 'rate(x{code=~"5.."}[5m])'} | params
    return await PrometheusQuery(PrometheusParams.model_validate(given), clients).read(NOW)


async def test_one_number(clients: Clients, site: Site) -> None:  # noqa: F811
    site.page("/api/v1/query", 200, vector(element()))
    reading = await read(clients, site.url + "/")
    assert reading.values == {"value": 0.02, "elements": 1}
    asked = parse_qs(urlsplit(site.asked[0].split(" ")[1]).query)
    assert asked == {"query": ['rate(x{code=~"5.."}[5m])'], "time": [f"{T:.3f}"]}


async def test_a_scalar_is_a_number(clients: Clients, site: Site) -> None:  # noqa: F811
    held = {"status": "success", "data": {"resultType": "scalar", "result": [T, "3"]}}
    site.page("/api/v1/query", 200, json.dumps(held))
    assert (await read(clients, site.url)).values["value"] == 3.0


async def test_no_number_is_no_zero_and_one_of_several_is_not_guessed(clients: Clients, site: Site) -> None:  # noqa: F811
    one, two = element("1", job="a"), element("2", job="b")
    cases: tuple[tuple[tuple[dict[str, Any], ...], dict[str, str], float | Reason], ...] = (
        ((), {}, Reason.NO_DATA),
        ((element("NaN"),), {}, Reason.NO_DATA),
        ((element("+Inf"),), {}, Reason.NO_DATA),
        ((one, two), {}, Reason.REFUSED),
        ((one, two), {"job": "b"}, 2.0),
        ((one,), {"job": "b"}, Reason.NO_DATA),
    )
    for elements, labels, expected in cases:
        site.page("/api/v1/query", 200, vector(*elements))
        reading = await read(clients, site.url, labels=labels)
        found = reading.values.get("value") or reading.unknown["value"].reason
        assert (found, reading.values["elements"]) == (expected, len(elements))


async def test_a_window_has_its_lowest_highest_and_average(clients: Clients, site: Site) -> None:  # noqa: F811
    points = [[T - 60, "1"], [T - 30, "NaN"], [T, "3"]]
    site.page("/api/v1/query_range", 200, vector({"metric": {}, "values": points}, kind="matrix"))
    values = (await read(clients, site.url, window="1m")).values
    assert values == {"value": 3.0, "elements": 1, "lowest": 1.0, "highest": 3.0, "average": 2.0, "points": 2}


async def test_a_dated_value_is_as_old_as_its_sample(clients: Clients, site: Site) -> None:  # noqa: F811
    site.page("/api/v1/query", 200, vector({"metric": {}, "value": [T, f"{T - 90:.0f}"]}))
    reading = await read(clients, site.url, dated_by="up")
    assert (reading.data_at, reading.values["age_s"]) == (NOW - timedelta(seconds=90), 90.0)


async def test_a_value_that_nothing_dates_is_none(clients: Clients, site: Site) -> None:  # noqa: F811
    site.page("/api/v1/query", 200, vector())
    reading = await read(clients, site.url, dated_by="up")
    assert reading.unknown["value"].detail == "dated_by has no sample"


async def test_what_is_no_answer_says_why(clients: Clients, site: Site) -> None:  # noqa: F811
    for status, body, reason, words in (
        (400, '{"status":"error","errorType":"bad_data","error":"parse error"}', Reason.REFUSED, "parse error"),
        (422, '{"status":"error","error":"too many samples"}', Reason.REFUSED, "too many samples"),
        (403, "no", Reason.ACCESS_DENIED, "403"),
        (503, "no", Reason.ERROR, "503"),
        (200, "<html>", Reason.ERROR, "else than JSON"),
        (200, '{"data": []}', Reason.ERROR, "else than Prometheus"),
        (200, vector({"metric": {}, "histogram": [T, {}]}), Reason.NO_DATA, "no number"),
    ):
        site.page("/api/v1/query", status, body)
        unknown = (await read(clients, site.url)).unknown["value"]
        assert (unknown.reason, words in unknown.detail) == (reason, True)


async def test_it_is_signed_with_the_credentials_in_use(
    clients: Clients,
    site: Site,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x" * 40)
    site.page("/api/v1/query", 200, vector(element()))
    assert (await read(clients, site.url, sigv4=True)).values["value"] == 0.02
    head = site.asked[0]
    assert "Credential=AKIAEXAMPLE/" in head
    assert "/us-east-1/aps/aws4_request" in head


def test_its_policy_is_of_its_workspace_and_only_where_it_signs(clients: Clients) -> None:
    url = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1a2b"
    needs = [
        PrometheusQuery(PrometheusParams(url=url, query="up", sigv4=sigv4), clients).resources()["aps:QueryMetrics"]
        for sigv4 in (True, False)
    ]
    assert needs == [("arn:aws:aps:eu-west-1:123456789012:workspace/ws-1a2b",), ()]


@pytest.mark.parametrize("params", [{"window": "10s"}, {"step": "0s"}, {"sigv4": True, "secret": "x"}])
def test_parameters_that_contradict_each_other_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PrometheusParams.model_validate({"url": "https://x", "query": "up"} | params)
