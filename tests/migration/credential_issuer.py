"""Credentials that expire: a container's endpoint that gives them out, and an S3 that refuses every token whose time is up."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.waiting import LAST_RESORT_S

from cockpit.rehearsal.object_store import ObjectStore
from cockpit.rehearsal.object_store.answers import Refused


class Issuer:
    """Gives out credentials that live `lives_s`, the same ones until `early_s` before their end; or nothing, while `silent`."""

    def __init__(self, lives_s: float, early_s: float = float("inf")) -> None:
        self.lives_s, self.early_s = lives_s, early_s
        self.silent = False
        self.answers = threading.Event()
        self.answers.set()
        """While it is not set, who asks waits."""
        self.passed_s = 0.0
        """So much more time has passed than a clock shows: the hours of a night, within seconds."""
        self.issued: dict[str, float] = {}
        """Until when each token holds."""
        issuer = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.answers.wait(LAST_RESORT_S)
                body = json.dumps(issuer.issue()).encode()
                self.send_response(500 if issuer.silent else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/role"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def issue(self) -> dict[str, str]:
        if self.silent:
            return {}
        token = f"token-{len(self.issued) - 1}"
        if self.issued.get(token, 0.0) - self.now() <= self.early_s:
            token = f"token-{len(self.issued)}"
            self.issued[token] = self.now() + self.lives_s
        ends = datetime.now(UTC) + timedelta(seconds=self.passed_s + self.issued[token] - self.now())
        return {
            "AccessKeyId": "rehearsal",
            "SecretAccessKey": "rehearsal-secret",
            "Token": token,
            "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def now(self) -> float:
        return time.monotonic() + self.passed_s

    def valid(self, token: str) -> bool:
        return self.now() < self.issued.get(token, 0.0)

    def expire(self) -> None:
        """All that was given out is refused from now on."""
        self.issued = dict.fromkeys(self.issued, 0.0)


class StrictStore(ObjectStore):
    """Refuses tokens whose time is up."""

    issuer: Issuer | None = None
    shown: set[tuple[str, str]]
    """Tokens that were accepted, with the client that showed them."""

    def _obey(self, request: Any, bucket: str, key: str) -> Any:
        token = request.headers.get("x-amz-security-token", "")
        if self.issuer is not None and not self.issuer.valid(token):
            self.requests["expired"] += 1
            raise Refused(400, "ExpiredToken", "The provided token has expired.")
        self.shown.add(("boto3" if "Botocore" in request.headers.get("user-agent", "") else "obstore", token))
        return super()._obey(request, bucket, key)

    def tokens(self, client: str) -> int:
        return len([token for by, token in self.shown if by == client])
