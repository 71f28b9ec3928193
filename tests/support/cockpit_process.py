"""The command line in a process of its own. It is forked from one that has imported the program already, so that a test pays for
what the command does and not for starting an interpreter; `COCKPIT` is the installed script, for what needs one.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Any

from cockpit.cli.main import COMMANDS, main
from support.waiting import LAST_RESORT_S

COCKPIT = Path(sys.executable).with_name("cockpit")
ROOT = Path(__file__).parents[2]
_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload([command.place.partition(":")[0] for command in COMMANDS.values()])


def cockpit(*arguments: str, given: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """`cockpit ARGUMENTS` in the folder of the project, without any AWS settings of this machine. `given` is standard input."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env = clean | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent"} | environ
    return run(arguments, env, given=given)


def run(
    arguments: tuple[str, ...], environ: Mapping[str, str], folder: Path = ROOT, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """`cockpit ARGUMENTS` with exactly this environment. Raises TimeoutError after the last resort."""
    with tempfile.TemporaryFile() as into, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        into.write(given.encode())
        into.seek(0)
        handed = (arguments, dict(environ), str(folder), _Handed(into), _Handed(out), _Handed(err))
        process: BaseProcess = _FORKED.Process(target=_command, args=handed)
        process.start()
        process.join(LAST_RESORT_S)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(" ".join(arguments))
        said = [_text(each) for each in (out, err)]
        return subprocess.CompletedProcess(["cockpit", *arguments], process.exitcode, *said)


class _Handed:
    """An open file given to another process."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __reduce__(self) -> Any:
        from multiprocessing.reduction import DupFd

        return _taken, (DupFd(self._file.fileno()),)


def _taken(handed: Any) -> int:
    found: int = handed.detach()
    return found


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def _command(arguments: tuple[str, ...], environ: dict[str, str], folder: str, into: int, out: int, err: int) -> None:
    for given, number in ((into, 0), (out, 1), (err, 2)):
        os.dup2(given, number)
        os.close(given)
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    sys.argv = ["cockpit", *arguments]
    main()
