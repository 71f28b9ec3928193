"""Files that somebody names: a pipe, a device and what has no end are refused, and nobody waits for them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST = 1_000_000
"""Bytes of what people write by hand."""


def looked_at(path: Path) -> os.stat_result | None:
    """What is there, by one look: whoever looks twice may find it gone in between. None where nothing is. Raises OSError."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_ordinary(path: Path, most: int = MOST) -> bytes:
    """What a file holds. Raises OSError, for what is no file or is larger, too."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "is not an ordinary file", str(path))
        with os.fdopen(handle, "rb", closefd=False) as file:
            raw = file.read(most + 1)
    finally:
        os.close(handle)
    if len(raw) > most:
        raise OSError(errno.EFBIG, f"is larger than {most // 1_000_000} MB", str(path))
    return raw
