"""The HTTP server before the simulated AWS: threaded, keeps connections alive, says nothing on the terminal."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Iterable, Mapping
from typing import IO, Any, cast

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import DechunkedInput, ThreadedWSGIServer

log = logging.getLogger("cockpit.rehearsal.aws")
_BODYLESS = {204, 304}


class _Handler(MotoRequestHandler):
    """One connection. werkzeug closes it after each answer; we read every body to its end, so we need not."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 65536
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.open_sockets.add(self.connection)

    def finish(self) -> None:
        self.server.open_sockets.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        self.environ = environ
        environ["rehearsal.body"] = self._body(environ)
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
            started[:] = [status, headers]

        try:
            body = _joined(self.server.app(environ, start_response))
        except ConnectionError:
            # A dropped connection: not a byte of an answer.
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(started[0], dict(started[1]), body)

    def _body(self, environ: Mapping[str, Any]) -> bytes:
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            dechunked: bytes = DechunkedInput(cast("IO[bytes]", self.rfile)).read()
            return dechunked
        return self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0))

    def _send(self, status: str, headers: Mapping[str, str], body: bytes) -> None:
        code = int(status.split(" ", 1)[0])
        lines = [f"HTTP/1.1 {status}"]
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        lines += [
            f"{name}: {value}"
            for name, value in headers.items()
            if name.lower() not in ("content-length", "connection")
        ]
        if code not in _BODYLESS:
            lines.append(f"Content-Length: {length or len(body)}")
        if self.close_connection:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        self.wfile.write(head if self.command == "HEAD" else head + body)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        if type == "error":
            log.debug(message.rstrip(), *args)


class _Server(ThreadedWSGIServer):
    """Threads are daemons; their connections are closed when the server stops."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, app: Any) -> None:
        super().__init__("127.0.0.1", 0, app, _Handler)
        self.open_sockets: set[socket.socket] = set()

    def handle_error(self, _: Any, __: Any) -> None:
        log.exception("a connection of the simulated AWS failed")


def _joined(parts: Iterable[bytes]) -> bytes:
    try:
        return b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()


class HttpFront:
    """Serves a WSGI application on 127.0.0.1 and a random port, from `start` to `stop`."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Begin to serve; the URL."""
        self._server = _Server(self._app)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="simulated AWS", daemon=True
        )
        self._thread.start()
        return f"http://127.0.0.1:{self._server.port}"

    def stop(self) -> None:
        """Stop serving and cut every connection. May be called twice."""
        server, self._server = self._server, None
        if server is None or self._thread is None:
            return
        server.shutdown()
        self._thread.join(timeout=5)
        server.server_close()
        for connection in list(server.open_sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
