"""The world's pulse: one number in a small file, by which the cockpit sees at once how far the world lags behind."""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path

_LAYOUT = struct.Struct("<d")
FILE = "pulse"


class Pulse:
    """Beaten by the world after every completed round, read by the cockpit; both see the same monotonic seconds."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size)

    @classmethod
    def create(cls, path: Path) -> Pulse:
        """A new pulse that has just beaten."""
        path.touch(mode=0o600)
        path.write_bytes(_LAYOUT.pack(time.monotonic()))
        return cls(path)

    def beat(self) -> None:
        self._map[: _LAYOUT.size] = _LAYOUT.pack(time.monotonic())

    @property
    def age_s(self) -> float:
        """Real seconds since the last beat."""
        last: float = _LAYOUT.unpack(self._map[: _LAYOUT.size])[0]
        return max(0.0, time.monotonic() - last)
