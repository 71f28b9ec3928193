"""Values of a JSON document: picked by pointers, typed, dated; nothing is guessed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from support.aws.modelled import ModelledAws
from support.http_server import Site, site  # noqa: F401 - a fixture

from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Reason
from probes.web.http_json import HttpJson, HttpJsonParams

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
DOCUMENT = {
    "queue": {"depth": 12, "age ms": 4000, "state": "ready", "full": 41.5, "a/b": True},
    "workers": ["one", "two"],
    "at": "2026-11-23T22:29:00+00:00",
    "none": None,
}
FIELDS = {
    "depth": {"pointer": "/queue/depth", "type": "int", "unit": "count", "low": 0},
    "age_s": {"pointer": "/queue/age ms", "type": "float", "unit": "s", "scale": 0.001},
    "state": {"pointer": "/queue/state", "type": "str"},
    "full": {"pointer": "/queue/full", "type": "float", "unit": "ratio", "scale": 0.01, "high": 1},
    "slashed": {"pointer": "/queue/a~1b", "type": "bool"},
    "second": {"pointer": "/workers/1", "type": "str"},
    "workers": {"pointer": "/workers", "type": "list"},
    "made_at": {"pointer": "/at", "type": "time"},
}


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


async def read(clients: Clients, url: str, fields: Any = None, **params: Any) -> Reading:
    given = {"url": url, "fields": fields or FIELDS} | params
    return await HttpJson(HttpJsonParams.model_validate(given), clients).read(NOW)


async def test_values_are_picked_as_the_plan_declares_them(clients: Clients, site: Site) -> None:  # noqa: F811
    site.page("/stats", 200, json.dumps(DOCUMENT))
    values = dict((await read(clients, f"{site.url}/stats")).values)
    assert values.pop("latency_ms")
    assert values == {
        "ok": True,
        "status": 200,
        "depth": 12,
        "age_s": 4.0,
        "state": "ready",
        "full": 0.415,
        "slashed": True,
        "second": "two",
        "workers": ("one", "two"),
        "made_at": NOW - timedelta(minutes=1),
    }


NOT_THERE = (
    ("/queue/missing", "int", Reason.NO_DATA),
    ("/workers/2", "str", Reason.NO_DATA),
    ("/workers/01", "str", Reason.NO_DATA),
    ("/none", "int", Reason.NO_DATA),
    ("/queue/state", "int", Reason.ERROR),
    ("/queue/depth", "bool", Reason.ERROR),
    ("/queue/full", "int", Reason.ERROR),
    ("/queue", "str", Reason.ERROR),
    ("/queue/state", "time", Reason.ERROR),
)


async def test_what_is_not_there_or_is_something_else_is_unknown_by_itself(clients: Clients, site: Site) -> None:  # noqa: F811
    site.page("/stats", 200, json.dumps(DOCUMENT))
    fields = {f"f{at}": {"pointer": pointer, "type": type_} for at, (pointer, type_, _) in enumerate(NOT_THERE)}
    reading = await read(clients, f"{site.url}/stats", fields | {"depth": FIELDS["depth"]})
    assert [reading.unknown[f"f{at}"].reason for at in range(len(NOT_THERE))] == [reason for *_, reason in NOT_THERE]
    assert (reading.values["depth"], reading.values["ok"]) == (12, True)


async def test_a_value_beyond_what_is_declared_is_no_value(clients: Clients, site: Site) -> None:  # noqa: F811
    site.page("/stats", 200, '{"share": 1.2}')
    fields = {"share": {"pointer": "/share", "type": "float", "unit": "ratio", "low": 0, "high": 1}}
    assert (await read(clients, f"{site.url}/stats", fields)).unknown["share"].reason is Reason.ERROR


async def test_an_error_page_proves_nothing(clients: Clients, site: Site) -> None:  # noqa: F811
    for status, body, reason in (
        (503, json.dumps(DOCUMENT), Reason.ERROR),
        (401, "{}", Reason.ACCESS_DENIED),
        (404, "{}", Reason.NOT_FOUND),
        (429, "{}", Reason.THROTTLED),
        (200, "<html>", Reason.ERROR),
    ):
        site.page("/stats", status, body)
        reading = await read(clients, f"{site.url}/stats")
        assert (reading.values["ok"], reading.values["status"]) == (False, status)
        assert reading.unknown["depth"].reason is reason


async def test_a_document_that_says_its_age_is_as_old_as_that(clients: Clients, site: Site) -> None:  # noqa: F811
    site.page("/stats", 200, json.dumps(DOCUMENT))
    reading = await read(clients, f"{site.url}/stats", as_of="/at")
    assert reading.data_at == NOW - timedelta(minutes=1)
    reading = await read(clients, f"{site.url}/stats", as_of="/queue/state")
    assert reading.unknown["depth"].reason is Reason.ERROR


async def test_a_secret_is_sent_and_never_shown(site: Site) -> None:  # noqa: F811
    site.page("/stats", 200, '{"token": "s3cr3t-of-a-robot"}')
    aws = ModelledAws()
    aws.on["GetSecretValue"] = {"SecretString": '{"token": "s3cr3t-of-a-robot"}'}
    fields = {"token": {"pointer": "/token", "type": "str"}}
    reading = await read(aws.clients, f"{site.url}/stats", fields, secret="robots", json_key="token")
    await aws.clients.close()
    assert "Authorization: Bearer s3cr3t-of-a-robot" in site.asked[0]
    assert "s3cr3t" not in repr(reading)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ok": {"pointer": "/x", "type": "int"}}, "itself has the field ok"),
        ({"in": {"pointer": "/x", "type": "int"}}, "word of conditions"),
        ({"Depth": {"pointer": "/x", "type": "int"}}, "pattern"),
        ({"x": {"pointer": "x", "type": "int"}}, "pattern"),
        ({"x": {"pointer": "/x", "type": "str", "unit": "s"}}, "of an int or a float"),
        ({"x": {"pointer": "/x", "type": "int", "low": 2, "high": 1}}, "low is above high"),
        ({}, "at least 1"),
    ],
)
def test_a_field_that_cannot_be_is_refused(fields: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        HttpJsonParams.model_validate({"url": "https://x", "fields": fields})
