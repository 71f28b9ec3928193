"""`cockpit report`: what a record tells of a cutover, as a document."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from cockpit.cli import USAGE
from cockpit.commands.journal import outside
from cockpit.journal.folder import find_record
from cockpit.report.account import Account
from cockpit.report.as_json import to_plain
from cockpit.report.foreign import safe
from cockpit.report.gather import account_of
from cockpit.report.html import html
from cockpit.report.in_toto import in_toto
from cockpit.report.junit import junit
from cockpit.report.markdown import markdown


def _json(account: Account) -> str:
    return json.dumps(to_plain(account), indent=2, ensure_ascii=False) + "\n"


Form = Callable[[Account], str]
FORMS: Mapping[str, Form] = {"md": markdown, "html": html, "json": _json, "junit": junit, "in-toto": in_toto}


def main(record: str, form: str, out: str, anchors: Sequence[str], allowed_signers: str) -> int:
    try:
        text = FORMS[form](account_of(find_record(record), *outside(anchors, allowed_signers)))
        if out:
            _write(Path(out), text)
            return 0
    except (OSError, ValueError) as error:
        click.echo(safe(str(error)), err=True)
        return USAGE
    click.echo(text.encode(), nl=False)
    return 0


def _write(path: Path, text: str) -> None:
    """Readable by its owner only, as the record is. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(text.encode())
