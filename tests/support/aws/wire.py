"""Real boto3 clients that hear what a test says: bytes on the wire, by operation, in whatever order they are asked."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from botocore.awsrequest import AWSResponse
from support.aws.lent import asking, lend

from probes.clients.clients import AwsOptions, Clients
from probes.clients.clock_offset import ClockOffset

Told = tuple[int, Mapping[str, str], bytes]
Answer = Callable[[dict[str, Any]], "Told | Exception"]
REQUEST_ID = "0a1b2c3d-0000-4000-8000-0123456789ab"


def wire(body: Mapping[str, Any] | str = "", status: int = 200, **headers: str) -> Told:
    """A dict goes as JSON with AWS's times (seconds), a str as it is (XML)."""
    text = body if isinstance(body, str) else json.dumps(body, default=_written)
    kind = "text/xml" if isinstance(body, str) else "application/x-amz-json-1.1"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"content-type": kind, "x-amzn-RequestId": REQUEST_ID} | named, text.encode()


def refusal(code: str, message: str = "no", status: int = 400) -> Told:
    """An error as the JSON services word it."""
    return wire({"__type": code, "message": message}, status)


def xml_refusal(code: str, message: str = "no", status: int = 400) -> Told:
    """An error as S3 words it."""
    return wire(f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>R</RequestId></Error>", status)


def query_refusal(code: str, message: str = "no", status: int = 400) -> Told:
    """An error as the query services (RDS, ELB, STS) word it."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return wire(f"<ErrorResponse>{error}<RequestId>R</RequestId></ErrorResponse>", status)


class AnsweringAws:
    """`on["DescribeServices"]` is what that operation says: an answer, a function of the request, or an exception to raise."""

    def __init__(
        self,
        account: str = "123456789012",
        region: str = "us-east-1",
        clock_offset: ClockOffset | None = None,
    ) -> None:
        self.on: dict[str, Told | Answer | Exception] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._region = region
        self._lock = threading.Lock()
        self.clients = Clients(AwsOptions(region=region, account=account), self.client, clock_offset=clock_offset)

    def client(self, service: str) -> Any:
        return lend(service, self._region, _listening, self)

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        params = _params(request)
        with self._lock:
            self.asked.append((operation, params))
        told = self.on[operation]
        if callable(told):
            told = told(params)
        if isinstance(told, Exception):
            raise told
        status, headers, body = told
        return AWSResponse(request.url, status, _Headers(headers), _Raw(body))


def _listening(client: Any) -> None:
    hyphenized = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-send.{hyphenized}", lambda **told: asking()._answer(**told))


class _Headers(dict[str, str]):
    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _params(request: Any) -> dict[str, Any]:
    body = request.body or b""
    text = body.decode() if isinstance(body, bytes) else str(body)
    found: dict[str, Any] = json.loads(text) if text.startswith("{") else dict(parse_qsl(text))
    return found | {"headers": dict(request.headers)}


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(type(value))
