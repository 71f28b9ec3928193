"""Chains as they lie in a folder, one file per writer: reading them, their heads, and one order for all of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from cockpit.journal.entry import MAX_BYTES, BadLine, Line, Type, hash_of, parse
from cockpit.journal.validity import why_not
from probes.frozen import frozen

SUFFIX = ".jsonl"
_TAIL = 1 << 16


@frozen
class SetAside:
    """A line nothing rests on: it is no entry, or not a valid one. It stays in its file; `verify` says where."""

    after: int
    """How many valid lines were read before it."""
    hash: str
    why: str


@frozen
class Chain:
    """The valid lines of one writer's file, in order, and those set aside."""

    writer: str
    lines: Sequence[Line]
    set_aside: Sequence[SetAside] = ()

    def places(self) -> dict[str, int]:
        """Hash of a line, valid or not -> how many of the valid lines end with it."""
        found = {each.hash: each.after for each in self.set_aside}
        return found | {line.hash: n for n, line in enumerate(self.lines, 1)}

    def unexplained(self) -> list[SetAside]:
        """Lines set aside, without those a crash left and the session after it named."""
        named: set[object] = set()
        for line in self.lines:
            if line.entry.type is Type.RECOVERED:
                named |= {each["sha256"] for each in line.entry.body.get("torn", ())}
        return [each for each in self.set_aside if each.hash not in named]


def files(journal: Path) -> list[Path]:
    """Every chain's file, by name; empty where there is no such folder."""
    return sorted(path for path in journal.glob("*" + SUFFIX) if path.is_file())


def raw_lines(path: Path) -> Iterator[bytes]:
    """Lines with their newline; the last may lack it. Only \\n ends a line. See `_lines`."""
    with path.open("rb") as file:
        yield from _lines(file)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """A line that is just being written is the last: what comes after its first half is not a line of its own.

    Of a line longer than any entry only the beginning is given, so that it never is in memory as a whole.
    """
    while raw := file.readline(MAX_BYTES + 1):
        if not raw.endswith(b"\n") and len(raw) > MAX_BYTES:
            raw += _skip_line(file)
        yield raw
        if not raw.endswith(b"\n"):
            return


def _skip_line(file: BinaryIO) -> bytes:
    """What the line that is being read ends with: a newline, or nothing."""
    while more := file.readline(_TAIL):
        if more.endswith(b"\n"):
            return b"\n"
    return b""


def read(path: Path) -> Chain:
    """One chain: its form and bodies are looked at, not its order or signatures. Raises OSError."""
    return _chain(path.stem, raw_lines(path))


@dataclass(slots=True)
class Follower:
    """Reads of a folder's chains only what was added since it last looked."""

    journal: Path
    _read: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By writer: which file was read, and how far."""
    _known: dict[str, Counter[str]] = field(default_factory=dict)
    """By writer: hashes of the lines that were read."""
    _again: dict[str, Counter[str]] = field(default_factory=dict)
    """By writer: those of them that are still to come again, in a file that took the place of the one they were read in."""

    def new(self) -> list[Chain]:
        """The lines added, by writer: in a file that took another's place, those that were not in that one. Raises OSError."""
        found = []
        for path in files(self.journal):
            about = path.stat()
            file_read, at = self._read.get(path.stem, (about.st_ino, 0))
            if file_read != about.st_ino:
                at = 0
                self._again[path.stem] = self._known[path.stem].copy()
            if about.st_size <= at:
                continue
            with path.open("rb") as file:
                file.seek(at)
                found.append(_chain(path.stem, self._whole_lines(path.stem, about.st_ino, file)))
        return found

    def has(self, writer: str, hash_: str) -> bool:
        """Whether a line of that hash was read of a writer's chain."""
        return self._known.get(writer, Counter())[hash_] > 0

    def _whole_lines(self, writer: str, inode: int, file: BinaryIO) -> Iterator[bytes]:
        known, again = self._known.setdefault(writer, Counter()), self._again.get(writer, Counter())
        for raw in _lines(file):
            if raw.endswith(b"\n"):
                self._read[writer] = inode, file.tell()
                hash_ = hash_of(raw)
                if again[hash_]:
                    again[hash_] -= 1
                    continue
                known[hash_] += 1
                yield raw


def read_all(journal: Path) -> list[Chain]:
    return [read(path) for path in files(journal)]


def _chain(writer: str, raws: Iterable[bytes]) -> Chain:
    lines: list[Line] = []
    set_aside: list[SetAside] = []
    for raw in raws:
        try:
            line = parse(raw)
            why = why_not(line.entry)
        except BadLine as bad:
            line, why = None, str(bad)
        if line is None or why:
            set_aside.append(SetAside(len(lines), hash_of(raw), why))
        else:
            lines.append(line)
    return Chain(writer, lines, set_aside)


def merged(chains: Sequence[Chain], received: Mapping[str, datetime] | None = None) -> list[tuple[str, Line]]:
    """(writer, line) of every chain in one order: by time, but never before what its writer had already seen.

    Clocks of different machines may disagree; what a line names in `seen` comes before it all the same. `received`: by hash,
    when the cockpit that asks learned of a line of others; in its order that counts, and not what their clocks said.
    """
    known = received or {}

    def when(writer: str) -> tuple[datetime, datetime, str]:
        line = lines[writer][at[writer]]
        return (known.get(line.hash, line.entry.ts) if known else line.entry.ts), line.entry.ts, writer

    at = dict.fromkeys((chain.writer for chain in chains), 0)
    lines = {chain.writer: chain.lines for chain in chains}
    places = {(chain.writer, head): n - 1 for chain in chains for head, n in chain.places().items()}
    made: list[tuple[str, Line]] = []
    while ready := [writer for writer in at if at[writer] < len(lines[writer])]:
        free = [writer for writer in ready if _is_free(lines[writer][at[writer]], at, places)]
        # None is free only where lines were altered so that each waits for the other.
        first = min(free or ready, key=when)
        made.append((first, lines[first][at[first]]))
        at[first] += 1
    return made


def _is_free(line: Line, at: Mapping[str, int], places: Mapping[tuple[str, str], int]) -> bool:
    return all(places.get((writer, head), -1) < at.get(writer, 0) for writer, head in line.entry.seen.items())


@frozen
class Tail:
    """The end of a chain's file."""

    size: int
    head: str
    """Hash of the last whole line; empty when there is none."""
    seq: int
    """Of the last line that is an entry; 0 when there is none."""
    torn: Sequence[bytes]
    """Lines after that entry which are not entries; the last may lack its newline."""
    lines: int
    """How many lines the file has, a torn one counted."""


def tail_of(path: Path) -> Tail:
    """How a chain ends, as a writer that goes on with it must know. Raises OSError."""
    torn: list[bytes] = []
    head, seq, count = "", 0, 0
    for raw in raw_lines(path):
        count += 1
        try:
            # A whole entry that lacks only its newline was written out: the writer puts the newline there.
            seq = parse(raw if raw.endswith(b"\n") else raw + b"\n").entry.seq
            torn.clear()
        except BadLine:
            torn.append(raw)
        if raw.endswith(b"\n"):
            head = hash_of(raw)
    return Tail(path.stat().st_size, head, seq, torn, count)


@dataclass(slots=True)
class Heads:
    """The newest heads of a folder's chains; looks only at files that grew since."""

    journal: Path
    _known: dict[str, tuple[int, str]] = field(default_factory=dict)

    def now(self, but: str = "") -> dict[str, str]:
        """Writer -> hash of its last whole line, without the writer named. A file that cannot be read is as it was."""
        found = {}
        for path in files(self.journal):
            if path.stem == but:
                continue
            try:
                size = path.stat().st_size
                if self._known.get(path.stem, (-1, ""))[0] != size:
                    self._known[path.stem] = (size, _last_head(path))
            except OSError:
                pass
            head = self._known.get(path.stem, (0, ""))[1]
            if head:
                found[path.stem] = head
        return found


def _last_head(path: Path) -> str:
    """Hash of the last whole line, reading from the end."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        data = b""
        while end > 0 and data.count(b"\n") < 2:
            start = max(0, end - _TAIL)
            file.seek(start)
            data = file.read(end - start) + data
            end = start
    whole = data[: data.rfind(b"\n") + 1]
    before = whole.rfind(b"\n", 0, len(whole) - 1)
    return hash_of(whole[before + 1 :]) if whole else ""
