"""A group of commands that imports only the one that is called; its help is read from a table."""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from cockpit.exit_codes import CANNOT_WRITE, INTERNAL_ERROR, NO_ACCESS


class Lazy(NamedTuple):
    """A command that is not imported yet."""

    place: str
    """Its module, or "module:name" where it is not called `main`."""
    help: str
    """The first sentence of its help, shown where commands are listed."""

    def load(self) -> click.Command:
        """Import it."""
        module, _, name = self.place.partition(":")
        command = getattr(import_module(module), name or "main")
        assert isinstance(command, click.Command), self.place
        return command


_CLICKS_OWN = (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError)
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
"""Said of reading and of writing alike."""
_UNWRITABLE = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT})


def failed(error: Exception) -> int:
    """One line on stderr for an error no command expected; its traceback goes to the log file. Gives the exit code."""
    # Imported by name: nothing of a command is needed before one has failed.
    redact = import_module("probes.redact").redact
    if isinstance(error, OSError) and error.errno in _FORBIDDEN and error.filename:
        click.echo(redact(f"no access to {error.filename}: {error.strerror}"), err=True)
        return NO_ACCESS
    if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename:
        click.echo(redact(f"cannot write {error.filename}: {error.strerror}"), err=True)
        return CANNOT_WRITE
    try:
        where = f"; the traceback is in {import_module('cockpit.log_file').log_to_file()}"
        logging.getLogger(__name__).error("unexpected", exc_info=error)
    except OSError:
        where = ""
    click.echo(redact(f"internal error: {type(error).__name__}: {error}{where}"), err=True)
    return INTERNAL_ERROR


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

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command. What goes wrong in it ends in one line and an exit code of its own, never in a traceback."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if ctx.parent is not None or isinstance(error, _CLICKS_OWN):
                raise
            ctx.exit(failed(error))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        click.Group(commands=self.commands).format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        known = click.Group(commands=self.commands).shell_complete(ctx, incomplete)
        return [*known, *click.Command.shell_complete(self, ctx, incomplete)]
