"""A command whose file lies where no server answers ends with ctrl-c all the same, and with its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.cockpit_process import COCKPIT
from support.waiting import LAST_RESORT_S, wait_until

from cockpit.exit_codes import INTERRUPTED
from cockpit.tui.terminal_settings import SETTINGS

pytest_plugins = ["support.hung_files"]


def started(*words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """As a shell starts it in the foreground."""
    out = subprocess.PIPE
    return subprocess.Popen(
        [COCKPIT, *words], stdout=out, stderr=out, env=os.environ | dict(env or {}), process_group=0
    )


def waits_in_the_kernel(process: int) -> bool:
    """For a file whose server is away."""
    return b"request_wait_answer" in Path(f"/proc/{process}/wchan").read_bytes()


@pytest.mark.parametrize("command", ["validate {}/plan.yaml", "journal verify {}/record", "keys"])
def test_it_ends_though_its_file_is_never_read(command: str, hung_files: Path) -> None:
    words = command.format(hung_files).split()
    process = started(*words, env={SETTINGS: str(hung_files / "settings.toml")} if command == "keys" else None)
    try:
        wait_until(lambda: waits_in_the_kernel(process.pid), "it waits for its file")
        process.send_signal(signal.SIGINT)
        said = b"".join(process.communicate(timeout=LAST_RESORT_S))
    finally:
        process.kill()
    assert (process.returncode, said) == (INTERRUPTED, b"")
