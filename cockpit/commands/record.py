"""`cockpit record list`: the records on this machine."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click

from cockpit import formatting
from cockpit.commands.options import FORMAT, Form
from cockpit.console import output, output_json
from cockpit.decide.estimates import measured as worded
from cockpit.engine.earlier_steps import earlier_steps, measured, plans_recorded, rehearsals
from cockpit.journal.entry import Type, as_text
from cockpit.journal.record_folder import RecordFolder, list_records, records_root, writers
from probes.frozen import frozen

JSON_VERSION = 1
"""Of what `--format json` prints. Members may be added to it; none changes its meaning or goes."""


@frozen
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
@click.option(
    "--durations", is_flag=True, help="How long each step took: every plan, in its records and kept rehearsals."
)
@FORMAT
def list_(form: Form, *, durations: bool) -> int:
    """List records, newest first: when, how many entries, by whom, and how each ended."""
    if durations:
        return _durations(form)
    found = [_summary(folder) for folder in list_records()]
    if form == "json":
        output_json({"records": [asdict(each) for each in found]}, version=JSON_VERSION)
        return 0
    if not found:
        output(f"No records in {records_root()}")
    for each in found:
        end = "closed" if each.closed else "not closed"
        many = "1 entry" if each.entries == 1 else f"{each.entries} entries"
        output(f"{each.name}  {many}, {', '.join(each.writers)}, {each.verdict or 'no verdict'}, {end}")
    return 0


@frozen
class _StepDuration:
    plan: str
    step: str
    times: int
    rehearsed: int
    shortest_s: int
    median_s: int
    longest_s: int


def _durations(form: Form) -> int:
    """A line for each step that was ever done; what `cockpit run` estimates by."""
    now = datetime.now(UTC)
    found: list[_StepDuration] = []
    lines: list[str] = []
    for plan in plans_recorded():
        took = list(earlier_steps(plan))
        for each in measured(took, dict.fromkeys(one.step for one in took), now):
            numbers = (each.times, each.rehearsed, each.shortest_s, each.median_s, each.longest_s)
            found.append(_StepDuration(plan, each.subject, *numbers))
            middle = formatting.duration(timedelta(seconds=each.median_s))
            lines.append(f"{plan}  {each.subject}: {worded(each)}, median {middle}")
    if form == "json":
        output_json({"steps": [asdict(each) for each in found]}, version=JSON_VERSION)
    else:
        output(*(lines or [f"No step was done in a record in {records_root()}"]))
        output(f"Rehearsals count that are kept there: cockpit rehearse --keep {rehearsals()}")
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
