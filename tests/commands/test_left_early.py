"""`q` works from the first moment: while AWS does not say whose account it is, too."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from support.cockpit_process import COCKPIT
from support.pty_terminal import Terminal

from cockpit.exit_codes import COULD_NOT_JUDGE

PLAN = """
plan: v1
name: silent
environment: test
target: {account: "123456789012", region: us-east-1}
probes:
  night: {uses: time.window, with: {days: [mon], from: '00:00', to: '06:00', timezone: UTC}}
success_criteria:
  - {id: night, title: It is night, success_condition: night.inside}
"""


@pytest.mark.parametrize(("keys", "code"), [("jq", COULD_NOT_JUDGE), ("\x03", 130), ("", 128 + signal.SIGTERM)])
def test_it_ends_at_once_and_the_terminal_is_given_back(tmp_path: Path, keys: str, code: int) -> None:
    """What is asked takes connections and never answers, so that nothing but the key, ctrl-c or a kill ends it."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        environment = {
            "XDG_STATE_HOME": str(tmp_path),
            "XDG_DATA_HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
        }
        terminal = Terminal([str(COCKPIT), "run", str(plan)], env=environment)
        terminal.wait_for(b"(q quits)")
        assert not terminal.echoes
        if keys:
            terminal.key(keys)
        else:
            os.kill(terminal.pid, signal.SIGTERM)
        last = terminal.read_until(terminal.ended)
    assert terminal.code == code
    assert terminal.echoes
    assert b"cannot determine the AWS account" not in last, "the key ended it, not the deadline"
    os.close(terminal.fd)
