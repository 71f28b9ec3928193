"""How each AWS service writes questions, answers and errors on the wire."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from cockpit.rehearsal.cloud import cbor

JSON, QUERY, CBOR, REST_XML = "json", "query", "cbor", "rest-xml"
_XML_NAMESPACES = {
    "elasticloadbalancing": "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}
_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/([^/]+)/aws4_request")
_RPC_PATH = re.compile(r"/service/[^/]+/operation/(\w+)")
_S3_BUCKET = {
    "GET": "ListObjects",
    "HEAD": "HeadBucket",
    "PUT": "CreateBucket",
    "DELETE": "DeleteBucket",
    "POST": "DeleteObjects",
}
_S3_OBJECT = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "POST": "CreateMultipartUpload",
}
_S3_UPLOAD = {
    "PUT": "UploadPart",
    "POST": "CompleteMultipartUpload",
    "DELETE": "AbortMultipartUpload",
    "GET": "ListParts",
}
_S3_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}
_S3_SUBRESOURCES = {
    "versioning": "BucketVersioning",
    "encryption": "BucketEncryption",
    "lifecycle": "BucketLifecycleConfiguration",
    "publicAccessBlock": "PublicAccessBlock",
    "metrics": "BucketMetricsConfiguration",
    "location": "BucketLocation",
    "policy": "BucketPolicy",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request, recognised: `service` is its signing name, `caller` the access key id."""

    service: str
    operation: str
    protocol: str
    caller: str
    body: bytes

    def params(self) -> dict[str, Any]:
        """The parameters, for protocols that carry them in one body."""
        if self.protocol == CBOR:
            return dict(cbor.decode(self.body)) if self.body else {}
        if self.protocol == JSON:
            return dict(json.loads(self.body or b"{}"))
        return {key: values[0] for key, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class AwsError(Exception):
    """An error in AWS's own words; the gateway writes it in the caller's protocol."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def recognise(environ: Mapping[str, Any], body: bytes) -> Call:
    """Which operation of which service a request is, and who signed it."""
    path, query = str(environ.get("PATH_INFO", "/")), str(environ.get("QUERY_STRING", ""))
    signed = _CREDENTIAL.search(str(environ.get("HTTP_AUTHORIZATION", "")))
    caller, _, service = signed.groups() if signed else ("", "", "")
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    rpc = _RPC_PATH.match(path)
    if rpc is not None:
        return Call(service, rpc.group(1), CBOR, caller, body)
    if target:
        return Call(service, target.rpartition(".")[2], JSON, caller, body)
    if service in ("s3", ""):
        return Call("s3", _s3_operation(str(environ["REQUEST_METHOD"]), path, query), REST_XML, caller, body)
    form = parse_qs(body.decode("utf-8", "replace")) if body else parse_qs(query)
    return Call(service, form.get("Action", [""])[0], QUERY, caller, body)


def _s3_operation(method: str, path: str, query: str) -> str:
    names = {part.partition("=")[0] for part in query.split("&") if part}
    for name, noun in _S3_SUBRESOURCES.items():
        if name in names:
            return _S3_VERBS.get(method, method) + noun
    if len([part for part in path.split("/") if part]) <= 1:
        return "ListBuckets" if path == "/" and method == "GET" else _S3_BUCKET.get(method, method)
    return (_S3_UPLOAD if "uploadId" in names else _S3_OBJECT).get(method, method)


def answer(call: Call, value: Mapping[str, Any]) -> Answer:
    """An operation's answer in the caller's protocol."""
    request_id = str(uuid.uuid4())
    if call.protocol == CBOR:
        return Answer(200, _cbor_headers(request_id), cbor.encode(dict(value)))
    if call.protocol == JSON:
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": request_id}
        return Answer(200, headers, json.dumps(value, default=_epoch).encode())
    name, space = call.operation, _XML_NAMESPACES.get(call.service, "")
    text = (
        f'<?xml version="1.0"?><{name}Response xmlns="{space}"><{name}Result>{_xml(value)}</{name}Result>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    )
    return Answer(200, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, text.encode())


def error(call: Call, failure: AwsError) -> Answer:
    """An error in the caller's protocol, so that any SDK knows its code."""
    request_id = str(uuid.uuid4())
    if call.protocol == CBOR:
        headers = _cbor_headers(request_id) | {"x-amzn-query-error": f"{failure.code};Sender"}
        return Answer(failure.status, headers, cbor.encode({"__type": failure.code, "message": failure.message}))
    if call.protocol == JSON:
        body = {"__type": failure.code, "message": failure.message}
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": request_id}
        return Answer(failure.status, headers | {"x-amzn-ErrorType": failure.code}, json.dumps(body).encode())
    inner = f"<Code>{escape(failure.code)}</Code><Message>{escape(failure.message)}</Message>"
    if call.protocol == REST_XML:
        text = f'<?xml version="1.0" encoding="UTF-8"?><Error>{inner}<RequestId>{request_id}</RequestId></Error>'
    else:
        text = f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    headers = {"Content-Type": "application/xml", "x-amz-request-id": request_id}
    return Answer(failure.status, headers, b"" if call.operation.startswith("Head") else text.encode())


def _cbor_headers(request_id: str) -> dict[str, str]:
    return {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", "x-amzn-RequestId": request_id}


def _epoch(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"no JSON for {type(value).__name__}")


def _xml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{key}>{_xml(held)}</{key}>" for key, held in value.items() if held is not None)
    if isinstance(value, (list, tuple)):
        return "".join(f"<member>{_xml(held)}</member>" for held in value)
    return escape(str(value))
