"""`cockpit record list`: the records on this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import click

from cockpit.commands.options import FORMAT, Form
from cockpit.console import output, output_json
from cockpit.journal.entry import Type, as_text
from cockpit.journal.record_folder import RecordFolder, list_records, records_root, writers


@dataclass(frozen=True, slots=True)
class _Summary:
    name: str
    path: str
    begun: str
    last: str
    entries: int
    writers: list[str]
    verdict: str
    """The last one recorded; empty when none was."""
    closed: bool


@click.group("record")
def main() -> None:
    """The records kept on this machine."""


@main.command("list")
@FORMAT
def list_(form: Form) -> int:
    """List records, newest first: when, how many entries, by whom, and how each ended."""
    found = [_summary(folder) for folder in list_records()]
    if form == "json":
        output_json({"version": 1, "records": [asdict(each) for each in found]})
        return 0
    if not found:
        output(f"No records in {records_root()}")
    for each in found:
        end = "closed" if each.closed else "not closed"
        many = "1 entry" if each.entries == 1 else f"{each.entries} entries"
        output(f"{each.name}  {many}, {', '.join(each.writers)}, {each.verdict or 'no verdict'}, {end}")
    return 0


def _summary(folder: RecordFolder) -> _Summary:
    lines = [line for _, line in folder.lines()]
    bodies = (line.entry.body for line in reversed(lines))
    verdict = next((body for body in bodies if (body.get("kind"), body.get("subject")) == ("change", "verdict")), {})
    times = [line.entry.ts for line in lines]
    ends = [chain.lines[-1].entry.type is Type.CLOSE for chain in folder.chains() if chain.lines]
    return _Summary(
        folder.id,
        str(folder.path),
        as_text(min(times)) if times else "",
        as_text(max(times)) if times else "",
        len(lines),
        writers(folder),
        str(verdict.get("after", "")),
        bool(ends) and all(ends),
    )
