"""What no command expected: one line, an exit code that is no verdict, the traceback in a log only its user can read."""

from __future__ import annotations

import inspect
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.waiting import LAST_RESORT_S

from cockpit.console import output_file

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


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise KeyboardInterrupt", 130),
        ("raise click.Abort", 130),
        ("raise EOFError", 130),
        ("raise BrokenPipeError(32, 'of a socket')", 70),
        ("raise OSError(32, 'of a socket')", 70),
        ("raise SystemExit('words')", 70),
        ("raise __import__('asyncio').CancelledError", 70),
        ("raise BaseExceptionGroup('both', [KeyboardInterrupt()])", 70),
        ("raise GeneratorExit", 70),
        ("raise RecursionError", 70),
        ("raise click.ClickException('wrong')", 64),
        ("raise click.FileError('x')", 64),
        ("exec('1/0')", 70),
    ],
)
def test_no_way_out_is_taken_for_hold(tmp_path: Path, body: str, code: int) -> None:
    done = call(tmp_path, body)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_nobody_reads_ends_as_a_shell_says_it(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    body = "from cockpit.console import output; [output('x' * 9999) for _ in range(99)]"
    script = f'{sys.executable} -c "$CODE" | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True, text=True, timeout=LAST_RESORT_S,
        env=os.environ | home | {"CODE": CALL.format(body=body)}, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "141", done.stderr
    assert "Traceback" not in done.stderr


def test_a_stream_that_was_closed_before_is_no_other_file(tmp_path: Path) -> None:
    """Without a stream there, the first file that is opened would be standard output."""
    body = "print('to nobody'); input_ = sys.stdin.read(); f = open('/dev/full'); raise SystemExit(10 * f.fileno() + len(input_))"
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "CODE": CALL.format(body=body)}
    done = subprocess.run(
        ["bash", "-c", f'exec {sys.executable} -c "$CODE" <&- >&-'],
        capture_output=True, text=True, timeout=LAST_RESORT_S, env=os.environ | home, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode >= 30, "standard input and output are there"


@pytest.mark.parametrize("kind", ["a file where the folder should be", "a pipe where the file should be"])
def test_a_log_that_cannot_be_puts_nothing_off(kind: str, tmp_path: Path) -> None:
    if kind.startswith("a file"):
        (tmp_path / "state").write_text(kind)
    else:
        (tmp_path / "state" / "cockpit" / "log").mkdir(parents=True)
        os.mkfifo(tmp_path / "state" / "cockpit" / "log" / "cockpit.log")
    done = call(tmp_path, "from cockpit.log_file import log_to_file; log_to_file(); raise SystemExit(5)")
    assert done.returncode == 5
    assert done.stderr.startswith("no log is kept: cannot write ")


def test_a_document_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output_file(str(tmp_path / "a.html"), "a\n")
    assert stat.S_IMODE((tmp_path / "a.html").stat().st_mode) == 0o600
    for path, why in (
        (tmp_path / "nowhere" / "a.html", "No such file or directory"),
        (tmp_path, "Is a directory"),
        ("/dev/full", "No space left on device"),
        ("\0", "embedded null byte"),
    ):
        with pytest.raises(SystemExit) as ended:
            output_file(str(path), "text")
        assert ended.value.code == 73
        assert why in capsys.readouterr().err


def test_every_command_writes_its_documents_by_that_function() -> None:
    folder = Path(inspect.getfile(output_file)).parent / "commands"
    writers = [path.name for path in folder.rglob("*.py") if ".write_text(" in path.read_text(encoding="utf-8")]
    assert writers == ["pictures.py"], "it is for those who work on the cockpit"


def test_a_secret_of_the_environment_is_in_no_chained_exception(tmp_path: Path) -> None:
    body = (
        "from probes.known_secrets import remember; remember('N3ver-Seen!'); "
        'exec(\'try:\\n raise ValueError("N3ver-Seen!")\\nexcept ValueError as e:\\n raise RuntimeError("N3ver-Seen!") from e\')'
    )
    done = call(tmp_path, body)
    assert done.returncode == 70
    (log,) = tmp_path.rglob("cockpit.log")
    kept = log.read_text(encoding="utf-8")
    assert "direct cause" in kept
    assert "N3ver" not in done.stderr + done.stdout + kept.replace('remember("N3ver', "")
