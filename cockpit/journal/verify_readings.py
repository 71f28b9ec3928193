"""Checking the readings of a record against the segments its journal holds."""

from __future__ import annotations

import hashlib
import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cockpit.journal.entry import Line
from cockpit.journal.findings import Findings, Problem
from cockpit.journal.reading_segments import (
    KIND,
    WITHOUT_WRITER,
    Row,
    Segment,
    name_of,
    read_only,
    row_digest,
    rows_of,
    version,
)
from cockpit.journal.verify_chain import Checked

_UNREADABLE = {"SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR"}
"""What says nothing of the file's content."""
_PARTS = {("table", "readings"), ("table", "named"), ("index", "readings_by_probe")}


@dataclass(slots=True)
class _Spoken:
    """A segment, the line it stands in, and the rows found for it."""

    chain: Checked
    line: Line
    segment: Segment
    count: int = 0
    whole: Any = field(default_factory=hashlib.sha256)

    def add(self, row: bytes) -> None:
        self.count += 1
        self.whole.update(row)

    @property
    def holds(self) -> bool:
        return self.count == self.segment.count and self.whole.hexdigest() == self.segment.sha256


@dataclass(slots=True)
class _Uncovered:
    """Rows of one writer that no segment proves."""

    writer: str
    first: int
    last: int = 0
    count: int = 0
    found: bool = True
    """Whether every one of them lies where some session found it, or goes on from what its writer kept."""

    def __str__(self) -> str:
        whose = f" of {self.writer[:80]}" if self.writer else ""
        return f"{_count(self.count)}{whose} (rows {self.first} to {self.last} of readings.sqlite)"


def check_readings(path: Path, chains: Sequence[Checked]) -> Findings:
    """Every row is as a session kept it. `path` need not exist. Raises OSError."""
    found = Findings()
    spoken, older = _spoken(chains, found)
    if not path.is_file():
        _check_missing(path, spoken, older=older, found=found)
        return found
    try:
        with closing(read_only(path)) as database:
            _check_file(path, database, spoken, {chain.writer for chain in chains}, found)
    except (sqlite3.Error, ValueError) as error:
        code = getattr(error, "sqlite_errorname", "")
        if any(code.startswith(each) for each in _UNREADABLE):
            found.unproven.append(f"what the probes read: readings.sqlite cannot be read: {error}")
        else:
            found.broken.append(Problem(path, 0, f"is not the file of readings that was written: {error}"))
    return found


def lost_remarks(chains: Sequence[Checked]) -> list[str]:
    """Where a session could not keep readings; those it kept may be proven all the same."""
    spoken, _ = _spoken(chains, Findings())
    remarks, before = [], 0
    for each in spoken:
        before = 0 if each.segment.opening else before
        if each.segment.lost > before:
            remarks.append(
                f"{each.chain.place(each.line)}: {each.segment.lost - before} readings were not kept before it"
            )
        before = each.segment.lost
    return remarks


def _spoken(chains: Sequence[Checked], found: Findings) -> tuple[list[_Spoken], bool]:
    """Every segment the journal holds; and whether it holds marks of an older version."""
    spoken, older = [], False
    for chain in chains:
        for line in chain.lines:
            try:
                segment = Segment.of(line.entry.body)
            except ValueError as error:
                found.broken.append(chain.problem(line, str(error)))
                continue
            older = older or (segment is None and line.entry.body.get("kind") == KIND)
            if segment is not None:
                spoken.append(_Spoken(chain, line, segment))
    return spoken, older


def _check_missing(path: Path, spoken: Sequence[_Spoken], *, older: bool, found: Findings) -> None:
    names = {each.segment.file for each in spoken}
    for other in sorted(path.parent.glob("*.sqlite*")):
        if _name(other) in names:
            found.broken.append(
                Problem(other, 0, "is the file of readings under another name: it should be readings.sqlite")
            )
    for writer in sorted({each.chain.writer for each in spoken if each.segment.count}):
        found.unproven.append(
            f"what the probes of {writer[:80]} read: readings.sqlite is not in the record; "
            "the file from its machine would prove it"
        )
    if older:
        found.unproven.append("what the probes read: readings.sqlite is not in the record")


def _name(path: Path) -> str:
    try:
        with closing(read_only(path)) as database:
            return name_of(database)
    except (sqlite3.Error, ValueError):
        return ""


def _check_file(
    path: Path, database: sqlite3.Connection, spoken: Sequence[_Spoken], writers: set[str], found: Findings
) -> None:
    parts = set(database.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"))
    if not parts and not spoken:
        return  # a session that has just begun, or died as it did
    if parts != _PARTS:
        odd = ", ".join(sorted(f"{kind} {name}" for kind, name in parts ^ _PARTS))
        found.broken.append(Problem(path, 0, f"is not laid out as a session lays it out: {odd[:200]}"))
        return
    (result,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    if result != "ok":
        found.broken.append(Problem(path, 0, f"is damaged: {str(result)[:200]}"))
    name = name_of(database)
    here = [each for each in spoken if each.segment.file == name]
    if spoken and version(database) == WITHOUT_WRITER:
        found.broken.append(Problem(path, 0, "says it is of an older version than the sessions that wrote it"))
    if spoken and not here:
        found.broken.append(
            Problem(
                path, 0, "is a file no session of this record wrote: it was taken from another record, or written later"
            )
        )
        return
    for writer in sorted({each.chain.writer for each in spoken if each.segment.count} - {e.chain.writer for e in here}):
        found.unproven.append(
            f"what the probes of {writer[:80]} read: its readings lie in another file; the one from its machine would prove it"
        )
    uncovered = list(_assign(rows_of(database), here, writers))
    for each in here:
        if not each.holds:
            what = f"the readings it speaks for were changed: rows {each.segment.first} to {each.segment.last}"
            found.broken.append(each.chain.problem(each.line, what))
    for rest in uncovered:
        if not here:
            found.unproven.append(f"{rest}: the journal holds no digest of them; sessions of this version keep one")
        elif rest.found:
            found.unproven.append(
                f"{rest}: no digest was kept of them before their session ended, if it did; a close would have kept it"
            )
        else:
            found.broken.append(Problem(path, 0, f"{rest}: no session of this record took them in"))


def _assign(rows: Iterator[Row], here: Sequence[_Spoken], writers: set[str]) -> Iterator[_Uncovered]:
    """Give each row to the segments that speak for it; the rows nobody proves, by writer and stretch."""
    openings = [each for each in here if each.segment.opening]
    own: dict[str, list[_Spoken]] = {}
    for each in sorted((each for each in here if not each.segment.opening), key=lambda each: each.segment.first):
        own.setdefault(each.chain.writer, []).append(each)
    firsts = {writer: [each.segment.first for each in listed] for writer, listed in own.items()}
    found_to = max((each.segment.last for each in openings), default=0)
    open_: dict[str, _Uncovered] = {}
    for row in rows:
        number, writer, made = row[0], row[6], row_digest(row)
        for each in openings:
            if number <= each.segment.last:
                each.add(made)
        at = bisect_right(firsts.get(writer, []), number) - 1
        proven = own[writer][at] if at >= 0 and number <= own[writer][at].segment.last else None
        if proven is not None:
            proven.add(made)
            if writer in open_:
                yield open_.pop(writer)
            continue
        rest = open_.setdefault(writer, _Uncovered(writer, number))
        rest.last, rest.count = number, rest.count + 1
        rest.found = rest.found and (writer in writers or number <= found_to)
    yield from open_.values()


def _count(number: int) -> str:
    return "1 reading" if number == 1 else f"{number} readings"
