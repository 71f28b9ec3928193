"""What is printed where the screen was: how it stands, and the commands to go on."""

from __future__ import annotations

import shlex
from pathlib import Path

from cockpit import formatting
from cockpit.decide.situation import Situation


def farewell(situation: Situation, record: Path, go_on: str) -> list[str]:
    """The verdict, where its record is, and what to type next; `go_on` is the command that continues."""
    verdict = situation.verdict
    lasted = formatting.duration(situation.now - verdict.since)
    name = shlex.quote(str(record))
    return [
        f"{verdict.word.meaning.symbol} {verdict.label} since {formatting.clock(verdict.since)} UTC ({lasted})",
        *(f"  {reason}" for reason in verdict.reasons[:3]),
        f"record   {record}",
        *([f"go on    {go_on}"] if go_on else []),
        f"replay   cockpit replay {name}",
        f"report   cockpit report {name} --format html --out report.html",
    ]
