"""The door to the simulated AWS: faults first, then our own answers, then moto."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from cockpit.rehearsal.cloud.faults import AwsFaults, Dropped
from cockpit.rehearsal.cloud.protocols import REST_XML, Answer, AwsError, Call, answer, error, recognise

log = logging.getLogger(__name__)
Handler = Callable[[Mapping[str, Any]], Mapping[str, Any]]
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Gateway:
    """A WSGI application. `handlers` are by (signing name, operation)."""

    def __init__(self, handlers: Mapping[tuple[str, str], Handler], faults: AwsFaults, moto: Wsgi) -> None:
        self._handlers = handlers
        self._faults = faults
        self._moto = moto

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        call = recognise(environ, body)
        try:
            self._faults.apply(call)
            handler = self._handlers.get((call.service, call.operation))
            if handler is not None:
                return _send(answer(call, handler(call.params())), start_response)
            _check_digests(call, environ)
        except AwsError as failure:
            return _send(error(call, failure), start_response)
        except Dropped:
            return _cut(environ)
        except (KeyError, ValueError, TypeError) as failure:
            log.exception("%s %s", call.service, call.operation)
            wrong = AwsError("ValidationException", f"{type(failure).__name__}: {failure}")
            return _send(error(call, wrong), start_response)
        environ["wsgi.input"] = io.BytesIO(body)
        return self._ask_moto(call, environ, start_response)

    def _ask_moto(self, call: Call, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """moto's answer; a page of HTML (what it cannot do) becomes an error any SDK understands."""
        seen: dict[str, Any] = {}

        def hear(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], None]:
            seen["status"], seen["headers"] = status, headers
            return lambda _: None

        chunks = self._moto(environ, hear)
        body = b"".join(chunks)
        kind = {k.lower(): v for k, v in seen["headers"]}.get("content-type", "")
        if int(str(seen["status"]).split()[0]) >= 500 and "html" in kind:
            log.warning("not simulated: %s %s", call.service, call.operation)
            wrong = AwsError("InvalidAction", f"{call.service} {call.operation} is not simulated")
            return _send(error(call, wrong), start_response)
        start_response(seen["status"], seen["headers"])
        return [body]


def _check_digests(call: Call, environ: Mapping[str, Any]) -> None:
    """S3 refuses a body that does not match the digest sent with it; moto does not look."""
    if call.protocol != REST_XML or not call.body or "aws-chunked" in str(environ.get("HTTP_CONTENT_ENCODING", "")):
        return
    for header, digest in (("HTTP_X_AMZ_CHECKSUM_SHA256", hashlib.sha256), ("HTTP_CONTENT_MD5", hashlib.md5)):
        sent = environ.get(header)
        if sent and base64.b64encode(digest(call.body).digest()).decode() != sent:
            raise AwsError("BadDigest", "The digest you specified did not match what we received.")


def _send(made: Answer, start_response: Any) -> Iterable[bytes]:
    headers = [*made.headers.items(), ("Content-Length", str(len(made.body)))]
    start_response(f"{made.status} {HTTPStatus(made.status).phrase}", headers)
    return [made.body]


def _cut(environ: Mapping[str, Any]) -> Iterable[bytes]:
    """Close the connection without a word."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.close()
    raise ConnectionAbortedError("dropped on purpose")
