"""Every command prints through one door: nothing unseen and no known secret gets past it, whatever it is given."""

from __future__ import annotations

import json
import os
import socket
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from commands.test_command_line import commands

from cockpit.cli.main import main
from cockpit.console import output

ROOT = Path(__file__).parents[2]
FORGED = "✓ GO  (post_deploy, forged"
HOSTILE = f"x\n{FORGED}\n\x1b]0;t\x07\r\u202e\u2028\u061c\u00ad\U000e0041\u200b\x9b2J"
SECRET = "Zx9-kQ2m'V7bN4"
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})
ALL = dict(commands(main))


def unseen(text: str) -> set[str]:
    return {f"{ord(each):x}" for each in text if each not in "\n\t" and unicodedata.category(each) in UNSEEN}


def hostile_plan(folder: Path) -> Path:
    """A plan whose every text says something no terminal should get, and whose probe holds a secret."""
    text = (ROOT / "checklists/minimal.yaml").read_text(encoding="utf-8")
    held = yaml.safe_load(text)
    held["title"] = HOSTILE
    for each in (*held.get("success_criteria", ()), *held.get("rollback_triggers", ())):
        each["title"] = HOSTILE
    held["vars"] = (held.get("vars") or {}) | {"token": "${env:TOKEN}", "url": "http://127.0.0.1:9/"}
    held["probes"]["secret_site"] = {"uses": "http.health", "with": {"url": "http://127.0.0.1:9/${token}"}}
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(held, allow_unicode=False), encoding="utf-8")
    return path


@pytest.fixture
def taken_port() -> Iterator[int]:
    """One that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("command", ALL)
@pytest.mark.parametrize("kind", ["hostile argument", "hostile plan", "help"])
def test_no_command_prints_what_nobody_sees_or_may_see(
    command: str, kind: str, taken_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "XDG_DATA_HOME": str(tmp_path / "data"),
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "TOKEN": SECRET,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    if kind == "hostile argument":
        given = [f"{HOSTILE} no such file", f"--{HOSTILE}"]
    elif kind == "hostile plan":
        # Two would go on: what cannot be stops them after the plan is loaded.
        stops = {"cockpit run": ["--as", HOSTILE], "cockpit serve": ["--port", str(taken_port)]}
        given = [str(hostile_plan(tmp_path)), *stops.get(command, [])]
    else:
        given = ["--help"]
    done = CliRunner().invoke(main, [*command.split()[1:], *given])
    said = done.stdout + done.stderr
    assert said, command
    assert not unseen(said), command
    assert not [line for line in said.splitlines() if line.lstrip().startswith(FORGED)], command
    assert SECRET not in said, command
    assert done.exit_code != 1 or command == "cockpit doctor", (command, said)  # which has its own 1


@pytest.mark.parametrize("command", ["check", "doctor", "validate", "lint", "iam"])
def test_a_plan_with_unseen_text_is_told_with_its_numbers(command: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("plan: v1\nname: a\ntitle: 'x\u061cy\U000e0041'\nbogus\u061c: 1\nprobes: {}\n", encoding="utf-8")
    done = CliRunner().invoke(main, [command, str(plan)])
    assert not unseen(done.output)
    assert "\\u{61c}" in done.output


def test_an_import_is_a_plan_in_which_everything_is_seen(tmp_path: Path) -> None:
    list_ = tmp_path / "LIST.md"
    list_.write_text(
        f"# One {HOSTILE.replace(chr(13), '')}\n\n## Part\n\n- [ ] Look \u202e at \u00ad this\n", encoding="utf-8"
    )
    done = CliRunner().invoke(main, ["import", str(list_)])
    assert not unseen(done.output)
    assert "\\u{202e}" in yaml.safe_load(done.stdout)["checklist"][0]["items"][0]["title"]


def test_json_gives_its_reader_every_character_back(tmp_path: Path) -> None:
    from cockpit.console import json_text

    text = json_text({"a": HOSTILE, "b": [HOSTILE]})
    assert not unseen(text)
    assert json.loads(text) == {"a": HOSTILE, "b": [HOSTILE]}


def test_a_newline_within_a_line_is_shown_as_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    output(f"alarm {HOSTILE}", "and the next")
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert said[0].startswith(f"alarm x\\u{{a}}{FORGED}")
