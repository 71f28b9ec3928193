"""docs/probes.md: every probe with its parameters and fields, made from the probes themselves.

`python -m cockpit.plan.document.probe_pages` writes it again; a test holds it to be current.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cockpit import formatting
from probes.declared_fields import may_declare_fields
from probes.parameters import parameters_of
from probes.probe import Probe
from probes.registry import BUILT_IN, find

FILE = "probes.md"
_HEAD = """\
# Probes

What a plan can observe, made from the probes themselves (`make schema`). On the command line: `cockpit probes NAME`.
Any parameter may be a reference: `${name}` is a var, `${env:NAME}` the environment.
"""


def pages() -> str:
    """The whole page."""
    names = sorted(BUILT_IN)
    index = [f"* [{name}](#{name.replace('.', '')}): {_first_line(find(name))}" for name in names]
    return "\n".join([_HEAD, *index, "", *(line for name in names for line in _page(find(name)))]).rstrip() + "\n"


def _page(kind: type[Probe[Any]]) -> Iterator[str]:
    yield from (f"## {kind.name}", "", _first_line(kind), "")
    yield from (f"* Cannot see {kind.cannot_see}.", f"* Late: {kind.late}.")
    needs = [f"{action} ({when})" if (when := kind.iam_sometimes.get(action)) else action for action in kind.iam]
    yield f"* Needs {', '.join((*needs, *kind.grants)) or 'no permission'}. Read every {formatting.duration(kind.interval)}."
    if kind.writes:
        yield "* Writes, with `consent: true` alone."
    yield from ("", "| Parameter | | | Example |", "|---|---|---|---|")
    for one in parameters_of(kind):
        need = "required" if one.required else f"default `{one.default}`" if one.default else ""
        yield f"| `{one.name}` | {_cell(one.meaning)} | {_cell(one.type)}{'; ' if need else ''}{need} | `{_cell(one.example)}` |"
    yield from ("", "| Field | | Such as |", "|---|---|---|")
    for field in kind.fields:
        yield f"| `{field.name}` | {_cell(field.meaning)} | {_cell(formatting.value(field.example, field.unit))} |"
    if may_declare_fields(kind):
        yield "| | and those that the plan declares under `fields` | |"
    yield ""


def _first_line(kind: type[Probe[Any]]) -> str:
    return (inspect.getdoc(kind) or "").splitlines()[0]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def path() -> Path:
    return Path(__file__).parents[3] / "docs" / FILE


if __name__ == "__main__":
    path().write_text(pages(), encoding="utf-8")
