"""`cockpit schema`: the plan's JSON Schema, for editors."""

from __future__ import annotations

import click

from cockpit.console import output_document
from cockpit.shipped_plans import schema_text


@click.command("schema")
def main() -> int:
    """Print the plan's JSON Schema: cockpit schema > plan.v1.schema.json, beside the plans that name it."""
    output_document(schema_text())
    return 0
