"""moto behind our own answers: everything it does well stays with it, and it never answers in HTML."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from moto.backends import list_of_moto_modules
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from cockpit.rehearsal.aws.wire import moto_clock
from cockpit.rehearsal.aws.wire.protocols import Answer, AwsError
from cockpit.rehearsal.aws.wire.routing import Call, Protocol

log = logging.getLogger("cockpit.rehearsal.aws")


WARM = (
    "ec2", "ecs", "elasticloadbalancing", "rds", "s3", "secretsmanager", "iam", "sts", "sns", "acm", "logs", "ecr", "monitoring",
)  # fmt: skip


class _ErrorLog(io.TextIOBase):
    """Where WSGI applications write what went wrong: our log, never the terminal."""

    def write(self, text: str) -> int:
        if text.strip():
            log.debug("moto: %s", text.rstrip())
        return len(text)


class _Dispatcher(DomainDispatcherApplication):  # type: ignore[misc, unused-ignore]
    """moto's own, without what it prints about services it does not know."""

    def get_backend_for_host(self, host: str | None) -> Any:
        if host is None or host == "moto_api" or host in _services():
            return host
        return next(
            (backend for backend, pattern in self.backend_url_patterns if pattern.match(f"http://{host}")), None
        )


@cache
def _services() -> frozenset[str]:
    """moto looks through its folders for them, at every call that asks."""
    return frozenset(list_of_moto_modules())


@cache
def _application() -> _Dispatcher:
    """One per process, as moto's state is: services stay loaded from one simulation to the next."""
    return _Dispatcher(create_backend_app)


class Moto:
    """moto's own server application, called within this process. There is one moto per process."""

    def __init__(self) -> None:
        self._application = _application()
        self._errors = _ErrorLog()

    def begin(self, now: Callable[[], datetime]) -> None:
        """Forget everything earlier simulations of this process left, and keep the world's time."""
        # It would make 1,300 machine images, each with its volume and snapshot; nobody here starts a machine.
        os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
        self._forget()
        moto_clock.keep_time_of(now)

    def warm_up(self, region: str) -> None:
        """Load the services a cutover uses: the first call of each would take up to half a second."""
        for service in WARM:
            scope = f"AWS4-HMAC-SHA256 Credential=AKIA/20240101/{region}/{service}/aws4_request, SignedHeaders="
            environ = {
                "PATH_INFO": "/",
                "HTTP_HOST": "127.0.0.1",
                "HTTP_AUTHORIZATION": scope,
                "REQUEST_METHOD": "POST",
            }
            self._application.get_application(environ)

    def end(self) -> None:
        """Give moto the wall's time back. What it holds is forgotten by the next to begin, or with the process."""
        moto_clock.keep_time_of(None)

    def answer(self, call: Call, environ: dict[str, Any]) -> Answer:
        """moto's answer. Raises AwsError where moto has none."""
        body = call.http.body
        environ = environ | {
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": self._errors,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input_terminated": True,
            **call.extra_environ,
        }
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], Any]:
            started[:] = [status, headers]
            return _discard

        try:
            parts = self._application(environ, start_response)
            answered = b"".join(parts)
        except Exception as error:
            log.debug("%s %s is beyond moto", call.service, call.operation, exc_info=True)
            raise unanswerable(call) from error
        status, headers = int(started[0].split(" ", 1)[0]), dict(started[1])
        if _is_html(headers, status) and not _is_stored_object(call, status):
            log.debug("moto answered %s %s with %s", call.service, call.operation, answered[:2000])
            raise unanswerable(call)
        return Answer(status, headers, answered)

    @staticmethod
    def _forget() -> None:
        BackendDict.reset()
        reset_model_data()


def _discard(_: bytes) -> None:
    """WSGI's `write`, which nobody uses."""


def unanswerable(call: Call) -> AwsError:
    """What AWS says of an operation it does not know."""
    message = (
        f"the rehearsed AWS does not answer {call.service} {call.operation or call.http.method + ' ' + call.http.path}"
    )
    if call.protocol in (Protocol.QUERY, Protocol.EC2):
        return AwsError("InvalidAction", message, 400)
    if call.protocol is Protocol.REST_XML:
        return AwsError("NotImplemented", message, 400)
    return AwsError("UnknownOperationException", message, 400)


def _is_html(headers: dict[str, str], status: int) -> bool:
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    return status >= 400 and kind.startswith("text/html")


def _is_stored_object(call: Call, status: int) -> bool:
    """S3 errors to HEAD, and some of moto's S3 errors, carry flask's default content type over a body that is fine."""
    return call.service == "s3" and status < 500
