"""Files whose content an operator has allowed: their digests, and whether others than the operator may change them.

Rule: what only its reader and root may write, every folder and link on the way included, stays what it was when it was looked
at; the rest is of no use, whatever its digest (as OpenSSH's StrictModes has it, and its Debian patch for groups of one).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_MOST_LINKS = 40
_SHOWN = 32
_digests: dict[tuple[str, int, int, int, int, int], str] = {}


def digest_of(path: Path) -> str:
    """The first 128 bits of the SHA-256 of a file, in hex; empty of what may not be read or is not a file.

    It is read again whenever anything of its inode has changed: ctime cannot be set by hand.
    """
    with suppress(OSError):
        held = path.stat()
        if not stat.S_ISREG(held.st_mode):
            return ""
        known = (str(path), held.st_dev, held.st_ino, held.st_size, held.st_mtime_ns, held.st_ctime_ns)
        if known not in _digests:
            with path.open("rb") as file:
                _digests[known] = hashlib.file_digest(file, "sha256").hexdigest()[:_SHOWN]
        return _digests[known]
    return ""


def files_in(arguments: Iterable[str], folder: Path) -> Iterator[Path]:
    """The files that arguments name and that a program may run: those of `folder`, and scripts and programs anywhere.

    A relative one is looked for in `folder` and where the cockpit was started, for that is where a program looks.
    """
    folder = folder.absolute()
    for argument in arguments:
        option, _, value = argument.partition("=")
        for text in dict.fromkeys((argument, value if option.startswith("-") else "")):
            for path in dict.fromkeys((folder / text, Path.cwd() / text)) if text else ():
                with suppress(OSError, ValueError):
                    if path.is_file() and (not Path(text).is_absolute() or _may_run(path, folder)):
                        yield path


def _may_run(path: Path, folder: Path) -> bool:
    if path.resolve().is_relative_to(folder.resolve()) or path.is_relative_to(folder) or os.access(path, os.X_OK):
        return True
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def open_to_others(path: Path) -> str:
    """The file, folder or link on the way to `path` that others than this user and root may change; empty where none is."""
    return next((str(step) for step in _way(path) if _is_open(step)), "")


def _way(path: Path) -> Iterator[Path]:
    """Everything that decides what `path` is: each folder, each link, and the folders on the links' own way."""
    at, left, links = Path("/"), list(path.absolute().parts[1:]), 0
    yield at
    while left:
        name = left.pop(0)
        if name == "..":
            at = at.parent
            continue
        step = at / name
        yield step
        with suppress(OSError):
            if step.is_symlink() and links < _MOST_LINKS:
                links += 1
                target = step.readlink()
                left = [*target.parts[1 if target.is_absolute() else 0 :], *left]
                at = Path("/") if target.is_absolute() else at
                continue
        at = step


def _is_open(step: Path) -> bool:
    try:
        held = step.lstat()
    except OSError:
        return False  # it is not there, or not to be seen: then nothing of it runs
    if held.st_uid not in (0, os.geteuid()):
        return True
    if stat.S_ISLNK(held.st_mode):
        return False  # its bits mean nothing; its folder's do
    if stat.S_ISDIR(held.st_mode) and held.st_mode & stat.S_ISVTX:
        return False  # nobody takes away or renames what is another's there
    shared = held.st_mode & stat.S_IWGRP and not _is_of_one(held.st_gid)
    return bool(shared or held.st_mode & stat.S_IWOTH)


def _is_of_one(group: int) -> bool:
    """Whether a group is this user's alone: their own, of their name, with no other member; root's group is root's."""
    import grp
    import pwd

    if group == 0:
        return True
    with suppress(KeyError):
        user, held = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
        return user.pw_gid == group and held.gr_name == user.pw_name and set(held.gr_mem) <= {user.pw_name}
    return False
