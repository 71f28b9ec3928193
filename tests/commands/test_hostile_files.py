"""What is named to a command in a file's place: nobody waits for it, and it is said in a line."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cockpit.cli.main import main
from cockpit.console import output_file
from cockpit.exit_codes import BAD_PLAN, CANNOT_WRITE, USAGE
from cockpit.journal.ssh.allowed_signers import AllowedSigners
from cockpit.journal.ssh.keys import KeyFile
from cockpit.journal.ssh.sshsig import SshError
from cockpit.journal.timestamps import read_roots
from cockpit.ordinary_file import MOST
from cockpit.tui.terminal_settings import SETTINGS
from probes.clients.child_process import GIVEN_VARS


def pipe(at: Path) -> None:
    os.mkfifo(at)


def device(at: Path) -> None:
    at.symlink_to("/dev/zero")


def folder(at: Path) -> None:
    at.mkdir()


def circle(at: Path) -> None:
    at.symlink_to(at.name)


def without_end(at: Path) -> None:
    at.touch()
    os.truncate(at, 2**40)


def not_text(at: Path) -> None:
    at.write_bytes(b"\xff\0\xfe: \r\n" * 9)


HOSTILE = (pipe, device, folder, circle, without_end, not_text)
Make = Callable[[Path], None]


def called(*words: str, env: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, words, env=env)


@pytest.fixture(params=HOSTILE, ids=lambda make: str(make.__name__))
def named(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    make: Make = request.param
    make(tmp_path / "named")
    return str(tmp_path / "named")


def test_settings(named: str) -> None:
    said = called("keys", env={SETTINGS: named})
    assert (said.exit_code, len(said.stderr.splitlines())) == (USAGE, 1)
    assert named in said.stderr


@pytest.mark.parametrize("within", ["", "/within"])
@pytest.mark.parametrize("make", [pipe, device, circle, without_end])
def test_a_folder_to_keep_a_rehearsal_in(make: Make, within: str, tmp_path: Path) -> None:
    """It is refused before anything is begun, and nobody is told that a record was kept."""
    at = tmp_path / "na\x1b[2J\nmed"
    make(at)
    said = called("rehearse", "smooth", "--headless", "--keep", f"{at}{within}")
    assert said.exit_code == USAGE
    *_, line = said.stderr.splitlines()
    assert line.startswith("Error: Invalid value for '--keep': ")
    assert "na\\u{1b}[2J\\u{a}med" in line
    assert "1 of 2" not in said.stderr


def test_a_checklist(named: str) -> None:
    said = called("import", named)
    assert said.exit_code in (BAD_PLAN, USAGE)
    assert "named" in said.stderr
    assert said.stdout == ""


@pytest.mark.parametrize(
    "command", ["validate", "lint", "iam", "prove", "trust", "check", "doctor", "run", "migrate plan"]
)
def test_a_plan(named: str, command: str) -> None:
    said = called(*command.split(), named)
    assert said.exit_code in (BAD_PLAN, USAGE)
    assert "named" in said.stderr


def test_a_file_of_vars(named: str) -> None:
    said = called("validate", "checklists/minimal.yaml", "--vars", named)
    assert said.exit_code == BAD_PLAN
    assert "named:1:1" in said.stderr


def test_a_key_signers_and_certificates(named: str) -> None:
    with pytest.raises(SshError, match="named"):
        KeyFile(Path(named))
    with pytest.raises((OSError, ValueError), match=r"named|Is a directory"):
        read_roots(Path(named))
    with contextlib.suppress(OSError):
        assert not AllowedSigners.read(Path(named)).lines, "what can be read makes no sense"


@pytest.mark.parametrize("make", [pipe, folder, circle], ids=lambda make: str(make.__name__))
def test_a_place_to_write_to(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path / "named")
    with pytest.raises(SystemExit) as ended:
        output_file(str(tmp_path / "named"), "a document")
    assert ended.value.code == CANNOT_WRITE
    assert "cannot write" in capsys.readouterr().err


def test_a_scenario(named: str) -> None:
    named_so = Path(named).rename(f"{named}.yaml") if not Path(named).is_symlink() else Path(f"{named}.yaml")
    if not named_so.exists() and not named_so.is_symlink():
        named_so.symlink_to(Path(named).readlink())
    said = called("rehearse", str(named_so), "--headless")
    assert (said.exit_code, len(said.stderr.splitlines())) == (USAGE, 1)
    assert "named.yaml" in said.stderr


DEEP = "[" * 5_000
LONG = "9" * 5_000
"""A number of more digits than Python turns into one."""


@pytest.mark.parametrize("text", [f"theme = {DEEP}", f"quiet = {LONG}", "theme = " + "{a=" * 5_000])
def test_settings_without_end(text: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(text)
    said = called("keys", env={SETTINGS: str(tmp_path / "settings.toml")})
    assert (said.exit_code, len(said.stderr.splitlines())) == (USAGE, 1)
    assert "not TOML" in said.stderr


@pytest.mark.parametrize("text", [DEEP, f"[{LONG}]"], ids=["deep", "long"])
def test_vars_of_the_environment_without_end(text: str) -> None:
    said = called("validate", "checklists/minimal.yaml", env={GIVEN_VARS: text})
    assert said.exit_code == USAGE
    assert "is not a JSON list of texts" in said.stderr


@pytest.mark.parametrize(
    "text", [f"a: {DEEP}", f"a: {LONG}", "a: " + "{a: " * 5_000, "a: \x1b[31m", "a: !!python/none x"]
)
def test_a_scenario_without_end(text: str, tmp_path: Path) -> None:
    (tmp_path / "named.yaml").write_text(text)
    said = called("rehearse", str(tmp_path / "named.yaml"), "--headless")
    assert (said.exit_code, len(said.stderr.splitlines())) == (USAGE, 1)
    assert "named.yaml" in said.stderr


def test_as_much_as_people_write_is_read(tmp_path: Path) -> None:
    (tmp_path / "list.md").write_text("- [ ] Backups are there\n\n" + f"{'word ' * 15}\n" * ((MOST - 100) // 76))
    assert called("import", str(tmp_path / "list.md")).exit_code == 0
