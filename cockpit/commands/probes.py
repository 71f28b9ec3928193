"""`cockpit probes`: what can be observed, and what each probe needs and reports."""

from __future__ import annotations

import inspect

import click

from cockpit import formatting
from cockpit.console import output
from cockpit.exit_codes import USAGE
from probes.reading import Field
from probes.registry import UnknownProbe, find, names


@click.command("probes")
@click.argument("name", default="")
def main(name: str) -> int:
    """List the probes, or show one: parameters, fields, permissions."""
    if not name:
        for each in names():
            first = (inspect.getdoc(find(each)) or "").splitlines()[0]
            output(f"{each:24} {first}")
        output("", "cockpit probes NAME shows one.")
        return 0
    try:
        _show(name)
    except UnknownProbe as error:
        output(str(error), err=True)
        return USAGE
    return 0


def _show(name: str) -> None:
    probe = find(name)
    output(name, "", *(inspect.getdoc(probe) or "").splitlines(), "")
    output(f"Cannot see {probe.cannot_see}", f"Late       {probe.late}", "", "Parameters (under with:)")
    for key, param in probe.params_type.model_fields.items():
        need = "required" if param.is_required() else f"default {param.get_default(call_default_factory=True)!r}"
        kind = getattr(param.annotation, "__name__", str(param.annotation))
        output(f"  {param.alias or key:22} {kind}, {need}" + (f": {param.description}" if param.description else ""))
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


def _type(declared: Field) -> str:
    unit = f" [{declared.unit}]" if declared.unit else ""
    return f"{declared.type.__name__}{unit}, such as {formatting.value(declared.example, declared.unit)}"


def _literal(declared: Field) -> str:
    if isinstance(declared.example, bool):
        return str(declared.example).lower()
    return f"'{declared.example}'" if isinstance(declared.example, str) else str(declared.example)
