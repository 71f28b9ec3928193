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
from contextlib import suppress
from pathlib import Path

from support.waiting import LAST_RESORT_S


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
        self.fd, slave = pty.openpty()
        self._name = os.ttyname(slave)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.fd)
            os.login_tty(slave)
            os.chdir(folder or ".")
            ours = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
            kind = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execvpe(command[0], command, ours | kind | (env or {}))
        os.close(slave)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def wait_for(self, text: bytes, timeout_s: float = LAST_RESORT_S) -> float:
        """Seconds until `text` has been written to the screen."""
        began, seen = time.monotonic(), b""
        while time.monotonic() - began < timeout_s:
            if select.select([self.fd], [], [], 0.05)[0]:
                seen = seen[-200:] + os.read(self.fd, 65536)
                if text in seen:
                    return time.monotonic() - began
        raise TimeoutError(f"{text!r} did not appear within {timeout_s} s")

    def drain(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                os.read(self.fd, 65536)

    def key(self, key: str) -> None:
        os.write(self.fd, key.encode())

    def fill(self) -> None:
        """Have it hold as much as it can, as one does that has not been read for a while."""
        slave = os.open(self._name, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while True:
                os.write(slave, b" " * 1024)
        os.close(slave)

    def ended(self) -> bool:
        """Whether the process has ended; what it wrote last can still be read."""
        self._ended = self._ended or os.waitpid(self.pid, os.WNOHANG) != (0, 0)
        return self._ended

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
            if select.select([self.fd], [], [], 0.01)[0]:
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
