"""`cockpit report`: a record as a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import click

from cockpit.commands.journal import outside
from cockpit.commands.options import ALLOWED_SIGNERS, ANCHORS, OWN_PLAN, RECORD, TSA_CA, VARIABLES_OF_PLAN
from cockpit.console import json_text, output, output_document, output_file
from cockpit.decide.situation import Situation
from cockpit.exit_codes import USAGE
from cockpit.journal.record_folder import RecordFolder, find_record
from cockpit.replay.player import last_situation
from cockpit.replay.trace import NotReplayable, trace_of
from cockpit.report.formats.html import html
from cockpit.report.formats.in_toto import in_toto
from cockpit.report.formats.junit import junit
from cockpit.report.formats.markdown import markdown
from cockpit.report.formats.situation_json import to_plain
from cockpit.report.load_record import account_of
from cockpit.report.model import Account

JSON_VERSION = 1
"""Of what `--format json` prints. Members may be added to it; none changes its meaning or goes."""


def _json(account: Account) -> str:
    return json_text({"version": JSON_VERSION, **to_plain(account)}) + "\n"


FormName = Literal["md", "html", "json", "junit", "in-toto"]
FORMS: Mapping[FormName, Callable[[Account], str]] = {
    "md": markdown,
    "html": html,
    "json": _json,
    "junit": junit,
    "in-toto": in_toto,
}


@click.command("report")
@RECORD
@click.option("--format", "form", type=click.Choice(get_args(FormName)), default="md", show_default=True)
@click.option("--out", default="", type=click.Path(dir_okay=False), help="Write to this file; default: the terminal.")
@ANCHORS
@ALLOWED_SIGNERS
@TSA_CA
@OWN_PLAN
@VARIABLES_OF_PLAN
def main(
    record: str,
    form: FormName,
    out: str,
    anchors: tuple[str, ...],
    allowed_signers: str,
    tsa_ca: str,
    own_plan: str,
    variables: tuple[str, ...],
) -> int:
    """Report what was planned, measured, signed and decided, and what is still open.

    RECORD is a record's folder, its name, or "latest". html is one file for screen, phone and paper; junit is for a pipeline
    (what was not known is an error, never skipped); in-toto is an unsigned Statement v1, for an attestor to sign.
    """
    try:
        folder = find_record(record)
        given = outside(anchors, allowed_signers, tsa_ca, own_plan, variables)
        text = FORMS[form](account_of(folder, *given, last=_last(folder)))
        if out:
            output_file(out, text)
            return 0
    except (OSError, ValueError) as error:
        output(error, err=True)
        return USAGE
    output_document(text)
    return 0


def _last(folder: RecordFolder) -> Situation | None:
    """The situation at the end of a record, for what was next then; None where it cannot be played."""
    try:
        return last_situation(trace_of(folder))
    except NotReplayable:
        return None
