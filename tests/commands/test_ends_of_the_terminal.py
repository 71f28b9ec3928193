"""Where a terminal begins and ends: there is none, it is sized and stopped, a signal ends it. It is always given back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support.cockpit_process import COCKPIT, cockpit
from support.pty_terminal import Terminal
from support.waiting import wait_until

from cockpit.exit_codes import USAGE
from cockpit.journal.entry import Type
from cockpit.journal.record_folder import list_records
from cockpit.tui.terminal_streams import no_terminal

PLAN = """
plan: v1
name: ends
environment: test
probes:
  night: {uses: time.window, with: {days: [mon], from: '00:00', to: '06:00', timezone: UTC}}
success_criteria:
  - {id: night, title: It is night, success_condition: night.inside}
"""
SHOWN_AGAIN = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[?2004l", b"\x1b[<u")
"""The shell's screen, its cursor; no mouse, no bracketed paste, no other keyboard."""


def opened(tmp_path: Path, to: str) -> Terminal:
    """`cockpit run`, with a stream of it redirected as a shell does it."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    state = {"XDG_STATE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "COLUMNS": "33", "LINES": "7"}
    command = ["sh", "-c", f'exec "$@" {to}', "sh", str(COCKPIT), "run", str(plan)]
    made = Terminal(command, width=80, height=24, env=state)
    made.wait_for(b"READ-ONLY")
    return made


def given_back(terminal: Terminal, last: bytes) -> None:
    assert [each for each in SHOWN_AGAIN if each not in last] == []
    assert terminal.echoes


def closed(tmp_path: Path) -> bool:
    (record,) = list_records(tmp_path / "cockpit" / "records")
    return [chain.lines[-1].entry.type for chain in record.chains()] == [Type.CLOSE]


def test_it_is_sized_and_stopped_and_continued_and_a_kill_gives_the_terminal_back(tmp_path: Path) -> None:
    terminal = opened(tmp_path, f"2>{tmp_path / 'errors'}")
    for last in range(61, 73):
        for number in range(40):
            terminal.resize(1 + number * 7 % 160, 1 + number * 5 % 60)
        terminal.resize(1, 1)
        terminal.resize(120, last)
        terminal.wait_for(f"\x1b[{last};1H".encode())  # the row only the last size has, whatever a shell has exported
    terminal.resize(120, 30)
    terminal.wait_for(b"Checklist")  # named in a footer that wide
    terminal.key("\x1b[20~")
    terminal.wait_for(b"to confirm")  # letters are text there; to the shell it goes all the same
    terminal.key("\x1a")
    given_back(terminal, terminal.read_until(terminal.stopped))
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.wait_for(b"READ-ONLY")
    assert not terminal.echoes
    os.kill(terminal.pid, signal.SIGTERM)
    given_back(terminal, terminal.read_until(terminal.ended))
    assert terminal.code == 128 + signal.SIGTERM
    assert closed(tmp_path)
    assert (tmp_path / "errors").read_text() == ""
    os.close(terminal.fd)


def test_a_window_that_hangs_up_does_too(tmp_path: Path) -> None:
    terminal = opened(tmp_path, f">{tmp_path / 'output'}")
    os.kill(terminal.pid, signal.SIGHUP)
    given_back(terminal, terminal.read_until(terminal.ended))
    assert terminal.code == 128 + signal.SIGHUP
    assert closed(tmp_path)
    assert (tmp_path / "output").read_text() == ""
    os.close(terminal.fd)


def test_who_leaves_is_given_the_command_that_was_typed_to_go_on(tmp_path: Path) -> None:
    plan, share = tmp_path / "plan.yaml", tmp_path / "share"
    plan.write_text(PLAN)
    state = {"XDG_STATE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    terminal = Terminal(
        [str(COCKPIT), "run", str(plan), "--new", "--phase", "pre_deploy", "--share", str(share)], env=state
    )
    terminal.wait_for(b"READ-ONLY")
    terminal.key("q")
    last = terminal.read_until(terminal.ended).decode()
    (record,) = list_records(tmp_path / "cockpit" / "records")
    # Without the phase: the cutover may have left it, and would be put back into it.
    assert f"go on    cockpit run {plan} --share {share} --record {record.path.name}" in last
    os.close(terminal.fd)


def test_who_leaves_a_rehearsal_is_given_its_verdict_and_how_to_keep_the_next_record(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    state = {"XDG_STATE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    terminal = Terminal([str(COCKPIT), "rehearse", "--played", "--plan", str(plan)], env=state)
    terminal.wait_for(b"REHEARSAL")
    terminal.key("q")
    last = terminal.read_until(terminal.ended).decode()
    assert "HOLD since" in last
    assert "--keep FOLDER" in last
    os.close(terminal.fd)


@pytest.mark.long
def test_a_rehearsal_whose_window_is_closed_ends_in_order(tmp_path: Path) -> None:
    """Not by its last resort, which would be a kill (SIGKILL)."""
    state = {"XDG_STATE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    terminal = Terminal([str(COCKPIT), "rehearse", "smooth", "--keep", str(tmp_path / "kept")], env=state)
    terminal.wait_for(b"READ-ONLY")
    os.close(terminal.fd)
    wait_until(terminal.ended, "it ended")
    assert terminal.code == 128 + signal.SIGHUP
    (record,) = list_records(tmp_path / "kept")
    assert Type.CLOSE in [chain.lines[-1].entry.type for chain in record.chains()]


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        (("run", "plan.yaml"), "cockpit check plan.yaml"),
        (("rehearse", "smooth"), "cockpit rehearse smooth --headless"),
    ],
    ids=["run", "rehearse"],
)
def test_without_a_terminal_it_names_the_command_for_that(
    command: tuple[str, ...], instead: str, tmp_path: Path
) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    ended = cockpit(*(str(tmp_path / word) if word == "plan.yaml" else word for word in command))
    assert ended.returncode == USAGE
    assert ended.stdout == ""
    assert "\x1b" not in ended.stderr
    assert "is a terminal" in ended.stderr
    assert instead.replace("plan.yaml", str(tmp_path / "plan.yaml")) in ended.stderr


def test_a_terminal_that_cannot_place_text_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal(["true"])
    with os.fdopen(os.open(screen.name, os.O_RDWR | os.O_NOCTTY), "w", closefd=True) as stream:
        for name in ("__stdin__", "__stdout__"):
            monkeypatch.setattr(f"sys.{name}", stream)
        assert not no_terminal("instead", {"TERM": "xterm"})
        assert "TERM=dumb" in no_terminal("instead", {"TERM": "dumb"})
    screen.kill()
