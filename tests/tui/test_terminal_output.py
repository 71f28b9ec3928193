"""What is written to a terminal, in a pseudo-terminal that is read or is not."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from support.waiting import LAST_RESORT_S, wait_until

from cockpit.tui.driver import MOST_WAITING, TerminalOutput

FRAME = "abcdefghij" * 1000


class Screen:
    """A pseudo-terminal: the cockpit writes to `slave`, its window reads `master`."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        self.room_again = threading.Event()
        self.gone = threading.Event()
        self.output = TerminalOutput(self.slave, self.room_again.set, self.gone.set)

    def paint(self, most: int = 1000) -> int:
        """Paint while there is room; how many frames that were."""
        for done in range(most):
            if not self.output.room():
                return done
            self.output.write(FRAME)
        return most

    def read(self, length: int) -> str:
        found = b""
        while len(found) < length:
            found += os.read(self.master, 65536)
        return found.decode()


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    made.output.close()
    os.close(made.slave)
    os.close(made.master)


def test_a_terminal_that_is_not_read_gets_no_more_frames(screen: Screen) -> None:
    assert screen.paint() < 1000
    assert not screen.output.room()
    assert not screen.room_again.is_set()


def test_read_again_it_has_all_that_was_painted_and_is_painted_anew(screen: Screen) -> None:
    frames = screen.paint()
    assert screen.read(frames * len(FRAME)) == FRAME * frames
    assert screen.room_again.wait(LAST_RESORT_S)
    assert screen.output.room()


def test_a_terminal_that_is_read_gets_every_frame(screen: Screen) -> None:
    for _ in range(MOST_WAITING // len(FRAME) * 3):
        assert screen.output.room()
        screen.output.write(FRAME)
        assert screen.read(len(FRAME)) == FRAME
    assert not screen.room_again.is_set()


def test_the_end_waits_for_no_terminal_and_what_is_written_then_comes_first(screen: Screen) -> None:
    frames = screen.paint()
    assert not screen.output.settle()
    screen.output.write("[the screen of before]")
    found = ""
    while not found.endswith("[the screen of before]"):
        found += screen.read(1)
    assert found.count(FRAME) < frames


def test_a_terminal_that_is_read_has_everything_at_the_end(screen: Screen) -> None:
    screen.output.write("first")
    assert screen.output.settle()
    screen.output.write("last")
    screen.output.close()
    assert screen.read(9) == "firstlast"


def test_the_shell_s_own_terminal_still_waits(screen: Screen) -> None:
    screen.paint()
    assert os.get_blocking(screen.slave)


def test_a_window_that_was_closed_stops_nobody_and_is_said() -> None:
    screen = Screen()
    os.close(screen.master)
    for _ in range(100):
        wait_until(screen.output.room, "what cannot be shown is not kept")
        screen.output.write(FRAME)
    wait_until(screen.gone.is_set, "that it is gone is said")
    screen.output.close()
    os.close(screen.slave)


def test_output_that_is_no_terminal_is_written_too() -> None:
    reads, writes = os.pipe()
    output = TerminalOutput(writes, lambda: None, lambda: None)
    output.write("text")
    assert os.read(reads, 100) == b"text"
    output.close()
    os.close(reads)
    os.close(writes)
