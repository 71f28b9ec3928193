"""Which operation of which service a request asks for, who asks, and with which parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

from cockpit.rehearsal.aws.wire import cbor
from cockpit.rehearsal.aws.wire.form_encoding import read_form
from cockpit.rehearsal.aws.wire.s3_operations import s3_operation
from cockpit.rehearsal.aws.wire.service_models import operation_model

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_RPC_PATH = re.compile(r"^/service/[^/]+/operation/(\w+)$")


class Protocol(StrEnum):
    """How a service wraps its requests and answers."""

    CBOR = "smithy-rpc-v2-cbor"
    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"
    REST_XML = "rest-xml"
    REST_JSON = "rest-json"


class Malformed(ValueError):  # noqa: N818 - what the request is
    """The body cannot be read in the request's own protocol."""


@dataclass(slots=True, eq=False)
class HttpRequest:
    """A request as it came over the wire, its body read to the end; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(eq=False)
class Call:
    """One request, understood. `operation` is empty where it cannot be determined."""

    service: str
    """The signing name: "monitoring", "elasticloadbalancing", "ecs"."""
    operation: str
    protocol: Protocol
    access_key: str
    region: str
    http: HttpRequest = field(repr=False)
    extra_environ: dict[str, str] = field(default_factory=dict, repr=False)
    """Headers added on the way to moto, as WSGI names them."""

    @cached_property
    def params(self) -> dict[str, Any]:
        """The operation's input. Times are datetimes (CBOR, forms), or numbers (JSON). Raises Malformed."""
        try:
            if self.protocol is Protocol.CBOR:
                return dict(cbor.decode(self.http.body) or {}) if self.http.body else {}
            if self.protocol in (Protocol.JSON, Protocol.REST_JSON):
                return dict(json.loads(self.http.body or b"{}"))
            if self.protocol in (Protocol.QUERY, Protocol.EC2):
                return read_form(_form(self.http), operation_model(self.service, self.operation).input_shape)
        except (ValueError, TypeError) as error:
            raise Malformed(f"{self.service} {self.operation}: {error}") from error
        return self.query

    @cached_property
    def query(self) -> dict[str, Any]:
        """The query string; a key without a value is there with an empty one."""
        return dict(parse_qsl(self.http.query, keep_blank_values=True))

    @property
    def bucket_and_key(self) -> tuple[str, str]:
        """For S3, addressed by path."""
        bucket, _, key = unquote(self.http.path).lstrip("/").partition("/")
        return bucket, key


def understand(http: HttpRequest) -> Call:
    """What a request asks for. Never fails: what cannot be determined stays empty."""
    found = _SCOPE.search(http.headers.get("authorization", ""))
    if found is None:
        found = _SCOPE.search("Credential=" + unquote(dict(parse_qsl(http.query)).get("X-Amz-Credential", "")))
    access_key, region, service = found.groups() if found else ("", "us-east-1", "s3")
    protocol, operation = _operation(http, service)
    return Call(service, operation, protocol, access_key, region, http)


def _operation(http: HttpRequest, service: str) -> tuple[Protocol, str]:
    rpc = _RPC_PATH.match(http.path)
    if rpc is not None and http.headers.get("smithy-protocol") == "rpc-v2-cbor":
        return Protocol.CBOR, rpc.group(1)
    target = http.headers.get("x-amz-target", "")
    if target:
        return Protocol.JSON, target.rpartition(".")[2]
    if service == "s3":
        return Protocol.REST_XML, s3_operation(http.method, http.path, http.query, http.headers)
    form = _form(http)
    if "Action" in form:
        return (Protocol.EC2 if service == "ec2" else Protocol.QUERY), form["Action"]
    return Protocol.REST_JSON, ""


def _form(http: HttpRequest) -> dict[str, str]:
    text = http.body.decode("utf-8", "replace") if http.method == "POST" else http.query
    return dict(parse_qsl(text, keep_blank_values=True))
