"""A machine whose clock is off by minutes is answered by AWS all the same: its requests are signed with the true time."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import botocore.auth
import pytest
from botocore.compat import get_current_datetime
from support.aws.wire import AnsweringAws, Told, refusal, wire
from support.clock import Machine

from probes.clients.signing_time import sign_by
from probes.reading import Reason, Unseen

ALLOWED = timedelta(minutes=5)
"""How far AWS lets a request be dated from its own time."""


class Strict:
    """An AWS that refuses what is dated wrongly, as it does, and says what time it is."""

    def __init__(self, machine: Machine, code: str = "InvalidSignatureException") -> None:
        self.machine, self.code = machine, code
        self.aws = AnsweringAws(clock_offset=machine.said)
        self.aws.on["ListClusters"] = self.answer

    def answer(self, params: dict[str, Any]) -> Told:
        date = params["headers"]["X-Amz-Date"]
        text = date.decode() if isinstance(date, bytes) else date
        dated = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        wrong = abs(dated - self.machine.true) > ALLOWED
        status, headers, body = refusal(self.code) if wrong else wire({"clusterArns": ["arn"]})
        return status, {**headers, "Date": format_datetime(self.machine.true, usegmt=True)}, body


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", get_current_datetime)


@pytest.mark.parametrize("off", [-420, 420, 7200])
async def test_it_is_refused_once_and_then_answered(off: float) -> None:
    strict = Strict(Machine(off=off))
    sign_by(strict.machine.said)
    assert (await strict.aws.clients.aws("ecs", "list_clusters"))["clusterArns"] == ["arn"]
    assert len(strict.aws.asked) == 2
    await strict.aws.clients.aws("ecs", "list_clusters")
    assert len(strict.aws.asked) == 3, "from then on it is known"


async def test_a_refusal_for_another_reason_is_not_asked_again() -> None:
    strict = Strict(Machine(off=-420), "AccessDeniedException")
    sign_by(strict.machine.said)
    with pytest.raises(Unseen) as refused:
        await strict.aws.clients.aws("ecs", "list_clusters")
    assert refused.value.unknown.reason is Reason.ACCESS_DENIED
    assert len(strict.aws.asked) == 1


async def test_a_key_that_is_no_longer_valid_is_asked_about_once() -> None:
    strict = Strict(Machine())
    sign_by(strict.machine.said)
    strict.aws.on["ListClusters"] = refusal("SignatureDoesNotMatch")
    with pytest.raises(Unseen):
        await strict.aws.clients.aws("ecs", "list_clusters")
    assert len(strict.aws.asked) == 1


def test_what_signs_is_loaded_when_it_is_needed_and_corrected_then() -> None:
    done = subprocess.run([sys.executable, "-c", LATER], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


LATER = """
import sys
from probes.clients.clock_offset import ClockOffset
from probes.clients.signing_time import sign_by
sign_by(ClockOffset())
assert "botocore" not in sys.modules
from probes.clients.aws_sessions import aws_session
aws_session(region="us-east-1")
import botocore.auth
from botocore.compat import get_current_datetime
assert botocore.auth.get_current_datetime is not get_current_datetime
"""
