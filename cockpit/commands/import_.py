"""`cockpit import`: a Markdown checklist as a plan, on standard output."""

from __future__ import annotations

from pathlib import Path

import click

from cockpit.console import output, output_document
from cockpit.drafts.from_markdown import Sketch
from cockpit.drafts.markdown_outline import UNNAMED
from cockpit.exit_codes import BAD_PLAN
from cockpit.formatting import count
from cockpit.ordinary_file import read_ordinary

NAMES = "Deployment steps, Success criteria, Rollback triggers, Rollback (German and French too), or a box: - [ ] ..."
"""Of headings: what each is understood as, by its words."""


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False))
def main(file: str) -> int:
    """Turn a Markdown checklist or runbook into a plan: cockpit import DEPLOYMENT_CHECKLIST.md > plan.yaml."""
    try:
        raw = read_ordinary(Path(file))
    except (OSError, ValueError) as error:
        return _refuse(file, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if b"\0" in raw:
        return _refuse(file, "is not text: save it as UTF-8 Markdown")
    sketch = Sketch(raw.decode("utf-8-sig", errors="replace"), Path(file).name)
    groups = sketch.outline.groups
    if not groups:
        _show_left_out(file, sketch)
        return _refuse(file, "asks for nothing that a plan holds: no `- [ ] something`, no numbered step, no criterion")
    output_document(sketch.text())
    lines = sum(len(group.lines) for group in groups)
    summary = f"{count(lines, 'line')} in {count(len(groups), 'section')}"
    output(f"{file}: {summary}; people sign all of them", err=True)
    _show_left_out(file, sketch)
    return 0


def _show_left_out(file: str, sketch: Sketch) -> None:
    for one in sketch.outline.left_out:
        output(f"{file}:{one.lines}: left out: {one.text[:100]} ({one.why})", err=True)
    if any(one.why.endswith(UNNAMED) for one in sketch.outline.left_out):
        output(f"{file}: what is to be carried over needs a heading that says what it is: {NAMES}", err=True)


def _refuse(file: str, why: str) -> int:
    output(f"{file} {why}", err=True)
    return BAD_PLAN
