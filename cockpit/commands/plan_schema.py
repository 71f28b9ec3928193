"""`cockpit schema`: the JSON Schema of plans, or of stories, for editors."""

from __future__ import annotations

import click

from cockpit.console import output_document
from cockpit.shipped_plans import schema_text


@click.command("schema")
@click.option("--story", is_flag=True, help="That of stories: cockpit schema --story > story.v1.schema.json.")
def main(*, story: bool) -> int:
    """Print the plan's JSON Schema: cockpit schema > plan.v1.schema.json, beside the plans that name it."""
    output_document(schema_text("story" if story else "plan"))
    return 0
