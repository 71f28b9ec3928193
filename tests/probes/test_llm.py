"""The vendor's list of models: what each answer means for the key, the model and the quota."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from support.aws.wire import AnsweringAws, refusal, wire
from support.http_server import Site, site, small_site
from support.silent_wire import wire_to

from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Reason
from probes.web.llm import LlmModels, LlmModelsParams

__all__ = ["site"]

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
KEY = "key-of-ours-hunter2"
MODELS = ["claude-opus-4-1-20250805", "claude-sonnet-4-5-20250929", "claude-haiku-4-5"]


@pytest.fixture
async def clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clients]:
    monkeypatch.setenv("LLM_KEY", KEY)
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


def listed(*names: str, more: bool = False) -> str:
    data = [{"type": "model", "id": name, "display_name": name} for name in names or MODELS]
    return json.dumps({"data": data, "has_more": more, "first_id": data[0]["id"], "last_id": data[-1]["id"]})


async def read(clients: Clients, url: str, **params: Any) -> Reading:
    given = {"url": url} | ({} if "secret" in params else {"env": "LLM_KEY"}) | params
    reading = await LlmModels(LlmModelsParams.model_validate(given), clients).read(NOW)
    assert "hunter2" not in repr(reading)
    return reading


def error(kind: str, message: str = "x") -> str:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}})


async def test_a_good_key_and_a_model_that_is_there(clients: Clients, site: Site) -> None:
    site.page("/v1/models", 200, listed(), request_id="req_011")
    reading = await read(clients, site.url, model="claude-sonnet-4-5")
    values = dict(reading.values)
    assert 0 < values.pop("latency_ms") < 5000  # type: ignore[operator]
    assert values == {"answers": True, "key_accepted": True, "throttled": False, "model_listed": True, "models": 3}
    assert f"x-api-key: {KEY}\r\n" in site.asked[0]
    assert "anthropic-version: 2023-06-01" in site.asked[0]
    assert reading.evidence.request_id == "req_011"
    assert reading.evidence.query == f"GET {site.url}/v1/models (key from $LLM_KEY)"


@pytest.mark.parametrize(
    ("model", "there"),
    [
        ("claude-sonnet-4-5-20250929", True),
        ("claude-haiku-4-5", True),
        ("claude-sonnet-4", False),
        ("claude-sonnet", False),
        ("gpt-5", False),
    ],
)
async def test_a_model_is_there_with_or_without_its_date(clients: Clients, site: Site, model: str, there: bool) -> None:
    site.page("/v1/models", 200, listed())
    assert (await read(clients, site.url, model=model)).values["model_listed"] is there


async def test_a_list_that_goes_on_does_not_say_what_is_missing(clients: Clients, site: Site) -> None:
    site.page("/v1/models", 200, listed(more=True))
    assert (await read(clients, site.url, model="claude-haiku-4-5")).values["model_listed"] is True
    reading = await read(clients, site.url, model="gpt-5")
    assert reading.unknown["model_listed"].reason is Reason.PARTIAL


async def test_without_a_model_in_the_plan_none_is_looked_for(clients: Clients, site: Site) -> None:
    site.page("/v1/models", 200, listed())
    reading = await read(clients, site.url, style="openai")
    assert reading.unknown["model_listed"].reason is Reason.NO_DATA
    assert f"Authorization: Bearer {KEY}" in site.asked[0]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_refused(clients: Clients, site: Site, status: int) -> None:
    site.page("/v1/models", status, error("authentication_error", f"invalid x-api-key {KEY}"))
    reading = await read(clients, site.url, model="claude-haiku-4-5")
    assert (reading.values["answers"], reading.values["key_accepted"]) == (False, False)
    assert reading.unknown["model_listed"].reason is Reason.ERROR
    assert "authentication_error" in reading.evidence.lines[1]


async def test_too_many_requests_or_no_quota(clients: Clients, site: Site) -> None:
    site.page("/v1/models", 429, error("rate_limit_error"), retry_after="7")
    reading = await read(clients, site.url, model="claude-haiku-4-5")
    assert (reading.values["answers"], reading.values["throttled"]) == (False, True)
    for name in ("key_accepted", "model_listed", "models"):
        assert reading.unknown[name].reason is Reason.THROTTLED
    assert reading.evidence.lines[-1] == "retry-after: 7"


@pytest.mark.parametrize("status", [500, 529])
async def test_an_outage_says_nothing_of_the_key(clients: Clients, site: Site, status: int) -> None:
    site.page("/v1/models", status, error("overloaded_error"))
    reading = await read(clients, site.url)
    assert (reading.values["answers"], reading.values["throttled"]) == (False, False)
    assert reading.unknown["key_accepted"].reason is Reason.ERROR
    assert str(status) in reading.unknown["models"].detail


@pytest.mark.parametrize("body", ["<title>Sign in", "[]", '{"data": 1}', '{"data": [{}]}'])
async def test_a_page_that_is_no_list_is_not_known(clients: Clients, site: Site, body: str) -> None:
    site.page("/v1/models", 200, body)
    reading = await read(clients, site.url, model="x")
    for name in ("answers", "key_accepted", "model_listed", "models"):
        assert reading.unknown[name].reason is Reason.ERROR, name


async def test_a_wrong_address_is_not_found(clients: Clients, site: Site) -> None:
    reading = await read(clients, site.url)
    assert not reading.values
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.NOT_FOUND}


async def test_no_key_in_the_environment(clients: Clients, site: Site) -> None:
    reading = await read(clients, site.url, env="NO_SUCH_KEY")
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.NOT_FOUND}
    assert not site.asked


async def test_nobody_there_is_unreachable_and_a_black_hole_a_timeout(clients: Clients) -> None:
    async with small_site() as gone:
        url = gone.url
    assert {u.reason for u in (await read(clients, url)).unknown.values()} == {Reason.UNREACHABLE}
    async with wire_to() as hole:
        reading = await read(clients, f"http://127.0.0.1:{hole.port}", timeout="0.3s")
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.TIMEOUT}


# -- a key in Secrets Manager ------------------------------------------------------------------------------------------


@pytest.fixture
async def aws() -> AsyncIterator[AnsweringAws]:
    answering = AnsweringAws()
    yield answering
    await answering.clients.close()


@pytest.mark.parametrize(("held", "json_key"), [(KEY + "\n", ""), (json.dumps({"api_key": KEY}), "api_key")])
async def test_a_key_from_secrets_manager(aws: AnsweringAws, site: Site, held: str, json_key: str) -> None:
    site.page("/v1/models", 200, listed())
    aws.on["GetSecretValue"] = wire({"Name": "s", "SecretString": held})
    reading = await read(aws.clients, site.url, secret="app/anthropic-api-key", json_key=json_key)
    assert reading.values["key_accepted"] is True
    assert f"x-api-key: {KEY}\r\n" in site.asked[0]
    assert "key from secret app/anthropic-api-key" in reading.evidence.query


@pytest.mark.parametrize(
    ("said", "json_key", "reason"),
    [
        (refusal("AccessDeniedException", "not authorized"), "", Reason.ACCESS_DENIED),
        (refusal("ResourceNotFoundException"), "", Reason.NOT_FOUND),
        (refusal("ThrottlingException"), "", Reason.THROTTLED),
        (wire({"Name": "s", "SecretBinary": "aHVudGVyMg=="}), "", Reason.NO_DATA),
        (wire({"Name": "s", "SecretString": "  "}), "", Reason.NOT_FOUND),
        (wire({"Name": "s", "SecretString": "hunter2\nand more"}), "", Reason.ERROR),
        (wire({"Name": "s", "SecretString": '{"other": "hunter2"}'}), "api_key", Reason.NOT_FOUND),
        (wire({"Name": "s", "SecretString": "hunter2"}), "api_key", Reason.NOT_FOUND),
    ],
)
async def test_a_secret_that_gives_no_key(
    aws: AnsweringAws, site: Site, said: Any, json_key: str, reason: Reason
) -> None:
    aws.on["GetSecretValue"] = said
    reading = await read(aws.clients, site.url, secret="app/key", json_key=json_key)
    assert {unknown.reason for unknown in reading.unknown.values()} == {reason}
    assert not site.asked


def test_the_permission_is_needed_on_the_secret_only(aws: AnsweringAws) -> None:
    asked = LlmModels(LlmModelsParams(secret="app/key"), aws.clients).resources()
    (arn,) = asked["secretsmanager:GetSecretValue"]
    assert arn == "arn:aws:secretsmanager:us-east-1:123456789012:secret:app/key-*"
    assert LlmModels(LlmModelsParams(env="X"), aws.clients).resources() == {"secretsmanager:GetSecretValue": ()}


@pytest.mark.parametrize(
    "wrong", [{}, {"env": "X", "secret": "y"}, {"env": "X", "json_key": "k"}, {"env": "sk-1"}, {"env": "X", "url": "h"}]
)
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LlmModelsParams.model_validate(wrong)
