"""The language model's vendor: does it answer, does it take the key, and does it have the model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from probes.api_keys import KeyParams, key_from, source_of
from probes.aws.secrets_manager import secret_arn
from probes.clients.http import HttpAnswer, place_of
from probes.clients.web_address import BaseAddress
from probes.demand import Sends, SendsKey
from probes.periods import Duration
from probes.probe import Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, at_most
from probes.redact import HIDDEN, one_line
from probes.three_valued import FieldValue, sorted_out

_MOST_BYTES = 4 * 1024 * 1024
_DATED = re.compile(r"-\d{4}-?\d{2}-?\d{2}")


class LlmModelsParams(KeyParams):
    url: BaseAddress = "https://api.anthropic.com"
    """Where the vendor's API is, without /v1."""
    style: Literal["anthropic", "openai"] = "anthropic"
    """How the key is presented: x-api-key with anthropic-version, or Authorization: Bearer."""
    model: str = ""
    """The model the application uses: claude-sonnet-4-5, with or without its date."""
    timeout: Duration = timedelta(seconds=6)
    """How long the request may take."""


class LlmModels(Probe[LlmModelsParams]):
    """The vendor's list of models, asked with the application's key; it costs nothing.

    Reads GET /v1/models: any status is an answer (`answers` is true for 200 only); 401 and 403 refuse the key, 429 means
    too many requests or no quota. The key comes from an environment variable or from Secrets Manager
    (secretsmanager:GetSecretValue, recorded in CloudTrail under the operator's name) and is never shown. No answer leaves
    every field unknown. Asks from this machine: cannot see the application's own way out, nor whether there is quota
    left for a real question, nor how long that takes.
    """

    name = "llm.models"
    params_type = LlmModelsParams
    demands = (SendsKey("url"), Sends("url", ("url",)))
    subjects = ("llm", "openai", "anthropic")
    cannot_see = "the application's own way out, quota left for a real question, and how long one takes"
    late = "not at all: it is asked when it is read"
    fields = (
        Field("answers", bool, "it gave the list", example=True),
        Field("key_accepted", bool, "the key was not refused", example=True),
        Field("throttled", bool, "it answered 429: too many requests, or the quota is used up", example=False),
        Field("model_listed", bool, "the plan's model is in the list", example=True),
        Field("models", int, "models listed", 11, "count", low=0),
        Field("latency_ms", float, "from the first packet to the last byte, over a new connection", 310.0, "ms", low=0),
    )
    iam = ("secretsmanager:GetSecretValue",)
    grants = ("an API key of the vendor",)
    interval = timedelta(seconds=60)

    @classmethod
    def fields_of(cls, params: LlmModelsParams) -> tuple[Field, ...]:
        return at_most(cls.fields, "latency_ms", params.timeout.total_seconds() * 1000)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        secret = self.params.secret
        return {self.iam[0]: (secret_arn(self.clients, secret),) if secret else ()}

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        query = f"GET {place_of(asked.url)}/v1/models (key from {source_of(asked)})"
        try:
            key = await key_from(self.clients, asked)
            answer: HttpAnswer = await self.clients.http(
                "GET",
                f"{asked.url}/v1/models" + ("?limit=1000" if asked.style == "anthropic" else ""),
                headers=_presented(key, asked.style),
                timeout_s=asked.timeout.total_seconds(),
                most_bytes=_MOST_BYTES,
            )
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        request_id = answer.headers.get("request-id", answer.headers.get("x-request-id", ""))
        if answer.status == 404:
            absent = Unknown(Reason.NOT_FOUND, f"{place_of(answer.url)} answered 404", "check url")
            return self.blind(now, absent, Evidence(query, request_id))
        fields = _values(answer, asked.model)
        values, unknown = sorted_out(fields)
        return self.reading(
            now, values, unknown=unknown, evidence=Evidence(query, request_id, lines=_lines(answer, key, asked.model))
        )


def _presented(key: str, style: str) -> dict[str, str]:
    if style == "anthropic":
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}
    return {"Authorization": f"Bearer {key}"}


def _values(answer: HttpAnswer, model: str) -> dict[str, FieldValue]:
    refused, throttled = answer.status in (401, 403), answer.status == 429
    names = _names(answer)
    listed = isinstance(names, list)
    unsaid = Unknown(
        Reason.THROTTLED if throttled else Reason.ERROR,
        f"answered {answer.status}, which says nothing of the key",
        "see the evidence, and the vendor's status page",
    )
    return {
        "answers": names if isinstance(names, Unknown) and answer.status == 200 else listed,
        "key_accepted": False if refused else True if listed else unsaid,
        "throttled": throttled,
        "model_listed": _listed(names, model, _has_more(answer)),
        "models": len(names) if isinstance(names, list) else names,
        "latency_ms": answer.elapsed_s * 1000,
    }


def _listed(names: list[str] | Unknown, model: str, more: bool) -> bool | Unknown:
    if not model:
        return Unknown(Reason.NO_DATA, "the plan gives no model", "set model")
    if isinstance(names, Unknown):
        return names
    found = any(name == model or (name.startswith(model) and _DATED.fullmatch(name[len(model) :])) for name in names)
    if not found and more:
        return Unknown(Reason.PARTIAL, f"{model} is not among the first {len(names)} models", "look the model up")
    return found


def _names(answer: HttpAnswer) -> list[str] | Unknown:
    if answer.status != 200:
        reason = Reason.THROTTLED if answer.status == 429 else Reason.ERROR
        return Unknown(reason, f"{place_of(answer.url)} answered {answer.status}", "see the evidence")
    try:
        return [str(model["id"]) for model in json.loads(answer.text)["data"]]
    except (ValueError, RecursionError, KeyError, TypeError):
        detail = f"{place_of(answer.url)} answers with something else than a list of models"
        return Unknown(Reason.ERROR, detail, "check url and style")


def _has_more(answer: HttpAnswer) -> bool:
    try:
        held: Any = json.loads(answer.text)
    except (ValueError, RecursionError):
        return True
    return isinstance(held, dict) and bool(held.get("has_more"))


def _lines(answer: HttpAnswer, key: str, model: str) -> tuple[str, ...]:
    """The status; of a refusal its words, of a list the models nearest to the plan's."""
    lines = [f"{answer.status} in {answer.elapsed_s * 1000:.0f} ms"]
    names = _names(answer)
    if isinstance(names, list):
        near = [name for name in names if not model or name.split("-")[:2] == model.split("-")[:2]]
        lines += [one_line(name, 100) for name in near[:6]]
    else:
        lines.append(one_line(answer.text.replace(key, HIDDEN)[:1000], 200))
    if wait := answer.headers.get("retry-after"):
        lines.append(one_line(f"retry-after: {wait}", 60))
    return tuple(lines)
