"""The one door through which this program starts another: an installed module of its own, or a program by its name.

A child gets a safe path and the environment of its kind: nothing in the folder this process stands in leads it to other code.
Whatever it says last can be asked for, without secrets and with every character visible.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from functools import partial
from io import FileIO
from itertools import count
from pathlib import Path
from typing import Any

from probes.clients.child_environment import PROGRAM, ChildKind, child_environment
from probes.display_text import visible
from probes.frozen import frozen
from probes.reading import Reason, Unknown, Unseen
from probes.redact import one_line

GIVEN_VARS = "COCKPIT_VARS"
"""Variable of the environment that holds values of a plan's vars, a JSON list of NAME=VALUE: they may be secret."""

MOST_BYTES = 16 * 1024 * 1024
GRACE_S = 0.5
_TAIL_BYTES = 8192
_LONGEST_LINE = 1024 * 1024
_PR_SET_PDEATHSIG = 1
_SILENT = "it says nothing"


@frozen
class Command:
    """What is started: its words, the first an absolute path, and all of its environment."""

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)


def python_module(
    kind: ChildKind,
    module: str,
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    reads: Iterable[str] = (),
    given: Mapping[str, str] | None = None,
) -> Command:
    """An installed module, by the interpreter that runs this one. `-P`: what lies in the folder is not imported.

    Of `environ` (this process's by default) it gets what its kind gets and the variables named in `reads`; `given` as it is.
    """
    if not sys.executable:
        raise RuntimeError("this interpreter does not know its own path, so it cannot start itself again")
    own = child_environment(kind, environ, reads=reads) | {"PYTHONSAFEPATH": "1"} | dict(given or {})
    return Command((sys.executable, "-P", "-m", module, *arguments), own)


def program(name: str, *arguments: str, kind: ChildKind = PROGRAM) -> Command:
    """A program by its absolute path, or by a name that is looked for in the absolute folders of PATH.

    Raises FileNotFoundError, PermissionError.
    """
    environment = child_environment(kind)
    if "/" in name and not Path(name).is_absolute():
        raise FileNotFoundError(f"{name} depends on the current folder: name it by its absolute path")
    path = found(name)
    if path is None:
        unusable = shutil.which(name, mode=os.F_OK, path=environment["PATH"])
        raise (
            PermissionError(f"{name} may not be run") if unusable else FileNotFoundError(f"there is no program {name}")
        )
    return Command((str(path), *arguments), environment)


def found(name: str) -> Path | None:
    """Where a program is that is called by this name; None where there is none that may be run."""
    path = shutil.which(name, path=child_environment(PROGRAM)["PATH"])
    return Path(path) if path else None


# -- beside this process ---------------------------------------------------------------------------------------------------


class _LogTail:
    """What was added to a log since a child began to write to it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._from = log.stat().st_size if log.exists() else 0

    def last(self, lines: int) -> str:
        try:
            with self._log.open("rb") as file:
                file.seek(max(self._from, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError as error:
            return f"its log cannot be read: {error.strerror}"
        return last_words(text, lines)


def _own_log(log: Path) -> tuple[_LogTail, FileIO]:
    """A file that no other child writes to: `log`, or where one does, the next beside it. What it says last is its own then.

    A child holds its lock as long as it lives, whoever started it.
    """
    for number in count(1):
        path = log if number == 1 else log.with_stem(f"{log.stem}-{number}")
        tail, out = _LogTail(path), _private(path)
        try:
            if stat.S_ISREG(os.fstat(out.fileno()).st_mode):
                fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            out.close()
            continue
        return tail, out
    raise AssertionError("counting has no end")


def _private(log: Path) -> FileIO:
    """To be added to, and begun so that its user alone can read it: nothing that a child writes there is redacted."""
    return FileIO(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab")


class Child:
    """A process that goes on beside this one."""

    def __init__(self, process: subprocess.Popen[bytes], tail: _LogTail) -> None:
        self._process = process
        self._tail = tail

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """How it ended: its exit code, or a signal's number below zero; None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int:
        """Its exit code. Raises TimeoutError while it runs. Blocking."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"process {self.pid} did not end within {timeout_s:g} s") from None

    def signal(self, number: signal.Signals) -> None:
        """Does nothing once it has ended."""
        self._process.send_signal(number)

    def last_words(self, lines: int = 1) -> str:
        """The last lines it wrote, each redacted and visible, joined by ` | `."""
        return self._tail.last(lines)


def start(
    command: Command,
    log: Path,
    *,
    folder: str | None = None,
    user: int | None = None,
    dies_by: signal.Signals | None = None,
    only_errors: bool = False,
) -> Child:
    """Start it in a session of its own, without input; what it writes goes to the end of `log`, or of one beside it that no other
    child writes to. Raises OSError.

    `only_errors`: what it writes to its standard output is dropped. `user` is also its group. `dies_by` is sent to it when the
    thread that starts it ends (Linux only).
    """
    other: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    tail, log_of_its_own = _own_log(log)
    with log_of_its_own as out:
        process = subprocess.Popen(
            command.words,
            env=command.environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if only_errors else out,
            stderr=out,
            start_new_session=True,
            preexec_fn=None if dies_by is None else partial(_die_with_parent, dies_by),  # noqa: PLW1509 - one system call
            **other,
        )
    return Child(process, tail)


def _die_with_parent(number: signal.Signals) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


class PipedChild:
    """A process that is talked to in lines, by its standard input and output."""

    def __init__(self, process: asyncio.subprocess.Process, tail: _LogTail) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._tail = tail
        self.input: asyncio.StreamWriter = process.stdin
        self.output: asyncio.StreamReader = process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """As of `Child`."""
        return self._process.returncode

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Does nothing once it has ended."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def last_words(self, lines: int = 1) -> str:
        """As of `Child`: what it wrote to its standard error."""
        return self._tail.last(lines)


async def start_piped(command: Command, log: Path) -> PipedChild:
    """Start it in a session of its own; its standard error goes to the end of a log, as of `start`. Raises OSError."""
    tail, log_of_its_own = _own_log(log)
    with log_of_its_own as out:
        process = await asyncio.create_subprocess_exec(
            *command.words,
            env=command.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=out,
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
    return PipedChild(process, tail)


# -- to its end ------------------------------------------------------------------------------------------------------------


@frozen
class Completed:
    """What a program wrote, and how it ended."""

    code: int
    out: str
    err: str

    def last_words(self, lines: int = 1) -> str:
        """The last lines of its standard error, redacted and visible."""
        return last_words(self.err, lines)


def run(command: Command, *, timeout_s: float, folder: str | None = None, user: int | None = None) -> Completed:
    """Run it to its end, without input. Blocking. Raises OSError, and TimeoutError after `timeout_s`."""
    other: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    try:
        done = subprocess.run(
            command.words,
            env=command.environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            **other,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{command.words[0]} did not end within {timeout_s:g} s") from None
    return Completed(done.returncode, _text(done.stdout), _text(done.stderr))


async def ask_program(
    words: Sequence[str],
    *,
    timeout_s: float,
    hint: str,
    kind: ChildKind = PROGRAM,
    given: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program to its end for a probe, without input. Raises Unseen; `hint` says what to do when it is not there.

    It gets what its kind gets, and `given` as it is.
    """
    name = words[0]
    try:
        command = program(*words, kind=kind)
    except FileNotFoundError as error:
        raise Unseen(Unknown(Reason.NOT_FOUND, _why(error, f"there is no program {name}"), hint)) from None
    except PermissionError:
        raise Unseen(Unknown(Reason.ACCESS_DENIED, f"{name} may not be run", hint)) from None
    try:
        command = Command(command.words, {**command.environment, **(given or {})})
        return await complete(command, timeout_s=timeout_s)
    except FileNotFoundError:  # it was found: what is not there is what runs it
        detail = f"{name} is there, and the interpreter that its first line (#!) names is not"
        raise Unseen(Unknown(Reason.NOT_FOUND, detail, "install that, or correct the line")) from None
    except PermissionError:
        raise Unseen(Unknown(Reason.ACCESS_DENIED, f"{name} may not be run", hint)) from None
    except TimeoutError:
        detail = f"{name} did not end within {timeout_s:g} s"
        raise Unseen(Unknown(Reason.TIMEOUT, detail, f"run it by hand: {' '.join(words)}")) from None
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            detail = f"{name} is no program that this machine can run"
            hint = "a script begins with #! and its interpreter; what is compiled must be for this kind of machine"
            raise Unseen(Unknown(Reason.ERROR, detail, hint)) from None
        raise Unseen(Unknown(Reason.ERROR, f"{name}: {error.strerror}", "run it by hand")) from None


async def complete(command: Command, *, timeout_s: float) -> Completed:
    """As `run`, without blocking. It is killed at the deadline, and where this task is cancelled, with all it started.

    Of what it writes `MOST_BYTES` are kept.
    """
    process = await asyncio.create_subprocess_exec(
        *command.words,
        env=command.environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    ended = False
    try:
        async with asyncio.timeout(timeout_s):
            out, err, _ = await asyncio.gather(_most(process.stdout), _most(process.stderr), process.wait())
        ended = True
    finally:
        if not ended:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            with suppress(TimeoutError):  # what left its group may hold the pipes open: it is left behind
                async with asyncio.timeout(GRACE_S):
                    await process.wait()
    return Completed(process.returncode or 0, _text(out), _text(err))


async def _most(stream: asyncio.StreamReader) -> bytes:
    """What is written to the end; the rest is read and dropped, so that the writer is not stopped by a full pipe."""
    kept = bytearray()
    while chunk := await stream.read(1 << 16):
        kept += chunk[: MOST_BYTES - len(kept)]
    return bytes(kept)


def _why(error: OSError, otherwise: str) -> str:
    """Our own words; the system's begin with a number."""
    return str(error) if error.errno is None else otherwise


def last_words(text: str, lines: int = 1) -> str:
    """The last lines that say something, each redacted and visible, joined by ` | `.

    >>> print(last_words("starting\\npassword=hunter2hunter2 \\x1b[2J\\n\\n"))
    password=*** \\u{1b}[2J
    """
    written = [line for line in text.split("\n") if line.strip()][-lines:]
    return " | ".join(visible(one_line(line), keep="") for line in written) or _SILENT


def _text(output: bytes) -> str:
    return output[:MOST_BYTES].decode(errors="replace")
