"""What is printed where the screen was: how it stands, and the commands to go on."""

from __future__ import annotations

import shlex

from cockpit import formatting
from cockpit.decide.situation import Situation
from cockpit.engine.recording import Recording


def farewell(situation: Situation, kept: Recording, go_on: str) -> list[str]:
    """The verdict, where its record is and what that lacks, and what to type next; `go_on` is the command that continues.

    Ask once the record is closed: what waited for room on the disk is lost then, or not.
    """
    verdict = situation.verdict
    lasted = formatting.duration(situation.now - verdict.since)
    record = kept.folder.path
    name = shlex.quote(str(record))
    return [
        f"{verdict.word.meaning.symbol} {verdict.label} since {formatting.clock(verdict.since)} UTC ({lasted})",
        *(f"  {reason}" for reason in verdict.reasons[:3]),
        f"record   {record}",
        *(f"  NOT COMPLETE: {lacking}" for lacking in kept.not_kept),
        *([f"go on    {go_on}"] if go_on else []),
        f"replay   cockpit replay {name}",
        f"report   cockpit report {name} --format html --out report.html",
    ]
