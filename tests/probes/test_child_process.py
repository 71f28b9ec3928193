"""Processes are started in one place; what they write last can be asked for, without secrets and visible."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from support.waiting import LAST_RESORT_S, wait_until

from probes.clients.child_process import Command, ask_program, program, run, start, start_piped
from probes.known_secrets import remember
from probes.reading import Reason, Unseen

SECRET = "correct-horse-battery-staple"
SAYS = f"printf 'first\\npassword=hunter2hunter2 {SECRET} \\033[2J\\n\\n' >&2; exit 3"
SAID = "password=*** *** \\u{1b}[2J"


def shell(script: str) -> Command:
    remember(SECRET)
    return program("sh", "-c", script)


def test_the_last_words_of_one_beside_us_are_its_own_redacted_and_visible(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("what another wrote\n")
    child = start(shell(SAYS), log)
    assert child.wait(LAST_RESORT_S) == 3
    assert child.last_words() == SAID
    assert child.last_words(9) == f"first | {SAID}"


def test_one_that_said_nothing_says_so(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("what another wrote\n")
    child = start(shell("exit 1"), log)
    child.wait(LAST_RESORT_S)
    assert child.last_words() == "it says nothing"
    log.unlink()
    assert child.last_words() == "its log cannot be read: No such file or directory"


def test_of_several_that_write_at_once_each_has_last_words_of_its_own(tmp_path: Path) -> None:
    """As workers of a migration do, beside the phase that started them."""
    log = tmp_path / "log"
    first, second = (start(shell(f"echo {name}; exec sleep 1000"), log) for name in ("first", "second"))
    wait_until(lambda: (first.last_words(), second.last_words()) == ("first", "second"), "each says its own")
    for each in (first, second):
        each.signal(signal.SIGKILL)
        each.wait(LAST_RESORT_S)
    before = sorted(tmp_path.iterdir())
    start(shell("exit 1"), log).wait(LAST_RESORT_S)
    assert sorted(tmp_path.iterdir()) == before, "a file is used again once its child has ended"


def test_what_is_no_word_of_it_is_dropped_where_that_is_asked(tmp_path: Path) -> None:
    child = start(shell("echo progress; echo why >&2; exit 1"), tmp_path / "log", only_errors=True)
    child.wait(LAST_RESORT_S)
    assert child.last_words(9) == "why"


def test_one_is_signaled_and_its_end_seen(tmp_path: Path) -> None:
    child = start(shell("exec sleep 1000"), tmp_path / "log")
    assert child.code is None
    child.signal(signal.SIGKILL)
    assert child.wait(LAST_RESORT_S) == -signal.SIGKILL
    child.signal(signal.SIGKILL)


async def test_the_last_words_of_one_that_is_talked_to(tmp_path: Path) -> None:
    child = await start_piped(shell(f"read line; echo got $line; {SAYS}"), tmp_path / "log")
    child.input.write(b"hello\n")
    assert await child.output.readline() == b"got hello\n"
    assert await child.wait() == 3
    assert child.last_words() == SAID
    child.signal(signal.SIGTERM)


def test_the_last_words_of_one_that_is_waited_for() -> None:
    done = run(shell(SAYS), timeout_s=LAST_RESORT_S)
    assert (done.code, done.last_words()) == (3, SAID)
    with pytest.raises(TimeoutError):
        run(shell("exec sleep 1000"), timeout_s=0.01)


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        ("no-such-program", Reason.NOT_FOUND, "there is no program no-such-program"),
        ("./tool", Reason.NOT_FOUND, "./tool depends on the current folder: name it by its absolute path"),
        ("{folder}/tool", Reason.ACCESS_DENIED, "{folder}/tool may not be run"),
    ],
)
async def test_a_probe_is_told_why_a_program_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: Reason, detail: str
) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unseen) as unseen:
        await ask_program([name.format(folder=tmp_path)], timeout_s=LAST_RESORT_S, hint="install it")
    assert (unseen.value.unknown.reason, unseen.value.unknown.detail) == (reason, detail.format(folder=tmp_path))
