"""From a parsed command line to the command: its module is loaded when it is called, and gives the exit code."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

FORM = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)


def call(command: str, **given: Any) -> None:
    """Run `cockpit.commands.<command>.main` and exit with what it gives."""
    module = import_module(f"cockpit.commands.{command}")
    sys.exit(module.main(**given))
