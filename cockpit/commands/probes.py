"""`cockpit probes`: what can be observed, and what each probe needs and reports."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from datetime import datetime

import click

from cockpit import formatting
from cockpit.console import output
from cockpit.exit_codes import USAGE
from probes.declared_fields import may_declare_fields
from probes.parameters import Parameter, parameters_of
from probes.reading import Field
from probes.registry import UnknownProbe, find, names


@click.command("probes")
@click.argument("name", default="")
def main(name: str) -> int:
    """List the probes, or show one: parameters, fields, permissions."""
    if not name:
        for each in names():
            output(f"{each:24} {_first_line(each)}")
        output("", "cockpit probes NAME shows one.")
        return 0
    try:
        _show(name)
    except UnknownProbe as error:
        output(str(error), err=True)
        return USAGE
    except ImportError as error:
        output(f"the probe {name} cannot be loaded: {error}", err=True)
        return USAGE
    return 0


def _first_line(name: str) -> str:
    """What it reads; of a plug-in that cannot be imported, why: the others are listed all the same."""
    try:
        return (inspect.getdoc(find(name)) or "").partition("\n")[0]
    except Exception as error:  # noqa: BLE001 - a third party's module may fail in any way while it is imported
        return f"cannot be loaded: {type(error).__name__}: {error}"


def _show(name: str) -> None:
    probe = find(name)
    output(name, "", *(inspect.getdoc(probe) or "").splitlines(), "")
    output(f"Cannot see {probe.cannot_see}", f"Late       {probe.late}", "", "Parameters (under with:)")
    for parameter in parameters_of(probe):
        output(*_lines(parameter))
    if may_declare_fields(probe):
        output("", "Fields besides those that the plan declares")
    else:
        output("", "Fields")
    for declared in probe.fields:
        output(f"  {declared.name:22} {_type(declared)}: {declared.meaning}")
    needs = [f"{action} ({when})" if (when := probe.iam_sometimes.get(action)) else action for action in probe.iam]
    needs += probe.grants
    output("", "Needs      " + (", ".join(needs) if needs else "no permission"))
    if probe.writes:
        output("Writes     only with consent: true")
    output(f"Read every {formatting.duration(probe.interval)}")
    example = probe.fields[0]
    output(f"Condition  {name.rsplit('.', maxsplit=1)[-1]}.{example.name} == {_literal(example)}")


def _lines(parameter: Parameter) -> Iterator[str]:
    """What it means, then what may be written."""
    need = (
        "required" if parameter.required else f"default {parameter.default}" if parameter.default else "may be left out"
    )
    indent = 25 * " "
    yield from _wrapped(f"  {parameter.name:22} ", indent, parameter.meaning)
    yield from _wrapped(indent, indent, f"{parameter.type}; {need}")
    if parameter.example != f"{parameter.name}: {parameter.default}":
        yield f"{indent}{parameter.example}"


def _wrapped(first: str, indent: str, text: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)


def _type(declared: Field) -> str:
    unit = f" [{declared.unit}]" if declared.unit else ""
    return f"{_TYPES[declared.type]}{unit}, such as {formatting.value(declared.example, declared.unit)}"


_TYPES = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    datetime: "time",
    tuple: "list of texts",
}


def _literal(declared: Field) -> str:
    if isinstance(declared.example, bool):
        return str(declared.example).lower()
    return f"'{declared.example}'" if isinstance(declared.example, str) else str(declared.example)
