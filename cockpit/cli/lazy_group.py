"""A group of commands that imports only the one that is called; its help is read from a table."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        click.Group(commands=self.commands).format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        known = click.Group(commands=self.commands).shell_complete(ctx, incomplete)
        return [*known, *click.Command.shell_complete(self, ctx, incomplete)]
