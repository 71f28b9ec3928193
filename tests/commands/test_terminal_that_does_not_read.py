"""A terminal that takes nothing (ctrl-s in its window, a dead ssh connection) stops neither the watch nor the way out of it."""

from __future__ import annotations

import os
import sqlite3
import termios
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from commands.watched_site import Site
from support.cockpit_process import COCKPIT
from support.pty_terminal import Terminal
from support.waiting import wait_until

from cockpit.journal.entry import Type
from cockpit.journal.record_folder import list_records

PLAN = """
plan: v1
name: stalled
environment: test
probes:
  site: {{uses: http.health, with: {{url: 'http://127.0.0.1:{port}/'}}, interval: 1s}}
success_criteria:
  - {{id: up, title: The site answers, success_condition: site.ok}}
"""
ALL_SCREENS = "123456" * 8
"""More frames than anything between the cockpit and its terminal would queue."""


def opened(tmp_path: Path, site: Site, *before: str) -> Terminal:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.format(port=site.server_port))
    state = {"XDG_STATE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    made = Terminal([*before, str(COCKPIT), "run", str(plan)], env=state)
    made.wait_for(b"READ-ONLY")
    return made


@pytest.fixture
def terminal(tmp_path: Path, site: Site) -> Iterator[Terminal]:
    made = opened(tmp_path, site)
    yield made
    made.kill()


def kept(folder: Path) -> int:
    """Readings in the record so far."""
    (record,) = list_records(folder / "cockpit" / "records")
    with closing(sqlite3.connect(f"file:{record.readings}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM readings").fetchone()[0])


def stall(terminal: Terminal, folder: Path) -> None:
    """Have it paint while its terminal takes not one byte, until the watch has gone on well beyond that."""
    terminal.fill()
    before = kept(folder)
    terminal.key(ALL_SCREENS)
    wait_until(lambda: kept(folder) >= before + 6, "readings went on")


def test_it_goes_on_watching_paints_what_is_new_once_it_is_read_again_and_can_be_left(
    terminal: Terminal, tmp_path: Path
) -> None:
    stall(terminal, tmp_path)
    terminal.key("?")
    terminal.wait_for(b"Every line of the checklist, by section")
    stall(terminal, tmp_path)
    terminal.key("q")
    wait_until(terminal.ended, "the process ended")
    last = terminal.rest()
    assert b"\x1b[?1049l" in last, "the screen of before is back"
    assert b"\x1b[?25h" in last, "and the cursor"
    assert termios.tcgetattr(terminal.fd)[3] & termios.ECHO, "and typing shows"


def test_a_window_that_is_closed_ends_it_even_where_the_signal_is_lost(tmp_path: Path, site: Site) -> None:
    made = opened(tmp_path, site, "sh", "-c", "trap '' HUP; exec \"$@\"", "sh")
    os.close(made.fd)
    wait_until(made.ended, "it ended by itself")
    (record,) = list_records(tmp_path / "cockpit" / "records")
    assert [chain.lines[-1].entry.type for chain in record.chains()] == [Type.CLOSE]
