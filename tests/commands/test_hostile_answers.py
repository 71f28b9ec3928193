"""What a server, AWS and a program answer, byte by byte over the wire, reaches no terminal but as what is seen."""

from __future__ import annotations

import http.server
import json
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.plans.trusted_plan import allow

from cockpit.cli.main import main

MARK = "GO  (forged)"
HOSTILE = f"a\x1b[2J\x1b]52;c;eHh4\x07\r{MARK}\n{MARK}\u2028{MARK}\u202e\u061c\u00ad\U000e0041\x9b2J[red]b[/]"
IN_XML = "".join(each for each in HOSTILE if each >= " ")
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
CALLER = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:sts::123456789012:assumed-role/{IN_XML}/x</Arn><UserId>{IN_XML}</UserId><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
FAILURE = {"__type": f"com.amazonaws#{IN_XML}", "message": HOSTILE}


class Answers(http.server.BaseHTTPRequestHandler):
    """A page for GET; for POST what STS says, and a failure of every other service."""

    def do_GET(self) -> None:
        self._send(200, json.dumps({"what": HOSTILE, HOSTILE: HOSTILE}).encode())

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        of_sts = b"GetCallerIdentity" in asked
        self._send(*((200, CALLER.encode()) if of_sts else (400, json.dumps(FAILURE).encode())))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status, "\x1b[2Jforged")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Amzn-Requestid", "r\x1b[2J\u00ad")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    script = tmp_path / "check.py"
    script.write_text(f"import sys\nsys.stdout.buffer.write({HOSTILE.encode()!r})\n")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "x")
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        file = tmp_path / "plan.yaml"
        file.write_text(
            "plan: v1\nname: p\ntarget: {region: us-east-1}\nprobes:\n"
            f"  page: {{uses: http.json, with: {{url: '{url}/', fields: {{what: {{pointer: /what, type: str}}}}}}}}\n"
            f"  program: {{uses: command, with: {{program: python3, arguments: ['{script}'], environment: [HOME]}}}}\n"
            "  who: {uses: aws.identity}\n"
            "  service: {uses: ecs.service, with: {cluster: c, service: s}}\n"
            "success_criteria:\n"
            "  - {id: a, title: A, success_condition: \"page.what == 'b'\", for: 1m}\n"
            "  - {id: b, title: B, success_condition: \"program.output == 'b'\", for: 1m}\n"
            "  - {id: c, title: C, success_condition: \"who.arn == 'b'\", for: 1m}\n"
            '  - {id: d, title: D, success_condition: "service.running > 1", for: 1m}\n'
        )
        yield allow(file)
        server.shutdown()


@pytest.mark.parametrize("command", [("check",), ("check", "--format", "json"), ("doctor",)], ids=" ".join)
def test_what_is_answered_is_shown_as_what_is_seen(plan: Path, command: tuple[str, ...]) -> None:
    name, *options = command
    done = CliRunner().invoke(main, [name, str(plan), *options])
    assert done.exit_code in (1, 2, 3), done.output
    assert "forged" in done.output
    assert not {f"{ord(each):x}" for each in done.output if each != "\n" and unicodedata.category(each) in UNSEEN}
    assert not [line for line in done.output.split("\n") if line.lstrip().startswith(MARK)]
