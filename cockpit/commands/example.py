"""`cockpit example`: the plans that come with the cockpit, to start from."""

from __future__ import annotations

import re
from itertools import takewhile

import click

from cockpit.console import output, output_document
from cockpit.exit_codes import USAGE
from cockpit.shipped_plans import names, shipped_text

_SENTENCE = re.compile(r".*?[.?!](?= |$)")


@click.command("example")
@click.argument("name", default="")
def main(name: str) -> int:
    """Print a plan to start from: cockpit example minimal > plan.yaml; without a name, list them."""
    if not name:
        for each in names():
            output(f"{each:24} {_first_words(shipped_text(each))}")
        return 0
    if name.removesuffix(".yaml") not in names():
        output(f"there is no example '{name}'; there are {', '.join(names())}", err=True)
        return USAGE
    output_document(shipped_text(name.removesuffix(".yaml")))
    return 0


def _first_words(text: str) -> str:
    """The first sentence of the comment a plan begins with, after the line that is for an editor."""
    head = takewhile(lambda line: line.startswith("#"), text.splitlines())
    comment = " ".join(line.removeprefix("#").strip() for line in head if "$schema" not in line)
    found = _SENTENCE.match(comment)
    return found.group() if found else comment
