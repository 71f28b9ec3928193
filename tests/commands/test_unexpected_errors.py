"""What no command expected: one line, an exit code that is no verdict, the traceback in a log only its user can read."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.waiting import LAST_RESORT_S

CALL = """
import sys, types, click
from cockpit.cli import main as cli
from cockpit.cli.lazy_group import Lazy
module = types.ModuleType("failing")
sys.modules["failing"] = module
@click.command()
def main():
    {body}
module.main = main
cli.main._lazy = {{"fail": Lazy("failing", "Fails.")}}
cli.main(["fail"])
"""


def call(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    return subprocess.run(
        [sys.executable, "-c", CALL.format(body=body)],
        capture_output=True, text=True, timeout=LAST_RESORT_S, env=os.environ | home, check=False,
    )  # fmt: skip


def test_an_error_nobody_expected_is_never_taken_for_a_verdict(tmp_path: Path) -> None:
    done = call(tmp_path, "raise KeyError('postgresql://u:hunter2hunter2@h/d')")
    assert done.returncode == 70
    assert "internal error: KeyError" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
    (log,) = tmp_path.rglob("cockpit.log")
    assert str(log) in done.stderr
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert "hunter2" not in log.read_text(encoding="utf-8")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.parametrize(("number", "words"), [(30, "Read-only file system"), (28, "No space left")])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, number: int, words: str) -> None:
    done = call(tmp_path, f"raise OSError({number}, __import__('os').strerror({number}), '/state/records')")
    assert done.returncode == 73
    assert done.stderr.startswith("cannot write /state/records: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [13, 1])
def test_a_file_without_permission_is_named_whether_it_was_read_or_written(tmp_path: Path, number: int) -> None:
    done = call(tmp_path, f"raise OSError({number}, __import__('os').strerror({number}), 'plan.yaml')")
    assert done.returncode == 77
    assert done.stderr.startswith("no access to plan.yaml: ")
    assert done.stderr.count("\n") == 1


def test_a_state_folder_that_cannot_be_made_hides_no_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    done = call(tmp_path, "raise RuntimeError('boom')")
    assert done.returncode == 70
    assert "boom" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_log_that_is_begun_again_is_private_too(tmp_path: Path) -> None:
    body = "from cockpit.log_file import log_to_file; import logging; log_to_file();"
    done = call(tmp_path, body + " [logging.getLogger().warning('x' * 100_000) for _ in range(60)]")
    assert done.returncode == 0, done.stderr
    logs = list(tmp_path.rglob("cockpit.log*"))
    assert len(logs) > 1
    assert {stat.S_IMODE(log.stat().st_mode) for log in logs} == {0o600}
