"""Redis as Upstash offers it: over HTTPS."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from probes.api_keys import Variable, from_environment
from probes.clients.http import HttpAnswer, place_of
from probes.clients.web_address import BaseAddress
from probes.demand import Sends, SendsKey
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, at_most
from probes.redact import HIDDEN, one_line
from probes.three_valued import FieldValue, sorted_out


class RedisUpstashParams(Params):
    url: BaseAddress
    """UPSTASH_REDIS_REST_URL: ${env:UPSTASH_REDIS_REST_URL}."""
    token_env: Variable = "UPSTASH_REDIS_REST_TOKEN"
    """The environment variable that holds the token."""
    timeout: Duration = timedelta(seconds=5)
    """How long the request may take."""


class RedisUpstash(Probe[RedisUpstashParams]):
    """One PING over Upstash's REST interface: GET /ping with the token; the right answer is PONG.

    Any answer of the server is an answer (`answered` is false for everything but PONG); too many requests (429) is
    THROTTLED, and no answer at all leaves every field unknown. The token is read from the environment and never shown.
    Asks from this machine: cannot see whether the application's tasks reach it, nor whether the cache is of any use.
    """

    name = "redis.upstash"
    params_type = RedisUpstashParams
    demands = (SendsKey("url", variable="token_env"), Sends("url", ("url",)))
    subjects = ("upstash",)
    cannot_see = "whether the application's tasks reach it, and whether the cache is of any use"
    late = "not at all: it is asked when it is read"
    fields = (
        Field("answered", bool, "it answered PONG", example=True),
        Field("token_accepted", bool, "the token was not refused", example=True),
        Field("latency_ms", float, "from the first packet to the last byte, over a new connection", 48.0, "ms", low=0),
    )
    grants = ("the token of the Redis database",)
    interval = timedelta(seconds=60)

    @classmethod
    def fields_of(cls, params: RedisUpstashParams) -> tuple[Field, ...]:
        return at_most(cls.fields, "latency_ms", params.timeout.total_seconds() * 1000)

    async def read(self, now: datetime) -> Reading:
        query = f"GET {place_of(self.params.url)}/ping (token from ${self.params.token_env})"
        try:
            token = from_environment(self.params.token_env)
            answer: HttpAnswer = await self.clients.http(
                "GET",
                f"{self.params.url}/ping",
                headers={"Authorization": f"Bearer {token}"},
                timeout_s=self.params.timeout.total_seconds(),
            )
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        text = one_line(answer.text.replace(token, HIDDEN)[:1000], 200)
        evidence = Evidence(query, lines=(f"{answer.status} {text}".strip(),))
        if answer.status == 429:
            busy = Unknown(Reason.THROTTLED, f"{place_of(self.params.url)} answered 429", "see the database's limits")
            return self.blind(now, busy, evidence)
        values, unknown = sorted_out(_values(answer, _result(answer)))
        return self.reading(now, values, unknown=unknown, evidence=evidence)


def _values(answer: HttpAnswer, result: Any) -> dict[str, FieldValue]:
    pong = answer.status == 200 and result == "PONG"
    refused = answer.status in (401, 403)
    unsaid = Unknown(
        Reason.NO_DATA, f"answered {answer.status}, which does not show whether the token is valid", "see the evidence"
    )
    return {
        "answered": pong,
        "token_accepted": False if refused else True if pong else unsaid,
        "latency_ms": answer.elapsed_s * 1000,
    }


def _result(answer: HttpAnswer) -> Any:
    try:
        held = json.loads(answer.text)
    except (ValueError, RecursionError):
        return None
    return held.get("result") if isinstance(held, dict) else None
