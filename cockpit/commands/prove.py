"""`cockpit prove`: what a plan can and cannot do, before the night."""

from __future__ import annotations

from typing import Literal, get_args

import click

from cockpit.commands.options import PLAN_TEXT, VARIABLES
from cockpit.commands.plan_loading import given_values, load_for_showing
from cockpit.commands.progress_line import Progress
from cockpit.console import json_text, output, output_document, output_file
from cockpit.exit_codes import HOLD
from cockpit.stories.proof.plan_proof import prove
from cockpit.stories.proof.proven import PlanProven
from cockpit.stories.proof.proven_html import proven_html
from cockpit.stories.proof.proven_junit import proven_junit
from cockpit.stories.proof.proven_text import proven_json, proven_lines

ProvenForm = Literal["text", "json", "html", "junit"]


@click.command("prove")
@PLAN_TEXT
@VARIABLES
@click.option("--format", "form", type=click.Choice(get_args(ProvenForm)), default="text", show_default=True)
@click.option("--out", default="", metavar="FILE", type=click.Path(dir_okay=False), help="Write it to a file.")
def main(plan: str, variables: tuple[str, ...], form: ProvenForm, out: str) -> int:
    """Prove what a plan can do: that each trigger trips, and how soon; that GO can come; what blindness hides.

    By search over its conditions and by playing it; nothing is read. Exit code 1: something can never come.
    """
    loaded = load_for_showing(plan, given_values(variables))
    progress = Progress("proving", 0)

    def on_step(done: int, total: int, what: str) -> None:
        progress.total = total
        progress.at(done, what)

    proven = prove(loaded, on_step)
    progress.done()
    if out:
        output_file(out, _text(proven, form))
    elif form == "text":
        output(*proven_lines(proven))
    else:
        output_document(_text(proven, form))
    return HOLD if any(proven.findings()) else 0


def _text(proven: PlanProven, form: ProvenForm) -> str:
    match form:
        case "html":
            return proven_html(proven)
        case "junit":
            return proven_junit(proven)
        case "json":
            return json_text(proven_json(proven))
        case "text":
            return "".join(f"{line}\n" for line in proven_lines(proven))
