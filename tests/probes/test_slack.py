"""A webhook: looked at without a word, and spoken to once when somebody agreed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support.aws.wire import AnsweringAws, refusal, wire
from support.http_server import Authority, serving, small_site
from support.silent_wire import wire_to

from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Reason
from probes.web.slack import SlackWebhook, SlackWebhookParams

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
# In pieces, so that nobody's scanner takes it for one that works.
GOOD = "https://hooks.slack.com/" + "services/T024BE7LD/" + "B024BE7LH/" + "hunter2Qw9rTyUiOpAsDfGhJ"


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", GOOD)
    return lambda value: monkeypatch.setenv("SLACK_WEBHOOK_URL", value)


def probe_of(clients: Clients, **params: Any) -> SlackWebhook:
    given = ({} if "secret" in params else {"env": "SLACK_WEBHOOK_URL"}) | params
    return SlackWebhook(SlackWebhookParams.model_validate(given), clients)


async def read(probe: SlackWebhook, now: datetime = NOW) -> Reading:
    reading = await probe.read(now)
    assert "hunter2" not in repr(reading)
    return reading


# -- the form ----------------------------------------------------------------------------------------------------------


async def test_a_good_address_is_looked_at_and_nothing_is_sent(clients: Clients, held: Any) -> None:
    reading = await read(probe_of(clients))
    assert reading.values == {"configured": True, "well_formed": True}
    assert "does not ask to post" in reading.unknown["posted"].detail
    assert reading.unknown["posted_at"].reason is Reason.NO_DATA
    assert reading.evidence.query == "webhook from $SLACK_WEBHOOK_URL"


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        (GOOD.replace("https", "http"), "https"),
        (GOOD.replace("slack.com", "slack.example"), "hooks.slack.com"),
        (GOOD.replace("hooks.slack.com", "hooks.slack.com:444"), "hooks.slack.com"),
        (GOOD.replace("/services/", "/"), "path"),
        (GOOD.rpartition("/")[0], "path"),
        ("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX", "placeholder"),
        ("xoxb-hunter2", "https"),
        ("https://[hunter2", "address"),
    ],
)
async def test_an_address_of_the_wrong_form_is_named_without_showing_it(
    clients: Clients, held: Any, address: str, fault: str
) -> None:
    held(address)
    reading = await read(probe_of(clients, post=True, consent=True))
    assert (reading.values["configured"], reading.values["well_formed"]) == (True, False)
    assert fault in reading.evidence.lines[0]
    assert reading.unknown["posted"].reason is Reason.NO_DATA


async def test_no_address_at_all(clients: Clients, held: Any) -> None:
    held("")
    reading = await read(probe_of(clients))
    assert reading.values == {"configured": False}
    assert reading.unknown["well_formed"].reason is Reason.NOT_FOUND


async def test_an_address_in_secrets_manager() -> None:
    aws = AnsweringAws()
    aws.on["GetSecretValue"] = wire({"Name": "s", "SecretString": json.dumps({"url": GOOD})})
    reading = await read(probe_of(aws.clients, secret="app/slack", json_key="url"))
    assert reading.values == {"configured": True, "well_formed": True}
    aws.on["GetSecretValue"] = refusal("ResourceNotFoundException")
    assert (await read(probe_of(aws.clients, secret="app/slack"))).values == {"configured": False}
    aws.on["GetSecretValue"] = refusal("AccessDeniedException")
    hidden = await read(probe_of(aws.clients, secret="app/slack"))
    assert {unknown.reason for unknown in hidden.unknown.values()} == {Reason.ACCESS_DENIED}
    asked = probe_of(aws.clients, secret="app/slack").resources()["secretsmanager:GetSecretValue"]
    assert asked[0].endswith(":secret:app/slack-*")
    assert probe_of(aws.clients).resources() == {"secretsmanager:GetSecretValue": ()}
    await aws.clients.close()


# -- posting -----------------------------------------------------------------------------------------------------------


class Channel:
    """A Slack on localhost: says what it is told to, and keeps what was posted."""

    def __init__(self) -> None:
        self.status, self.words = 200, "ok"
        self.posted: list[Any] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].split("\r\n")[0])
            self.posted.append(json.loads(await reader.readexactly(length)))
            body = self.words.encode()
            writer.write(
                b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (self.status, len(body), body)
            )
            await writer.drain()
        writer.close()


@pytest.fixture
async def channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: Any) -> AsyncIterator[Channel]:
    authority, made = Authority(tmp_path), Channel()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with serving(made.answer, authority.server()) as port:
        made.host = f"127.0.0.1:{port}"  # type: ignore[attr-defined]
        held(f"https://127.0.0.1:{port}/services/hunter2Qw9rTyUi")
        yield made


async def test_without_consent_it_asks_first(clients: Clients, channel: Any) -> None:
    reading = await read(probe_of(clients, host=channel.host, post=True))
    assert reading.values == {"configured": True, "well_formed": True}
    assert "asks first" in reading.unknown["posted"].detail
    assert "consent" in reading.unknown["posted"].hint
    assert not channel.posted
    assert SlackWebhook.writes


async def test_consent_alone_posts_nothing(clients: Clients, channel: Any) -> None:
    assert "posted" in (await read(probe_of(clients, host=channel.host, consent=True))).unknown
    assert not channel.posted


async def test_it_posts_once(clients: Clients, channel: Any) -> None:
    probe = probe_of(clients, host=channel.host, post=True, consent=True, text="hello")
    for minutes in range(3):
        reading = await read(probe, NOW + timedelta(minutes=minutes))
        assert (reading.values["posted"], reading.values["posted_at"]) == (True, NOW)
    assert channel.posted == [{"text": "hello"}]
    assert reading.evidence.lines == (f"{channel.host} answered 200 ok",)


@pytest.mark.parametrize(
    ("status", "words"), [(404, "no_service"), (403, "invalid_token"), (410, "channel_is_archived")]
)
async def test_a_refusal_is_an_answer_and_tried_again(clients: Clients, channel: Any, status: int, words: str) -> None:
    channel.status, channel.words = status, words
    probe = probe_of(clients, host=channel.host, post=True, consent=True)
    reading = await read(probe)
    assert reading.values["posted"] is False
    assert words in reading.evidence.lines[0]
    channel.status = 200
    assert (await read(probe)).values["posted"] is True


async def test_too_many_messages_is_throttled(clients: Clients, channel: Any) -> None:
    channel.status = 429
    reading = await read(probe_of(clients, host=channel.host, post=True, consent=True))
    assert reading.unknown["posted"].reason is Reason.THROTTLED


async def test_after_silence_it_may_have_arrived_and_is_not_sent_again(clients: Clients, held: Any) -> None:
    async with wire_to() as hole:
        host = f"127.0.0.1:{hole.port}"
        held(f"https://{host}/services/hunter2Qw9rTyUi")
        probe = probe_of(clients, host=host, post=True, consent=True, timeout="0.3s")
        for _ in range(2):
            assert (await read(probe)).unknown["posted"].reason is Reason.TIMEOUT
        assert hole.accepted == 1


async def test_nobody_there_is_unreachable_and_the_path_is_not_shown(clients: Clients, held: Any) -> None:
    async with small_site() as gone:
        host = gone.url.removeprefix("http://")
    held(f"https://{host}/services/hunter2Qw9rTyUi")
    reading = await read(probe_of(clients, host=host, post=True, consent=True))
    assert reading.unknown["posted"].reason is Reason.UNREACHABLE
    assert f"https://{host}/***" in reading.unknown["posted"].detail


@pytest.mark.parametrize(
    "wrong", [{}, {"env": "X", "secret": "y"}, {"env": "X", "host": "a/b"}, {"env": "X", "text": ""}, {"env": GOOD}]
)
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SlackWebhookParams.model_validate(wrong)
