"""The command as it was called, in other words: what to type instead."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator

import click
from click.core import ParameterSource


def called_again(name: str, *more: str, of: click.Command | None = None, without: Collection[str] = ()) -> str:
    """`cockpit NAME` with what was typed after the command that runs, and `more`.

    `of`: the command that is to be typed, where it is another: options that it lacks are left out, as are parameters `without`.
    A value of `--var` may be secret, and what is proposed may be kept in a log: it stays with who typed it.
    """
    context = click.get_current_context()
    kept = {each.name for each in of.params} if of else {each.name for each in context.command.params}
    typed = [
        each
        for each in context.command.params
        if each.name in kept - set(without)
        and context.get_parameter_source(str(each.name)) is ParameterSource.COMMANDLINE
    ]
    places = sorted(typed, key=lambda each: isinstance(each, click.Option))  # what is named comes after what is not
    return " ".join(["cockpit", name, *(word for each in places for word in _words(each, context)), *more])


def _words(parameter: click.Parameter, context: click.Context) -> Iterator[str]:
    value = context.params.get(str(parameter.name))
    if isinstance(parameter, click.Option) and parameter.is_flag:
        yield (parameter.opts if value else parameter.secondary_opts or parameter.opts)[0]
        return
    if not parameter.expose_value:  # handed on by another parameter: `--vars FILE`
        yield from (parameter.opts[0], parameter.metavar or "...")
        return
    many: Iterable[object] = value if isinstance(value, (tuple, list)) else (value,)
    for each in many:
        if isinstance(parameter, click.Option):
            yield parameter.opts[0]
        hidden = parameter.name == "variables"
        yield f"{shlex.quote(str(each).partition('=')[0])}=..." if hidden else shlex.quote(str(each))
