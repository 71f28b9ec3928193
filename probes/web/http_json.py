"""HTTP: values of a JSON document, picked by the plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field as Setting
from pydantic import StringConstraints, field_validator

from probes.api_keys import KeyParams, key_from
from probes.aws.secrets_manager import secret_arn
from probes.clients.clients import Clients
from probes.clients.http import HttpAnswer, place_of
from probes.clients.page_text import page_text
from probes.clients.web_address import WebAddress
from probes.declared_fields import MOST_FIELDS, DeclaredField, FieldName, no_field_twice
from probes.demand import Sends, SendsKey, Writes
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, at_most
from probes.redact import one_line
from probes.three_valued import FieldValue, sorted_out

MOST_BYTES = 4 * 1024 * 1024
Pointer = Annotated[str, StringConstraints(pattern=r"^(/.*)?$", max_length=400)]
"""A JSON Pointer (RFC 6901): /queues/0/depth; `~1` is a slash, `~0` a tilde."""


class JsonField(DeclaredField):
    pointer: Pointer
    """Where the value is in the document, as a JSON Pointer (RFC 6901): /queues/0/depth. A slash in a key is ~1."""


class RequestParams(Params):
    """One request, and how it is authorized."""

    url: WebAddress
    """The whole address: https://host/path."""
    headers: dict[str, str] = Setting(default_factory=dict, repr=False)
    """Headers to send; a secret as `${env:NAME}`."""
    secret: str = ""
    """A secret in Secrets Manager that holds a key or token: it is sent in `secret_header`."""
    json_key: str = ""
    """Where the secret is JSON: the key in it."""
    secret_header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")] = "Authorization"
    """The header that the secret is sent in."""
    secret_prefix: str = "Bearer "
    """What stands before the secret in its header; empty for a bare key."""
    timeout: Duration = timedelta(seconds=5)
    """How long all of it may take."""


async def authorized(clients: Clients, asked: RequestParams) -> dict[str, str]:
    """The headers to send, with the secret where the plan names one. Raises Unseen."""
    if not asked.secret:
        return dict(asked.headers)
    key = await key_from(clients, KeyParams(secret=asked.secret, json_key=asked.json_key))
    return {**asked.headers, asked.secret_header: f"{asked.secret_prefix}{key}"}


class HttpJsonParams(RequestParams):
    method: Literal["GET", "POST"] = "GET"
    """GET or POST."""
    body: Annotated[str, StringConstraints(max_length=10_000)] = ""
    """What a POST sends; name its type in `headers`, as Content-Type."""
    expect_status: Annotated[int, Setting(ge=100, le=599)] = 200
    """With another status no value counts: an error page proves nothing."""
    as_of: Pointer | None = None
    """Where the document says how old it is (a time with its zone): its data is then of that time, and goes stale with it."""
    fields: Annotated[dict[FieldName, JsonField], Setting(min_length=1, max_length=MOST_FIELDS)]
    """The values to read, by the name that conditions use."""

    @field_validator("fields")
    @classmethod
    def _own(cls, fields: dict[str, JsonField]) -> dict[str, JsonField]:
        no_field_twice(fields, OWN)
        return fields


OWN = (
    Field("ok", bool, "the expected status, and a JSON document", example=True),
    Field("status", int, "HTTP status of the answer", 200, low=100, high=599),
    Field("latency_ms", float, "from the first packet to the last byte", 84.0, "ms", low=0),
)


class HttpJson(Probe[HttpJsonParams]):
    """One request for a JSON document, and the values in it that the plan declares.

    Each of `fields` has a JSON Pointer and a type; a value that is not there is NO_DATA, one of another type is an ERROR, and
    nothing is converted: "12" is no number. An answer with another status than `expect_status` leaves them all unknown.
    Redirects are not followed. Sends a secret of Secrets Manager where the plan names one (secretsmanager:GetSecretValue).
    """

    name = "http.json"
    params_type = HttpJsonParams
    demands = (
        SendsKey("url", when=lambda params: bool(params.secret)),
        Sends("url", ("url", "headers", "body")),
        Writes("with a POST to", "url", when=lambda params: params.method == "POST"),
    )
    subjects = ("json",)
    cannot_see = "whether the document is true, or a cache's: give as_of where it says its own time"
    late = "not at all, but for what the page itself has cached; with as_of its age is known"
    fields = OWN
    iam = ("secretsmanager:GetSecretValue",)

    @classmethod
    def fields_of(cls, params: HttpJsonParams) -> tuple[Field, ...]:
        fields = at_most(cls.fields, "latency_ms", params.timeout.total_seconds() * 1000)
        return (*fields, *(held.field(name, f"at {held.pointer}") for name, held in params.fields.items()))

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        secret = self.params.secret
        return {self.iam[0]: (secret_arn(self.clients, secret),) if secret else ()}

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        query = f"{asked.method} {place_of(asked.url)}"
        try:
            answer: HttpAnswer = await self.clients.http(
                asked.method,
                asked.url,
                headers=await authorized(self.clients, asked),
                timeout_s=asked.timeout.total_seconds(),
                content=asked.body or None,
                most_bytes=MOST_BYTES,
            )
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        document = document_of(answer, asked.expect_status)
        fields: dict[str, FieldValue] = {
            "ok": not isinstance(document, Unknown),
            "status": answer.status,
            "latency_ms": answer.elapsed_s * 1000,
        }
        data_at: datetime | Unknown = now
        if not isinstance(document, Unknown) and asked.as_of is not None:
            data_at = _as_of(document, asked.as_of)
        why = document if isinstance(document, Unknown) else data_at
        for name, held in asked.fields.items():
            fields[name] = why if isinstance(why, Unknown) else _picked(document, held)
        values, unknown = sorted_out(fields)
        evidence = Evidence(query, lines=(one_line(page_text(answer), 200),))
        moment = now if isinstance(data_at, Unknown) else data_at
        return self.reading(now, values, unknown=unknown, data_at=moment, evidence=evidence)


def document_of(answer: HttpAnswer, status: int = 200) -> Any:
    """The JSON in an answer with that status, or the Unknown that says why there is none."""
    place = place_of(answer.url)
    if answer.status != status:
        reason = _REASONS.get(answer.status, Reason.ERROR)
        return Unknown(reason, f"{place} answered {answer.status}", "see the evidence; check url and headers")
    if answer.truncated:
        return Unknown(Reason.PARTIAL, f"{place} is longer than is read", "ask for a smaller document")
    try:
        return json.loads(answer.text)
    except (ValueError, RecursionError):
        return Unknown(Reason.ERROR, f"{place} answers with something else than JSON", "see the evidence; check url")


_REASONS = {
    401: Reason.ACCESS_DENIED,
    403: Reason.ACCESS_DENIED,
    404: Reason.NOT_FOUND,
    429: Reason.THROTTLED,
}


def at(document: Any, pointer: str) -> Any:
    """What is at a JSON Pointer. Raises LookupError with the part that is not there.

    >>> at({"a/b": [{"c": 1}]}, "/a~1b/0/c")
    1
    """
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and key in document:
            document = document[key]
        elif (
            isinstance(document, list) and key.isdigit() and (key == "0" or key[0] != "0") and int(key) < len(document)
        ):
            document = document[int(key)]
        else:
            raise LookupError(key)
    return document


def _picked(document: Any, held: JsonField) -> FieldValue:
    try:
        found = at(document, held.pointer)
    except LookupError as error:
        detail = one_line(f"the document has no {held.pointer}: '{error.args[0]}' is not there", 200)
        return Unknown(Reason.NO_DATA, detail, "see the evidence; correct the pointer")
    if found is None:
        return Unknown(Reason.NO_DATA, f"{held.pointer} is null")
    return held.value(found)


def _as_of(document: Any, pointer: str) -> datetime | Unknown:
    found = _picked(document, JsonField(type="time", pointer=pointer))
    return found if isinstance(found, datetime | Unknown) else Unknown(Reason.ERROR, f"{pointer} is no time")
