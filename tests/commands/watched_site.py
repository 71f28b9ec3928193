"""A site that answers with the status a test gives it."""

from __future__ import annotations

import http.server


class Site(http.server.ThreadingHTTPServer):
    daemon_threads = True
    status = 200
    asked = 0


class Answers(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None: ...
