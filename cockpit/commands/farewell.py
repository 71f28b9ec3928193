"""What is printed where the screen was: how it stands, and the commands to go on."""

from __future__ import annotations

import shlex
from pathlib import Path

from cockpit import formatting
from cockpit.decide.situation import Situation
from cockpit.engine.recording import Recording


def farewell(situation: Situation, kept: Recording, go_on: str = "", *, stays: bool = True) -> list[str]:
    """The verdict, where its record is and what that lacks, and what to type next; `go_on` is the command that continues.

    Not `stays`: a rehearsal's record, which goes with it. Ask once the record is closed: what waited for room on the disk
    is lost then, or not.
    """
    verdict = situation.verdict
    lasted = formatting.duration(situation.now - verdict.since)
    lines = [
        f"{verdict.word.meaning.symbol} {verdict.label} since {formatting.clock(verdict.since)} UTC ({lasted})",
        *(f"  {reason}" for reason in verdict.reasons[:3]),
    ]
    if not stays:
        return [*lines, "record   none: a rehearsal leaves nothing behind; --keep FOLDER keeps its record"]
    record = kept.folder.path
    return [
        *lines,
        f"record   {record}",
        *(f"  NOT COMPLETE: {lacking}" for lacking in kept.not_kept),
        *([f"go on    {go_on}"] if go_on else []),
        *with_record(record),
    ]


def with_record(record: Path) -> list[str]:
    """The commands for a record that is over."""
    name = shlex.quote(str(record))
    return [
        f"replay   cockpit replay {name}",
        f"report   cockpit report {name} --format html --out report.html",
    ]
