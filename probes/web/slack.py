"""Slack: is the webhook there, does it look like one, and, where somebody agreed, does it take a message."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import StringConstraints

from probes.api_keys import KeyParams, key_from, source_of
from probes.aws.secrets_manager import is_real, secret_arn
from probes.clients.clients import Clients
from probes.clients.http import HttpAnswer, place_of
from probes.demand import Sends, SendsKey, Writes
from probes.periods import Duration
from probes.probe import Probe, WritingParams
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import HIDDEN, one_line
from probes.three_valued import FieldValue, sorted_out

SLACK = "hooks.slack.com"
_PATH = re.compile(r"/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{16,}|/(?:workflows|triggers)/\S{16,}")
_ASKS_FIRST = Unknown(
    Reason.NO_DATA, "asks first: posting needs somebody's consent", "set consent: true once the channel expects it"
)


class SlackWebhookParams(WritingParams, KeyParams):
    """Give one of `env` and `secret`: where the webhook's address is kept."""

    host: Annotated[str, StringConstraints(pattern=r"^[\w.-]+(:\d{1,5})?$")] = SLACK
    """The host it must be on."""
    post: bool = False
    """Post `text` once; needs consent."""
    text: Annotated[str, StringConstraints(min_length=1, max_length=500)] = (
        "Cutover cockpit: this is a test of the channel. Nothing is wrong."
    )
    """What is posted, where `consent` is given."""
    timeout: Duration = timedelta(seconds=5)
    """How long the request may take."""


def _posts(asked: SlackWebhookParams) -> bool:
    return asked.post and asked.consent


class SlackWebhook(Probe[SlackWebhookParams]):
    """An incoming webhook's address: is it there, of the right form, and no placeholder.

    Reads an environment variable, or secretsmanager GetSecretValue (recorded in CloudTrail); the address is a secret and
    is never shown. With `post` and `consent` it posts one message, once: not again after Slack took it, nor after no
    answer came, when it may have arrived. Without them nothing is sent.
    """

    name = "slack.webhook"
    params_type = SlackWebhookParams
    demands = (
        SendsKey("host", when=_posts),
        Sends("host", ("host", "text")),
        Writes("a message to", "host", when=_posts),
    )
    subjects = ("slack",)
    cannot_see = "which channel it is, and whether anybody reads it: ask a person when the message came"
    late = "not at all: it is asked when it is read"
    fields = (
        Field("configured", bool, "there is an address", example=True),
        Field("well_formed", bool, "https, on the right host, with a webhook's path, no placeholder", example=True),
        Field("posted", bool, "Slack took the test message", example=True),
        Field("posted_at", datetime, "when", datetime.fromisoformat("2026-11-23T22:30Z")),
    )
    iam = ("secretsmanager:GetSecretValue",)
    interval = timedelta(minutes=5)
    writes = True

    @classmethod
    def never_known(cls, params: SlackWebhookParams) -> Mapping[str, str]:
        return {} if _posts(params) else dict.fromkeys(("posted", "posted_at"), "not posted: set post and consent")

    def __init__(self, params: SlackWebhookParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._kept: dict[str, FieldValue] | None = None
        self._line = ""

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        secret = self.params.secret
        return {self.iam[0]: (secret_arn(self.clients, secret),) if secret else ()}

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        evidence = Evidence(f"webhook from {source_of(asked)}" + (f"; POST https://{asked.host}" if asked.post else ""))
        fields: dict[str, FieldValue]
        try:
            address = await key_from(self.clients, asked)
        except Unseen as unseen:
            if unseen.unknown.reason is not Reason.NOT_FOUND:
                return self.blind(now, unseen.unknown, evidence)
            fields = {"configured": False} | dict.fromkeys(("well_formed", "posted", "posted_at"), unseen.unknown)
        else:
            fault = _fault(address, asked.host)
            fields = {"configured": True, "well_formed": not fault} | await self._posted(address, fault, now)
            evidence = Evidence(evidence.query, lines=tuple(filter(None, (fault, self._line))))
        values, unknown = sorted_out(fields)
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    async def _posted(self, address: str, fault: str, now: datetime) -> dict[str, FieldValue]:
        asked = self.params
        if not asked.post:
            return _unposted(Unknown(Reason.NO_DATA, "the plan does not ask to post", "set post and consent"))
        if not asked.consent:
            return _unposted(_ASKS_FIRST)
        if fault:
            return _unposted(Unknown(Reason.NO_DATA, f"not posted: {fault}", "fix the address"))
        if self._kept is None:
            fields, final = await self._post(address, now)
            self._kept = fields if final else None
            return fields
        return self._kept

    async def _post(self, address: str, now: datetime) -> tuple[dict[str, FieldValue], bool]:
        """The answer of Slack, and whether it is final."""
        try:
            answer: HttpAnswer = await self.clients.http(
                "POST",
                address,
                headers={"Content-Type": "application/json"},
                content=json.dumps({"text": self.params.text}),
                timeout_s=self.params.timeout.total_seconds(),
            )
        except Unseen as unseen:
            unknown = unseen.unknown
            detail = unknown.detail.replace(place_of(address), f"https://{self.params.host}/{HIDDEN}")
            return _unposted(Unknown(unknown.reason, detail, unknown.hint)), unknown.reason is Reason.TIMEOUT
        words = one_line(answer.text.replace(address, HIDDEN)[:500], 100)
        self._line = f"{self.params.host} answered {answer.status} {words}".strip()
        if answer.status == 429:
            return _unposted(Unknown(Reason.THROTTLED, self._line, "it is tried again")), False
        if answer.status == 200:
            return {"posted": True, "posted_at": now}, True
        return {"posted": False, "posted_at": Unknown(Reason.NO_DATA, self._line, "read what Slack says")}, False


def _unposted(why: Unknown) -> dict[str, FieldValue]:
    return {"posted": why, "posted_at": why}


def _fault(address: str, host: str) -> str:
    """What is wrong with the address, in words that do not show it; empty where nothing is."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "it is not an address"
    if parts.scheme != "https":
        return "it does not begin with https://"
    if parts.netloc.lower() != host.lower():
        return f"it is not on {host}"
    if host == SLACK and not _PATH.fullmatch(parts.path):
        return "its path is not a webhook's"
    if len(parts.path) < 2 or not all(is_real(part) for part in parts.path.strip("/").split("/")):
        return "it is a placeholder"
    return ""
