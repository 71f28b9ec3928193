"""The cockpit in a pseudo-terminal, as its user has it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from support.waiting import LAST_RESORT_S


def readable(descriptor: int, seconds: float) -> bool:
    """Whether there is something to read, waited for so long. Where many files are open, select() refuses the newest."""
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    return bool(ready.poll(seconds * 1000))


class Terminal:
    """A process in a pseudo-terminal."""

    def __init__(
        self,
        command: list[str],
        *,
        width: int = 140,
        height: int = 45,
        env: dict[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.began = time.monotonic()
        self._ended = False
        self.code: int | None = None
        """As a shell reports it: 128 + the signal that killed it; None while it runs."""
        self.fd, slave = pty.openpty()
        self.name = os.ttyname(slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.fd)
            os.login_tty(slave)
            os.chdir(folder or ".")
            for each in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTSTP):
                signal.signal(each, signal.SIG_DFL)  # tests in the background of a shell are deaf to some of them
            ours = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
            kind = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execvpe(command[0], command, ours | kind | (env or {}))
        os.close(slave)
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """As a window is: the process is signalled."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    @property
    def echoes(self) -> bool:
        """Whether typing shows, as it does in a shell and not in a full screen."""
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def wait_for(self, text: bytes, timeout_s: float = LAST_RESORT_S) -> float:
        """Seconds until `text` has been written to the screen."""
        began, seen = time.monotonic(), b""
        while time.monotonic() - began < timeout_s:
            if readable(self.fd, 0.05):
                seen = seen[-200:] + os.read(self.fd, 65536)
                if text in seen:
                    return time.monotonic() - began
        raise TimeoutError(f"{text!r} did not appear within {timeout_s} s")

    def drain(self, seconds: float) -> None:
        self.read_for(seconds)

    def read_for(self, seconds: float) -> bytes:
        """What it writes in that time."""
        found, until = b"", time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if readable(self.fd, left):
                found += os.read(self.fd, 65536)
        return found

    def key(self, key: str) -> None:
        os.write(self.fd, key.encode())

    def fill(self) -> None:
        """Have it hold as much as it can, as one does that has not been read for a while."""
        slave = os.open(self.name, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while True:
                os.write(slave, b" " * 1024)
        os.close(slave)

    def ended(self) -> bool:
        """Whether the process has ended; what it wrote last can still be read."""
        if not self._ended:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._ended = pid != 0
            if self._ended:
                self.code = os.waitstatus_to_exitcode(status)
        return self._ended

    def stopped(self) -> bool:
        """Whether it is stopped, as by ctrl-z."""
        return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    def read_until(self, condition: Callable[[], bool]) -> bytes:
        """What it wrote until something is so. Raises TimeoutError after the last resort."""
        found, ends = b"", time.monotonic() + LAST_RESORT_S
        while not condition():
            if time.monotonic() > ends:
                raise TimeoutError(f"never so; the screen had {found[-500:]!r}")
            if readable(self.fd, 0.01):
                with suppress(OSError):  # EIO: it has ended
                    found += os.read(self.fd, 65536)
        return found + self._ready()

    def _ready(self) -> bytes:
        found = b""
        with suppress(OSError):
            while readable(self.fd, 0) and (more := os.read(self.fd, 65536)):
                found += more
        return found

    def rest(self) -> bytes:
        """All that a process which has ended wrote and nobody has read."""
        found = b""
        with suppress(OSError):  # EIO: that was all
            while more := os.read(self.fd, 65536):
                found += more
        return found

    def quit(self) -> float:
        """Seconds from `q` to the end of the process."""
        began = time.monotonic()
        self.key("q")
        while not self.ended():
            if time.monotonic() - began > LAST_RESORT_S:
                os.kill(self.pid, signal.SIGKILL)
            if readable(self.fd, 0.01):
                try:
                    os.read(self.fd, 65536)
                except OSError:
                    continue
        os.close(self.fd)
        return time.monotonic() - began

    def kill(self) -> None:
        """As a closed window or a lost machine ends it: no goodbye."""
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
