"""Answers and errors in the protocol a request came in."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from cockpit.rehearsal.aws.wire import cbor
from cockpit.rehearsal.aws.wire.routing import Call, Protocol
from cockpit.rehearsal.aws.wire.service_models import operation_model, service_model
from cockpit.rehearsal.aws.wire.wire_times import iso
from probes.frozen import frozen


class AwsError(Exception):
    """An error of AWS's: its code, what it says, and the HTTP status it comes with."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@frozen
class Answer:
    """An HTTP answer, ready to be sent."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def encode(call: Call, result: Mapping[str, Any]) -> Answer:
    """A successful answer; `result` has the shape boto3 shows, without its ResponseMetadata."""
    request = str(uuid.uuid4())
    if call.protocol is Protocol.CBOR:
        return Answer(200, _cbor_headers(request), cbor.encode(result))
    if call.protocol in (Protocol.JSON, Protocol.REST_JSON):
        return Answer(200, _json_headers(call, request), json.dumps(result, default=_plain).encode())
    return Answer(200, {"Content-Type": "text/xml", "x-amzn-RequestId": request}, _xml(call, result, request).encode())


def encode_error(call: Call, error: AwsError) -> Answer:
    """An error answer of which boto3 recognises the exact code."""
    request = str(uuid.uuid4())
    if call.protocol in (Protocol.CBOR, Protocol.JSON, Protocol.REST_JSON):
        body = {"__type": error.code, "message": error.message}
        packed = call.protocol is Protocol.CBOR
        headers = _cbor_headers(request) if packed else _json_headers(call, request)
        if call.service == "monitoring":
            headers["x-amzn-query-error"] = f"{error.code};{_fault(error)}"
        if call.protocol is Protocol.REST_JSON:
            headers["x-amzn-errortype"] = error.code
        return Answer(error.status, headers, cbor.encode(body) if packed else json.dumps(body).encode())
    error_text = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if call.protocol is Protocol.EC2:
        body_text = f"<Response><Errors><Error>{error_text}</Error></Errors><RequestID>{request}</RequestID></Response>"
    elif call.protocol is Protocol.QUERY:
        error_text = f"<Type>{_fault(error)}</Type>{error_text}"
        body_text = f"<ErrorResponse><Error>{error_text}</Error><RequestId>{request}</RequestId></ErrorResponse>"
    else:
        body_text = f"<Error>{error_text}<RequestId>{request}</RequestId></Error>"
    headers = {"Content-Type": "application/xml", "x-amz-request-id": request, "x-amzn-RequestId": request}
    body_bytes = b"" if call.http.method == "HEAD" else f'<?xml version="1.0"?>\n{body_text}'.encode()
    return Answer(error.status, headers, body_bytes)


def _fault(error: AwsError) -> str:
    return "Sender" if error.status < 500 else "Receiver"


def _cbor_headers(request: str) -> dict[str, str]:
    return {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", "x-amzn-RequestId": request}


def _json_headers(call: Call, request: str) -> dict[str, str]:
    kind = call.http.headers.get("content-type", "application/x-amz-json-1.1")
    return {"Content-Type": kind, "x-amzn-RequestId": request}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} has no place in an answer")


def _xml(call: Call, result: Mapping[str, Any], request: str) -> str:
    """A query-protocol answer, after botocore's output shape."""
    operation = operation_model(call.service, call.operation)
    namespace = service_model(call.service).metadata.get("xmlNamespace", "")
    shape = operation.output_shape
    inner = _members(shape, result) if shape is not None else ""
    wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
    inner = f"<{wrapper}>{inner}</{wrapper}>" if wrapper else inner
    root = f"{call.operation}Response"
    metadata = f"<ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata>"
    return f'<?xml version="1.0"?>\n<{root} xmlns="{namespace}">{inner}{metadata}</{root}>'


def _members(shape: Any, values: Mapping[str, Any]) -> str:
    return "".join(
        _element(member, member.serialization.get("name", name), values[name])
        for name, member in shape.members.items()
        if values.get(name) is not None
    )


def _element(shape: Any, name: str, value: Any) -> str:
    if shape.type_name == "structure":
        return f"<{name}>{_members(shape, value)}</{name}>"
    if shape.type_name == "list":
        flat = shape.serialization.get("flattened", False)
        each = name if flat else shape.member.serialization.get("name", "member")
        items = "".join(_element(shape.member, each, item) for item in value)
        return items if flat else f"<{name}>{items}</{name}>"
    if shape.type_name == "map":
        entries = "".join(
            f"<entry><key>{escape(key)}</key>{_element(shape.value, 'value', held)}</entry>"
            for key, held in value.items()
        )
        return f"<{name}>{entries}</{name}>"
    return f"<{name}>{_text(value)}</{name}>"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return iso(value)
    return escape(str(value))
