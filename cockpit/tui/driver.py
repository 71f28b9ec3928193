"""The terminal's writing side: a frame the terminal has no room for is left out, so that nothing ever waits for a terminal.

Textual's own driver queues a few writes and then stops the event loop, which also reads, judges and records.
"""

from __future__ import annotations

import os
import select
import signal
import termios
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size

from cockpit.tui.calling import GIVEN_BACK, KEPT
from cockpit.tui.terminal_streams import screen_stream

MOST_WAITING = 64 * 1024
"""Bytes that wait for the terminal before frames are left out: a few screens of text."""
LAST_WAIT_S = 0.25
"""How long the end waits for a terminal that takes nothing; once more if throwing away what it holds makes no room."""
_LOOK_S = 0.02
"""What is thrown away makes room and wakes nobody."""
_PIECE = 64 * 1024
_CUT_SHORT = b"\x18\x1b[?2026l\x1b[m"
"""Ends whatever the piece before it left open: a sequence, a synchronised update, colours."""


class TerminalOutput:
    """Writes to a terminal in a daemon thread; `write` never waits."""

    def __init__(self, terminal: int, on_room: Callable[[], None], on_gone: Callable[[], None]) -> None:
        """`terminal` is a file descriptor. `on_room` is called in the thread once everything is written after `room` said no.

        `on_gone` is called in the thread at every write that finds the terminal closed.
        """
        self._descriptor = _opened(terminal)
        self._on_room, self._on_gone = on_room, on_gone
        self._waiting = bytearray()
        self._given_up = 0
        """How often what waited was thrown away."""
        self._refused = self._closed = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="terminal", daemon=True).start()

    def write(self, text: str) -> None:
        """Write it after all that came before."""
        with self._changed:
            self._waiting += text.encode(errors="replace")
            self._changed.notify_all()

    def room(self) -> bool:
        """Whether the terminal keeps up. If not, `on_room` is called when it does again."""
        with self._changed:
            self._refused = self._refused or len(self._waiting) > MOST_WAITING
            return not self._refused

    def settle(self) -> bool:
        """Wait a moment until everything is written; if it is not, throw it away, and what the terminal holds unread too.

        Whether everything was written.
        """
        with self._changed:
            if self._changed.wait_for(lambda: not self._waiting, LAST_WAIT_S):
                return True
            self._waiting[:] = _CUT_SHORT
            self._given_up += 1
            with suppress(termios.error):  # it is no terminal
                termios.tcflush(self._descriptor, termios.TCOFLUSH)
            return False

    def close(self) -> None:
        """`settle`, then nothing is written any more."""
        self.settle()
        with self._changed:
            self._waiting.clear()
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while (piece := self._next()) is not None:
            data, given_up = piece
            try:
                written = os.write(self._descriptor, data)
            except BlockingIOError:
                self._await_room()
                continue
            except OSError:  # it is gone: all that is written to it is lost
                written = len(data)
                self._on_gone()
            self._done(written, given_up)
        os.close(self._descriptor)

    def _next(self) -> tuple[bytes, int] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return (bytes(self._waiting[:_PIECE]), self._given_up) if self._waiting else None

    def _done(self, written: int, given_up: int) -> None:
        with self._changed:
            if given_up == self._given_up:  # else it was thrown away meanwhile
                del self._waiting[:written]
            self._changed.notify_all()
            if self._waiting or not self._refused:
                return
            self._refused = False
        self._on_room()

    def _await_room(self) -> None:
        looks = select.poll()
        looks.register(self._descriptor, select.POLLOUT)
        looks.poll(_LOOK_S * 1000)


def _opened(terminal: int) -> int:
    """The terminal opened once more, so that it can be non-blocking for us alone: the shell shares the one we were given.

    Where it cannot be opened, the same one again: then the thread may hang in it, and nothing else.
    """
    try:
        return os.open(os.ttyname(terminal), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return os.dup(terminal)


TYPED_WITHIN_S = 0.1
"""How long an escape may wait for the rest of its sequence; the end is noticed within it too."""


def _typed(terminal: int) -> bytes:
    """What waits to be read; empty for a terminal that is gone."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


NO_SIZE = (80, 24)
"""Of a terminal that does not know its own."""


class TerminalDriver(LinuxDriver):
    """Textual's driver, over a `TerminalOutput`. Whoever paints asks `room` first.

    The screen is on whichever standard stream is the terminal, and its size is the terminal's own: Textual takes standard error
    for the one and standard output, or what a shell has exported, for the other.
    """

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._file = screen_stream() or self._file  # type: ignore[assignment]  # all it asks of it is its descriptor
        self._output: TerminalOutput | None = None
        self.gave_up = False
        """Whether the terminal did not take the last of it."""

    def room(self) -> bool:
        """Whether a frame can be written now. If not, the app is refreshed as soon as it can."""
        return self._output is None or self._output.room()

    def write(self, data: str) -> None:
        if self._output is not None:
            self._output.write(data)

    def _get_terminal_size(self) -> tuple[int, int]:
        assert self._file is not None, "Textual's choice of a stream"
        try:
            width, height = os.get_terminal_size(self._file.fileno())
        except OSError:
            return NO_SIZE
        return width or NO_SIZE[0], height or NO_SIZE[1]

    def start_application_mode(self) -> None:
        assert self._file is not None, "Textual's choice of a stream"
        self._output = TerminalOutput(self._file.fileno(), self._refresh, self._gone)
        self.write(KEPT)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        signal.signal(signal.SIGWINCH, lambda *_: self._on_loop(self._take_size))

    def _take_size(self) -> None:
        """Post the size the terminal has now.

        Textual's own reads it in the signal's handler. A second signal within that handler posts its newer size first, and the
        older one stays.
        """
        size = Size(*self._get_terminal_size())
        self._app.post_message(events.Resize(size, size))

    def run_input_thread(self) -> None:
        """Take what is typed until the end, or until the terminal is gone: that is seen here first.

        Textual's own reads a terminal that is gone again and again, as fast as it can, and leaves an orderly end no time.
        """
        parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")("replace").decode
        # Not select(), which raises for the 1024th file: a cockpit of many probes, or started by something with many, has that.
        typing = select.poll()
        typing.register(self.fileno, select.POLLIN)
        while not self.exit_event.is_set():
            if typing.poll(TYPED_WITHIN_S * 1000):
                typed = _typed(self.fileno)
                if not typed:
                    self._gone()
                    return
                for event in parser.feed(decode(typed)):
                    self.process_message(event)
            for event in parser.tick():
                self.process_message(event)

    def stop_application_mode(self) -> None:
        if self._output is not None:
            self.gave_up = not self._output.settle()
        super().stop_application_mode()
        self.write(GIVEN_BACK)

    def close(self) -> None:
        """At the end, and whenever the shell has the terminal."""
        super().close()
        if self._output is not None:
            self._output.close()
            self._output = None

    def _gone(self) -> None:
        """Nobody is there any more. The signal that says so can be lost between Textual's own handlers, so quit by itself."""
        self._on_loop(self._app.exit)

    def _refresh(self) -> None:
        self._on_loop(self._app.refresh)

    def _on_loop(self, call: Callable[[], Any]) -> None:
        """Soon, from any thread or handler."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(call)
