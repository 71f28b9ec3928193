"""The one door for text to a terminal: every command prints here, and what others print by themselves goes through it too.

While the door stands, `sys.stdout` and `sys.stderr` hide known secrets and show unseen characters as `\\u{hex}`. The full-screen
terminal writes to the original stream; it makes its texts safe where they become cells (`cockpit/tui/text.py`).
"""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import click

from cockpit.ascii_symbols import BACKSLASHED
from cockpit.exit_codes import CANNOT_WRITE, NO_ACCESS
from probes.display_text import json_escaped, visible
from probes.known_secrets import hide

NOBODY_READS = 141
"""Exit code where the reader of our output has gone: 128 + SIGPIPE, as a shell reports it. Never 1, which is HOLD."""
_KEPT = "\n\t"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


class DoorStream(io.TextIOBase):
    """A text stream in front of another: everything that is written is made safe first."""

    def __init__(self, behind: TextIO) -> None:
        super().__init__()
        self._behind = behind
        if isinstance(behind, io.TextIOWrapper):
            ascii_only = behind.encoding.lower() in ("ascii", "us-ascii", "ansi_x3.4-1968")
            behind.reconfigure(encoding="utf-8" if ascii_only else None, errors=BACKSLASHED)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property here, an attribute there
        return self._behind.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return "backslashreplace"

    def write(self, text: str | bytes, /) -> int:
        """Bytes are UTF-8: click writes its completion script so. Raises SystemExit (141) when nobody reads any more."""
        shown = text if isinstance(text, str) else text.decode(errors="backslashreplace")
        self.raw(visible(hide(shown), keep=_KEPT))
        return len(text)

    def raw(self, text: str) -> None:
        """Written as it is: for the cockpit's own control characters alone."""
        try:
            self._behind.write(text)
        except OSError as error:
            self._lost(error)

    def flush(self) -> None:
        try:
            self._behind.flush()
        except OSError as error:
            self._lost(error)
        except ValueError:
            return  # closed already

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._behind.isatty()

    def fileno(self) -> int:
        return self._behind.fileno()

    def _lost(self, error: OSError) -> None:
        """Raises SystemExit: quietly where nobody reads any more, with a line where there is no room."""
        if not isinstance(error, BrokenPipeError) and error.errno not in _NO_ROOM:
            raise error
        window_closed = error.errno == errno.EIO and self._of_a_terminal()
        self._gone()
        if window_closed:
            return  # the last words have no reader; the signal that came says how the process ends
        if isinstance(error, BrokenPipeError):
            raise SystemExit(NOBODY_READS)
        with suppress(OSError):
            os.write(2, f"cannot write the output: {error.strerror}\n".encode())
        raise SystemExit(CANNOT_WRITE)

    def _of_a_terminal(self) -> bool:
        """Asked of one that is gone, `isatty` says no."""
        return stat.S_ISCHR(os.fstat(self._behind.fileno()).st_mode)

    def _gone(self) -> None:
        # What is still buffered must go somewhere, or the interpreter complains at its end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._behind.fileno())
        os.close(nowhere)


def open_streams() -> None:
    """Put /dev/null where a standard stream was closed before this process began.

    Else the next file that is opened takes its number: what is printed would go into a record, or into a connection.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, f"__{name}__") is not None:
            continue
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays to the end
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


@contextmanager
def door() -> Iterator[None]:
    """Stand between this process and its standard streams; those of the process itself stay behind it to the end."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (each if isinstance(each, DoorStream) else DoorStream(each) for each in before)
    try:
        yield
    finally:
        sys.stdout.flush()
        if before[0] is not sys.__stdout__:
            sys.stdout, sys.stderr = before


def output(*lines: object, err: bool = False) -> None:
    """Print lines, to standard error with `err`; without any, an empty one.

    What ends a line is that another is given: a newline within one is shown as a number, as text of others may hold one.
    """
    with door():
        click.echo("\n".join(visible(hide(str(line)), keep="\t") for line in lines), err=err)


def output_document(text: str) -> None:
    """Print JSON, YAML, Markdown ...: its writer has put the text of others where the format keeps it apart."""
    with door():
        click.echo(text, nl=not text.endswith("\n"))


def output_file(path: str, text: str) -> None:
    """Write a document where its user wants it, for the user alone. Where that cannot be: a line, and SystemExit (73, 77)."""
    try:
        how = (
            os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK
        )  # a pipe that nobody reads is refused
        handle = os.open(path, how, 0o600)
        os.set_blocking(handle, True)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        output(f"cannot write {path}: {why}", err=True)
        raise SystemExit(NO_ACCESS if isinstance(error, PermissionError) else CANNOT_WRITE) from None


def output_json(members: Mapping[str, Any], *, version: int, indent: int | None = 2) -> None:
    """Print an object as JSON; its reader gets every character back, but no secret. What JSON has no form for is text.

    `version` comes first: members may be added to it; when one changes its meaning or goes, it is another version.
    """
    output_document(json_text({"version": version, **members}, indent=indent))


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """JSON in which every unseen character is escaped as JSON does it, and known secrets are hidden in every text."""
    text = json.dumps(_hidden(value), indent=indent, ensure_ascii=False, default=lambda held: hide(str(held)))
    return json_escaped(text)


def on_terminal() -> bool:
    """Whether standard error is read by a person, so that a line may be written over."""
    return sys.stderr.isatty()


def redraw(line: str) -> None:
    """Write over the last line of standard error."""
    with door():
        stream = sys.stderr
        assert isinstance(stream, DoorStream)
        stream.raw("\r\x1b[K" + visible(hide(line), keep=""))
        stream.flush()


def ask(question: str, *, default: str | None = None, choices: Sequence[str] = ()) -> str:
    """The answer to a question on standard error. Raises click.Abort where nobody answers."""
    with door():
        kind = click.Choice(list(choices)) if choices else None
        return str(click.prompt(question, default=default, type=kind, err=True))


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {_hidden(name): _hidden(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(each) for each in value]
    return value
