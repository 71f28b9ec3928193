"""Chains as they lie in a folder, one file per writer: reading them, their heads, and one order for all of them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cockpit.journal.entry import BadLine, Line, hash_of, parse

SUFFIX = ".jsonl"
_TAIL = 1 << 16


@dataclass(frozen=True, slots=True)
class Chain:
    """The readable lines of one writer's file, in order."""

    writer: str
    lines: Sequence[Line]
    unread: int = 0
    """Lines that are not entries: torn, or tampered with. `verify` says which."""


def files(journal: Path) -> list[Path]:
    """Every chain's file, by name; empty where there is no such folder."""
    return sorted(path for path in journal.glob("*" + SUFFIX) if path.is_file())


def raw_lines(path: Path) -> Iterator[bytes]:
    """Lines with their newline; the last may lack it. Only \\n ends a line.

    A line that is just being written is the last: what comes after its first half is not a line of its own.
    """
    with path.open("rb") as file:
        for raw in file:
            yield raw
            if not raw.endswith(b"\n"):
                return


def read(path: Path) -> Chain:
    """One chain, without judging it. Raises OSError."""
    return _chain(path.stem, raw_lines(path))


@dataclass(slots=True)
class Follower:
    """Reads of a folder's chains only what was added since it last looked."""

    journal: Path
    _read: dict[str, int] = field(default_factory=dict)

    def new(self) -> list[Chain]:
        """The lines added, by writer. Raises OSError."""
        found = []
        for path in files(self.journal):
            at = self._read.get(path.stem, 0)
            if path.stat().st_size <= at:
                continue
            with path.open("rb") as file:
                file.seek(at)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read[path.stem] = at + len(whole)
            found.append(_chain(path.stem, io.BytesIO(whole)))
        return found


def read_all(journal: Path) -> list[Chain]:
    return [read(path) for path in files(journal)]


def _chain(writer: str, raws: Iterable[bytes]) -> Chain:
    lines, unread = [], 0
    for raw in raws:
        try:
            lines.append(parse(raw))
        except BadLine:
            unread += 1
    return Chain(writer, lines, unread)


def merged(chains: Sequence[Chain]) -> list[tuple[str, Line]]:
    """(writer, line) of every chain in one order: by time, but never before what its writer had already seen.

    Clocks of different machines may disagree; what a line names in `seen` comes before it all the same.
    """
    at = dict.fromkeys((chain.writer for chain in chains), 0)
    lines = {chain.writer: chain.lines for chain in chains}
    places = {(chain.writer, line.hash): n for chain in chains for n, line in enumerate(chain.lines)}
    made: list[tuple[str, Line]] = []
    while ready := [writer for writer in at if at[writer] < len(lines[writer])]:
        free = [writer for writer in ready if _is_free(lines[writer][at[writer]], at, places)]
        # None is free only where lines were altered so that each waits for the other.
        first = min(free or ready, key=lambda writer: (lines[writer][at[writer]].entry.ts, writer))
        made.append((first, lines[first][at[first]]))
        at[first] += 1
    return made


def _is_free(line: Line, at: Mapping[str, int], places: Mapping[tuple[str, str], int]) -> bool:
    return all(places.get((writer, head), -1) < at.get(writer, 0) for writer, head in line.entry.seen.items())


@dataclass(frozen=True, slots=True)
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
    head, seq, size, count = "", 0, 0, 0
    for raw in raw_lines(path):
        size += len(raw)
        count += 1
        try:
            # A whole entry that lacks only its newline was written out: the writer puts the newline there.
            seq = parse(raw if raw.endswith(b"\n") else raw + b"\n").entry.seq
            torn.clear()
        except BadLine:
            torn.append(raw)
        if raw.endswith(b"\n"):
            head = hash_of(raw)
    return Tail(size, head, seq, torn, count)


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
