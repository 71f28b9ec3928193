"""The migration as text, for the command line."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable

from cockpit import formatting
from cockpit.console import output, output_json, redraw
from cockpit.formatting import between, duration, percent, size
from cockpit.migration.dry_run import Survey
from cockpit.migration.preflight_check import Check
from cockpit.migration.progress import Progress
from cockpit.migration.states import ItemState
from cockpit.migration.supervisor import as_json
from cockpit.plan.model import Migration

JSON_VERSION = 1
"""Of what `--format json` prints. Members may be added to it; none changes its meaning or goes."""
PIPED_S = 10.0
PIPED_WIDTH = 140
_MARK = {True: "ok  ", False: "FAIL", None: "note"}


def check_lines(checks: Iterable[Check]) -> list[str]:
    checks, lines = list(checks), []
    width = max([len(check.what) for check in checks] or [0])
    for check in checks:
        lines.append(f"{_MARK[check.ok]}  {check.what:{width}}  {check.found}")
        if check.ok is False and check.fix:
            lines.append(f"{'':{width + 8}}{check.fix}")
    return lines


def survey_lines(found: Survey, migration: Migration) -> list[str]:
    lines = [f"{found.files:,} files, {size(found.bytes)}, to s3://{migration.bucket}/{migration.prefix}", ""]
    for table in found.tables:
        measured = f"{size(table.bytes)}, largest {size(table.largest)}"
        lines.append(f"{table.label}: {table.files:,} files, {measured}; {table.moved:,} have a key")
        most = max([count for _, count in table.histogram] or [1])
        for label, count in table.histogram:
            lines.append(f"  {label:>16}  {count:>9,}  {'█' * round(30 * count / most) or '▏'}")
    rate = found.files_per_s
    lines += ["", f"about {duration_text(found.seconds)} at {rate:,.0f} files/s ({found.why})"]
    if found.problems:
        lines += ["", f"{len(found.problems):,} rows to look at:"]
        lines += [f"  {problem.tbl} {problem.doc_id}: {problem.what}" for problem in found.problems[:50]]
    return lines


def duration_text(seconds: float) -> str:
    from datetime import timedelta

    return duration(timedelta(seconds=max(1, round(seconds))))


def eta_text(progress: Progress) -> str:
    """The band in which the end lies."""
    return f"{between(progress.eta_least_s or progress.eta_s or 0, progress.eta_s or 0)} left"


def progress_line(progress: Progress, width: int) -> str:
    """One line: bar, what is in the way, files, time left, rates; of a narrow one the end is cut off."""
    share = progress.done / progress.files if progress.files else 0.0
    facts = [progress.held_by] if progress.held_by else []
    if progress.silent:
        facts.append(f"{formatting.count(len(progress.silent), 'worker')} SILENT")
    if progress.errors or progress.count(ItemState.QUARANTINED):
        facts.append(f"{progress.count(ItemState.QUARANTINED)} quarantined, {progress.errors} errors")
    facts.append(f"{progress.done:,}/{progress.files:,}")
    if progress.eta_s is not None:
        facts.append(eta_text(progress))
    facts += [
        f"{progress.files_per_s:,.0f}/s",
        f"{size(progress.bytes_per_s)}/s",
        f"{progress.in_flight} in flight",
    ]
    tail = f" {percent(progress.done, progress.files):>4} " + " · ".join(facts)
    lead = f"{progress.phase} {progress.word.lower()} "
    room = max(5, width - len(lead) - len(tail) - 1)
    filled = round(room * share)
    return (lead + "█" * filled + "░" * (room - filled) + tail)[: width - 1]


def progress_lines(progress: Progress) -> list[str]:
    """All of the progress, in a few lines."""
    if not progress.prepared:
        return ["not prepared: `cockpit migrate prepare PLAN` creates the ledger"]
    lines = [f"{progress.phase} (run {progress.run}): {progress.stands}" if progress.run else progress.word]
    for table in progress.tables:
        states = ", ".join(f"{count:,} {state}" for state, count in sorted(table.states.items()))
        lines.append(f"  {table.label}: {table.done:,} of {table.files:,} files, {size(table.done_bytes)}; {states}")
    if progress.active:
        left = "" if progress.eta_s is None else f", {eta_text(progress)}"
        rates = f"{progress.files_per_s:,.0f} files/s, {size(progress.bytes_per_s)}/s"
        lines.append(f"  {rates}, {progress.in_flight} in flight{left}")
    for guard in (guard for guard in progress.guards if guard.get("holds")):
        how = "waits for the first reading of" if guard.get("first_sight") else "blocked by"
        lines.append(f"  {how} {guard['title']}: {guard['line']}")
    if progress.ownerless:
        lines.append(
            f"  no supervisor: `cockpit migrate {progress.phase} PLAN` goes on with it, `drain` or `abort` ends it"
        )
    if progress.halted:
        lines.append(f"  halted: {progress.halted['code']} {progress.halted['detail']}. {progress.halted['hint']}")
    lines += [f"  {worker.id}: {progress.silence(worker)}" for worker in progress.silent]
    lines += [f"  {worker.id}: {worker.state}, {worker.files:,} files, {worker.why}" for worker in progress.reporting]
    lines += [f"  {event.kind} at {event.at:%H:%M:%S}: {event.text}" for event in progress.deaths[-3:]]
    lines += [f"  {f.state}: {f.tbl} {f.doc_id} after {f.failures}: {f.why}" for f in progress.failures[:20]]
    if progress.purged:
        lines.append(f"  {progress.purged:,} files live in S3 alone: a rollback of the application would lose them")
    return lines


class Meter:
    """Progress as it goes: one line updated in place on a terminal, a line every ten seconds in a pipe, or JSON lines."""

    def __init__(self, form: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._json = form == "json"
        self._live = sys.stderr.isatty()
        self._clock = clock
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        if self._json:
            print_progress(progress, "json")
        elif self._live:
            redraw(progress_line(progress, os.get_terminal_size(sys.stderr.fileno()).columns))
            if not progress.active:
                output(err=True)
        elif self._clock() >= self._next or not progress.active:
            self._next = self._clock() + PIPED_S
            output(progress_line(progress, PIPED_WIDTH), err=True)


def print_progress(progress: Progress, form: str) -> None:
    """All of it, or one JSON line."""
    if form == "json":
        output_json(as_json(progress), version=JSON_VERSION, indent=None)
    else:
        output(*progress_lines(progress))
