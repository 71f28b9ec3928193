"""Every command of the command line, at any depth: what click hands over is what its function takes."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Literal, Optional

import click
import pytest
from click.testing import CliRunner
from support.cockpit_process import cockpit
from support.waiting import LAST_RESORT_S

from cockpit.cli.main import main
from cockpit.commands.options import LiveOptions, live_options
from cockpit.console import door


def commands(command: click.Command, path: str = "cockpit") -> Iterator[tuple[str, click.Command]]:
    """Each command that can be called, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None, f"{path} {name}"
        yield from commands(found, f"{path} {name}")


def groups(command: click.Command) -> Iterator[click.Group]:
    if isinstance(command, click.Group):
        yield command
        context = click.Context(command)
        for name in command.list_commands(context):
            if (found := command.get_command(context, name)) is not None:
                yield from groups(found)


def handed_over(command: click.Command) -> dict[str, object]:
    """Name -> type of what click passes."""
    return {each.name: type_of(each) for each in command.params if each.name and each.expose_value}


KINDS: dict[str, object] = {
    "text": str,
    "file": str,
    "path": str,
    "integer": int,
    "integer range": int,
    "float range": float,
    "boolean": bool,
}


def type_of(parameter: click.Parameter) -> object:
    """The type of one parameter's value, after click has converted it."""
    kind = parameter.type
    one = Literal[tuple(kind.choices)] if isinstance(kind, click.Choice) else KINDS[kind.name]
    if parameter.multiple:
        return tuple[one, ...]  # type: ignore[valid-type]
    may_be_none = not parameter.required and parameter.get_default(click.Context(click.Command("any"))) is None
    return Optional[one] if may_be_none else one  # noqa: UP045 - `one` is a value here


def taken(function: Callable[..., object]) -> dict[str, object]:
    """Name -> type of what a function takes; `return` -> what it gives.

    A wrapper takes its own parameters, and hands on all but the first of what it wraps.
    """
    signature = inspect.signature(
        function, follow_wrapped=False, eval_str=True, globals=getattr(function, "__globals__", {})
    )
    own = {each.name: each.annotation for each in signature.parameters.values() if each.kind not in ANYTHING}
    wrapped = getattr(function, "__wrapped__", None)
    if wrapped is None:
        assert len(own) == len(signature.parameters), "it takes anything"
        return own | {"return": signature.return_annotation}
    _, *rest = taken(wrapped).items()
    return own | dict(rest)


ANYTHING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
EVERY = dict(commands(main))


@pytest.mark.parametrize("path", EVERY)
def test_a_command_takes_what_click_hands_over(path: str) -> None:
    command = EVERY[path]
    assert command.callback is not None
    assert taken(command.callback) == handed_over(command) | {"return": int}


def test_another_name_another_type_and_a_catch_all_are_found() -> None:
    @click.command()
    @click.option("--as", "who", default="")
    def renamed(name: str) -> int:
        return 0

    @click.command()
    @live_options
    @click.option("--many", is_flag=True)
    def retyped(live: LiveOptions, many: int) -> int:
        return 0

    @click.command()
    def takes_anything(**given: object) -> int:
        return 0

    for command in (renamed, retyped):
        assert command.callback is not None
        assert taken(command.callback) != handed_over(command) | {"return": int}
    assert takes_anything.callback is not None
    with pytest.raises(AssertionError, match="takes anything"):
        taken(takes_anything.callback)


def test_the_lists_show_the_first_sentence_of_each_commands_help() -> None:
    for group in groups(main):
        context = click.Context(group)
        for name in group.list_commands(context):
            listed, loaded = group.commands[name], group.get_command(context, name)
            assert loaded is not None
            assert loaded.name == name
            assert listed.get_short_help_str(1000) == loaded.get_short_help_str(1000)


def test_a_mistyped_command_is_answered_with_the_one_that_was_meant() -> None:
    done = CliRunner().invoke(main, ["chekc"])
    assert done.exit_code == 64
    assert "check" in done.output


def test_a_shell_gets_its_completion_script() -> None:
    for shell in ("zsh", "fish"):
        done = cockpit(_COCKPIT_COMPLETE=f"{shell}_source")
        assert (done.returncode, done.stderr) == (0, "")
        assert "_COCKPIT_COMPLETE" in done.stdout


def test_what_is_written_as_bytes_passes_the_door(capsys: pytest.CaptureFixture[str]) -> None:
    with door():
        sys.stdout.write("é\x1b".encode())  # type: ignore[arg-type]
    assert capsys.readouterr().out == "é\\u{1b}"


@pytest.mark.parametrize(
    "asked",
    [
        "main(['--help'], standalone_mode=False)",
        "main(['--version'], standalone_mode=False)",
        "main(['migrate', '--help'], standalone_mode=False)",
        "assert main.shell_complete(click.Context(main), 'mig')[0].value == 'migrate'",
    ],
)
def test_help_and_completion_import_no_command(asked: str) -> None:
    code = (
        f"import click, sys\nfrom cockpit.cli.main import main\n{asked}\n"
        "print(*sorted(name for name in sys.modules if name.startswith('cockpit')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LAST_RESORT_S
    )
    allowed = {
        "cockpit",
        "cockpit.ascii_symbols",
        "cockpit.cli",
        "cockpit.cli.lazy_group",
        "cockpit.cli.main",
        "cockpit.console",
        "cockpit.exit_codes",
        "cockpit.untaken_signals",
        "cockpit.commands",
        "cockpit.commands.migrate",
        "cockpit.commands.migrate.group",
    }
    assert set(done.stdout.splitlines()[-1].split()) <= allowed
