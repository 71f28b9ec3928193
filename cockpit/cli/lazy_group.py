"""A group of commands that imports only the one that is called; its help is read from a table."""

from __future__ import annotations

import errno
import gc
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from cockpit.console import door, open_streams, output
from cockpit.exit_codes import CANNOT_WRITE, INTERNAL_ERROR, INTERRUPTED, NO_ACCESS
from cockpit.untaken_signals import end_on_untaken_signals
from probes.known_secrets import remember


class Lazy(NamedTuple):
    """A command that is not imported yet."""

    place: str
    """Its module, or "module:name" where it is not called `main`."""
    help: str
    """The first sentence of its help, shown where commands are listed."""

    def load(self) -> click.Command:
        """Import it."""
        module, _, name = self.place.partition(":")
        # Nothing of what is imported is garbage, and looking for some takes a tenth of the time: now, and in every later round.
        gc.disable()
        try:
            command = getattr(import_module(module), name or "main")
        finally:
            gc.freeze()
            gc.enable()
        assert isinstance(command, click.Command), self.place
        return command


_OF_CLIENTS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD")
"""Secrets that libraries read from the environment by themselves."""


def remember_those_of_clients() -> None:
    """From then on they are hidden wherever they turn up."""
    for name in _OF_CLIENTS:
        remember(os.environ.get(name, ""))


_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
"""Said of reading and of writing alike."""
_UNWRITABLE = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT})


def failed(error: BaseException) -> int:
    """One line on stderr for an error no command expected; its traceback goes to the log file. Gives the exit code."""
    # Imported by name: nothing of a command is needed before one has failed.
    redact = import_module("probes.redact").redact
    if isinstance(error, OSError) and error.errno in _FORBIDDEN and error.filename:
        output(redact(f"no access to {error.filename}: {error.strerror}"), err=True)
        return NO_ACCESS
    if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename:
        output(redact(f"cannot write {error.filename}: {error.strerror}"), err=True)
        return CANNOT_WRITE
    try:
        path = import_module("cockpit.log_file").log_to_file()
        logging.getLogger(__name__).error("unexpected", exc_info=error)
        where = f"; the traceback is in {path}" if path else ""
    except OSError:
        where = ""
    output(redact(f"internal error: {type(error).__name__}: {error}{where}"), err=True)
    return INTERNAL_ERROR


def _show(error: click.ClickException) -> None:
    """As click would, but what was given stays within its line."""
    context = getattr(error, "ctx", None)
    if context is not None:
        output(*context.get_usage().splitlines(), f"Try '{context.command_path} --help' for help.", "", err=True)
    message = f"Error: {error.format_message()}"
    listing = isinstance(error, click.MissingParameter)  # says nothing of what was given, in several lines
    output(*(message.splitlines() if listing else [message]), err=True)


class LazyGroup(click.Group):
    """A click group of `lazy` commands; the other arguments are click's."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, entry in lazy.items():  # click suggests one of these for a mistyped name
            self.add_command(click.Command(name, help=entry.help))
        self._lazy = lazy

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        entry = self._lazy.get(cmd_name)
        return entry.load() if entry else None

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        """Behind the door, and with every way out known: what goes wrong ends in one line and an exit code, never in 1.

        1 is HOLD; it is what the interpreter, and click for ctrl-c, would end with.
        """
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        end_on_untaken_signals()
        open_streams()
        remember_those_of_clients()
        with door():
            sys.exit(self._code(args, **extra))

    def _code(self, args: Sequence[str] | None, **extra: Any) -> int:
        try:
            code = super().main(args, standalone_mode=False, **extra)
        except click.ClickException as error:
            _show(error)
            return error.exit_code
        except (click.Abort, KeyboardInterrupt):
            return INTERRUPTED
        except SystemExit as ended:
            code = ended.code
        except BaseException as error:  # noqa: BLE001 - whatever it is: nothing may end as HOLD
            return failed(error)
        if code is None or isinstance(code, int):
            return code or 0
        output(code, err=True)
        return INTERNAL_ERROR

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command. A pipe that breaks in it is its own error: click would end with 1 for it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise SystemExit(failed(error)) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        click.Group(commands=self.commands).format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        known = click.Group(commands=self.commands).shell_complete(ctx, incomplete)
        return [*known, *click.Command.shell_complete(self, ctx, incomplete)]
