"""How long the steps of a plan took before: in earlier records of plans of the same name, and in kept rehearsals.

It reads who began and ended a step and when, and judges no signature: it is an estimate, and no verdict rests on it. Only a step
that was done counts; one that was done again counts each time.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median

from cockpit.decide.events import StepBegan, StepEnded, StepMeasured
from cockpit.decide.states import StepState
from cockpit.journal.chain import files, raw_lines
from cockpit.journal.codec import from_body
from cockpit.journal.entry import BadLine, Line, Type, parse
from cockpit.journal.record_folder import RecordFolder, list_records, records_root
from probes.frozen import frozen

log = logging.getLogger(__name__)
MOST_RECORDS = 50
"""Of one plan, the newest: older ones say little about tonight."""
_OF_STEPS = (b"step_began", b"step_ended")
LONGEST = timedelta(days=7)
"""A record is resumed for a week at most; a step that takes longer was forgotten, not done."""


@frozen
class StepTook:
    """One time a step was done."""

    record: str
    step: str
    took: timedelta
    rehearsed: bool


def rehearsals(records: Path | None = None) -> Path:
    """Where a rehearsal is kept to count: beside the records, so that none is ever resumed as one."""
    return (records or records_root()).parent / "rehearsals"


def earlier_steps(
    plan_name: str, records: Path | None = None, *, but: RecordFolder | None = None
) -> Iterator[StepTook]:
    """Every time a step was done in an earlier record of this plan or a kept rehearsal, without `but`."""
    own = but.path.resolve() if but is not None else None
    for root in _roots(records):
        folders = (folder for folder in list_records(root) if folder.path.resolve() != own)
        found = ((folder, opened) for folder in folders if (opened := _opened(folder)).get("plan") == plan_name)
        for folder, opened in islice(found, MOST_RECORDS):
            yield from _steps_of(folder, rehearsed=opened.get("rehearsal") is True)


def plans_recorded(records: Path | None = None) -> list[str]:
    """The names of all plans there are records or kept rehearsals of."""
    every = (_opened(folder).get("plan") for root in _roots(records) for folder in list_records(root))
    return sorted({str(name) for name in every if name})


def _roots(records: Path | None) -> list[Path]:
    records = records or records_root()
    return list(dict.fromkeys((records, rehearsals(records))))


def measured(took: Iterable[StepTook], steps: Collection[str], now: datetime) -> list[StepMeasured]:
    """What they come to, a value for each of `steps` that was ever done."""
    by_step: dict[str, list[StepTook]] = {}
    for each in took:
        by_step.setdefault(each.step, []).append(each)
    return [_measured(step, by_step[step], now) for step in steps if step in by_step]


def _measured(step: str, found: list[StepTook], now: datetime) -> StepMeasured:
    seconds = [round(each.took.total_seconds()) for each in found]
    middle = round(median(seconds))
    return StepMeasured(now, step, len(found), sum(e.rehearsed for e in found), min(seconds), middle, max(seconds))


def _opened(folder: RecordFolder) -> Mapping[str, object]:
    """The body of a record's first `open` entry; empty where it has none that can be read."""
    for path in _chains(folder):
        for line in _lines(path, islice(raw_lines(path), 1)):
            if line.entry.type is Type.OPEN:
                return line.entry.body
    return {}


def _steps_of(folder: RecordFolder, *, rehearsed: bool) -> Iterator[StepTook]:
    entries: list[StepBegan | StepEnded] = []
    for path in _chains(folder):
        of_steps = (raw for raw in raw_lines(path) if any(word in raw for word in _OF_STEPS))
        for line in _lines(path, of_steps):
            try:
                entry = from_body(line.entry.body)
            except ValueError:
                continue  # `journal verify` names it
            if isinstance(entry, StepBegan | StepEnded):
                entries.append(entry)
    began: dict[str, datetime] = {}
    for entry in sorted(entries, key=lambda entry: entry.at):
        if isinstance(entry, StepBegan):
            began[entry.subject] = entry.at
            continue
        since = began.pop(entry.subject, None)
        if since is not None and entry.outcome == StepState.DONE and timedelta(0) < entry.at - since <= LONGEST:
            yield StepTook(folder.path.name, entry.subject, entry.at - since, rehearsed)


def _chains(folder: RecordFolder) -> list[Path]:
    try:
        return files(folder.journal)
    except OSError:
        log.warning("%s cannot be read for the time its steps took", folder.path)
        return []


def _lines(path: Path, raw: Iterable[bytes]) -> Iterator[Line]:
    try:
        for each in raw:
            try:
                yield parse(each)
            except BadLine:
                continue
    except OSError:
        log.warning("%s cannot be read for the time its steps took", path)
