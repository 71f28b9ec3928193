"""A machine whose clock is seven minutes off from AWS's: it is answered, goes by the true time, and says so."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from support.cockpit_process import cockpit

OFF = timedelta(minutes=7)
ALLOWED = timedelta(minutes=5)
PLAN = """
plan: v1
name: clocks
environment: staging
verdict_dwell: 0s
target: {account: "123456789012", region: us-east-1}
probes:
  identity: {uses: aws.identity}
success_criteria:
  - {id: right, title: The right account, success_condition: "identity.account == '123456789012'"}
rollback_triggers:
  - {id: wrong, title: The wrong account, failure_condition: "identity.account != '123456789012'"}
"""
ANSWER = """<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ada</Arn>
<UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult>
<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""
REFUSAL = """<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code>
<Message>Signature not yet current</Message></Error><RequestId>r</RequestId></ErrorResponse>"""


class Sts(http.server.ThreadingHTTPServer):
    """STS by its own clock, which refuses what is dated wrongly."""

    daemon_threads = True
    ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Answers(http.server.BaseHTTPRequestHandler):
    server: Sts

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        dated = datetime.strptime(self.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        wrong = abs(dated - self.server.now()) > ALLOWED
        body = (REFUSAL if wrong else ANSWER).encode()
        self.send_response(403 if wrong else 200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        del timestamp
        return format_datetime(self.server.now(), usegmt=True)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def sts() -> Iterator[Sts]:
    server = Sts(("127.0.0.1", 0), Answers)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


def run(sts: Sts, command: str, plan: Path, *more: str) -> tuple[int, str, str]:
    environ = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "x", "NO_PROXY": "127.0.0.1"}
    done = cockpit(command, str(plan), *more, AWS_ENDPOINT_URL=f"http://127.0.0.1:{sts.server_port}", **environ)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("ahead", "side"), [(OFF, "behind"), (-OFF, "ahead of")])
def test_check_goes_by_the_true_time_and_says_how_far_the_machine_is_off(
    ahead: timedelta, side: str, sts: Sts, plan: Path
) -> None:
    sts.ahead = ahead
    before = sts.now()
    code, out, err = run(sts, "check", plan, "--format", "json")
    assert (code, f"s {side} AWS; times here are corrected by that: set its clock" in err) == (0, True), out + err
    now = datetime.fromisoformat(json.loads(out)["now"])
    assert before - timedelta(seconds=2) < now < sts.now() + timedelta(seconds=2)


def test_doctor_says_so_too(sts: Sts, plan: Path) -> None:
    sts.ahead = OFF
    code, _, err = run(sts, "doctor", plan)
    assert (code, "this machine is" in err) == (0, True), err


def test_nothing_is_said_of_a_clock_that_is_right(sts: Sts, plan: Path) -> None:
    code, _, err = run(sts, "check", plan)
    assert "CLOCK" not in err
    assert code == 0, err
