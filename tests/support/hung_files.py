"""A file system whose server is away: what is asked of a file there waits in the kernel, as on a network drive."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_HEADER = struct.Struct("<IIQQIIII")
_ANSWER = struct.Struct("<IiQ")
_INIT = struct.Struct("<IIIIHHIIHHI28x")


@pytest.fixture
def hung_files(tmp_path: Path) -> Iterator[Path]:
    """Where it is mounted; only root can."""
    place = tmp_path / "hung"
    place.mkdir()
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"no file system of ours can be mounted: {error}")
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
    if ctypes.CDLL(None).mount(b"hung", bytes(place), b"fuse", 0, options.encode()):
        os.close(device)
        pytest.skip("a file system can only be mounted by root")
    try:
        _length, _operation, unique, *_ = _HEADER.unpack_from(os.read(device, 1 << 17))
        answer = _INIT.pack(7, 31, 1 << 16, 0, 16, 12, 1 << 16, 1, 1, 0, 0)
        os.write(device, _ANSWER.pack(_ANSWER.size + len(answer), 0, unique) + answer)
        yield place  # and nothing else is ever answered
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
        os.close(device)
