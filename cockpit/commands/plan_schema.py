"""`cockpit schema`: the JSON Schema of plans, of their parts and files of vars, or of stories, for editors."""

from __future__ import annotations

from typing import Literal

import click

from cockpit.console import output_document
from cockpit.shipped_plans import schema_text

Kind = Literal["plan", "part", "vars", "story"]


@click.command("schema")
@click.argument("kind", type=click.Choice(["plan", "part", "vars", "story"]), default="plan")
def main(kind: Kind) -> int:
    """Print the plan's JSON Schema: cockpit schema > plan.v1.schema.json, beside the plans that name it.

    KIND is plan, part (a file of a plan's parts; it needs that of plans beside it), vars (a file for --vars) or story:
    cockpit schema story > story.v1.schema.json.
    """
    output_document(schema_text(kind))
    return 0
