"""The private folder of a rehearsal, and sweeping up after rehearsals that died without cleaning.

Both processes of a rehearsal hold a shared lock on a file in its folder while they live. A folder whose lock nobody
holds belongs to the dead: this cannot be fooled by a process id used again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import IO

PREFIX = "cutover-rehearsal-"
_LOCK = "alive"
_JUST_MADE_S = 60.0


def make() -> tuple[Path, IO[bytes]]:
    """A new private folder and the lock that keeps it; close the lock's file to give it up."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    return folder, hold(folder)


def hold(folder: Path) -> IO[bytes]:
    """Say that the folder is in use, until the returned file is closed or the process ends."""
    file = (folder / _LOCK).open("ab")
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def remove(folder: Path) -> None:
    """Take the folder away; it is no error if somebody else already did."""
    shutil.rmtree(folder, ignore_errors=True)


def sweep(base: Path | None = None) -> list[Path]:
    """Remove the folders of dead rehearsals of this user; which ones."""
    base = base or Path(tempfile.gettempdir())
    swept = []
    for folder in base.glob(f"{PREFIX}*"):
        if _is_abandoned(folder):
            remove(folder)
            swept.append(folder)
    return swept


def _is_abandoned(folder: Path) -> bool:
    try:
        about = folder.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
            return False
        with (folder / _LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except BlockingIOError:
        return False
    except FileNotFoundError:
        # Made this very moment by somebody who has not taken the lock yet, or never finished.
        return time.time() - about.st_mtime > _JUST_MADE_S if folder.exists() else False
    except OSError:
        return False
