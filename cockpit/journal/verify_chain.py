"""Checking one chain: line after line, its shape, its place, its hash, and the signature of the session that wrote it."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cockpit.journal.chain import raw_lines
from cockpit.journal.dsse import Verifier
from cockpit.journal.entry import MAX_BYTES, BadLine, Line, Type, hash_of, parse
from cockpit.journal.findings import Findings, Problem
from cockpit.journal.validity import why_not

PAUSE_S = 0.05
PAUSES = 40
START = b'{"payload":"'
"""How every line begins."""
MOST = 50
"""The most problems reported for one chain."""


@dataclass(slots=True)
class Checked:
    """One chain, and what was found in it."""

    path: Path
    lines: list[Line] = field(default_factory=list)
    """Every line that is an entry, whether or not it is as it should be."""
    numbers: list[int] = field(default_factory=list)
    """The number of each in the file."""
    order: Findings = field(default_factory=Findings)
    """Of its lines' shape and place."""
    signatures: Findings = field(default_factory=Findings)
    hashes: list[str] = field(default_factory=list)
    """Of every line of the file, those that are no entry too."""
    _places: dict[int, int] = field(default_factory=dict)
    _records: dict[int, str] = field(default_factory=dict)
    _record: str = ""

    @property
    def writer(self) -> str:
        return self.path.stem

    def problem(self, line: Line, what: str) -> Problem:
        return Problem(self.path, self._places.get(id(line), 0), what)

    def place(self, line: Line) -> str:
        """FILE:LINE, without the folder."""
        return f"{self.path.name}:{self._places.get(id(line), 0)}"

    def hash_at(self, number: int) -> str:
        """Hash of a line, by its number."""
        return self.hashes[number - 1]

    def record_at(self, line: Line) -> str:
        """The record the session that wrote this line belongs to."""
        return self._records.get(id(line), "")

    def add(self, number: int, line: Line) -> None:
        if line.entry.type is Type.OPEN:
            self._record = str(line.entry.body.get("record", ""))
        self.lines.append(line)
        self.numbers.append(number)
        self._places[id(line)] = number
        self._records[id(line)] = self._record

    def empty(self, at: int) -> None:
        """Take the content of the line at this index away."""
        line = self.lines[at]
        emptied = replace(line, entry=replace(line.entry, body={}))
        self._places[id(emptied)] = self._places[id(line)]
        self._records[id(emptied)] = self._records[id(line)]
        self.lines[at] = emptied

    def broke(self, number: int, what: str, *, follows: bool = False) -> None:
        if len(self.order.broken) < MOST:
            self.order.broken.append(Problem(self.path, number, what, follows))

    def unsigned(self, number: int, what: str) -> None:
        if len(self.signatures.broken) < MOST:
            self.signatures.broken.append(Problem(self.path, number, what))


@dataclass(slots=True)
class _Torn:
    number: int
    raw: bytes
    why: str


def check_chain(path: Path) -> Checked:
    """Read and check one file. Raises OSError."""
    chain = Checked(path)
    torn: list[_Torn] = []
    for number, raw in enumerate(_settled(path), start=1):
        chain.hashes.append(hash_of(raw))
        try:
            line = parse(raw)
        except BadLine as bad:
            torn.append(_Torn(number, raw, str(bad)))
            continue
        chain.add(number, line)
    _check_places(chain, _check_torn(chain, torn))
    _check_signatures(chain)
    _set_aside(chain)
    return chain


def _set_aside(chain: Checked) -> None:
    """No cockpit writes an entry that is not valid: its line keeps its place, and whoever reads on finds nothing in it."""
    for at, number in enumerate(chain.numbers):
        if why := why_not(chain.lines[at].entry):
            chain.broke(number, f"is not valid and is set aside: {why}")
            chain.empty(at)


def _settled(path: Path) -> Iterator[bytes]:
    """The file's lines; where the last lacks its end, what it is a moment later: it may just be being written."""
    at, raw = 0, b"\n"
    for raw in raw_lines(path):
        if raw.endswith(b"\n"):
            at += len(raw)
            yield raw
    if not raw.endswith(b"\n"):
        with path.open("rb") as file:
            for _ in range(PAUSES):
                time.sleep(PAUSE_S)
                file.seek(at)
                raw = file.readline(MAX_BYTES + 1)  # as of `raw_lines`
                if raw.endswith(b"\n") or not _is_held(file.fileno()):
                    break
            yield raw


def _is_held(file: int) -> bool:
    """Whether a session has the file open for writing: it holds its lock as long as it lives."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _check_torn(chain: Checked, torn: Sequence[_Torn]) -> set[int]:
    """A line that is no entry is what a crash left only if the session after it says so: in `recovered`, or in its prev where
    `recovered` cannot be read. Gives the numbers of the others.
    """
    kinds = {number: line.entry.type for line, number in zip(chain.lines, chain.numbers, strict=True)}
    named: dict[int, str] = {}
    for line, number in zip(chain.lines, chain.numbers, strict=True):
        if line.entry.type is Type.OPEN and number + 1 not in kinds:
            named[number - 1] = line.entry.prev
        elif line.entry.type is Type.RECOVERED and kinds.get(number - 1) in (Type.OPEN, None):
            named.update(_named(line))
    unexplained: set[int] = set()
    for each in torn:
        if each.number == len(chain.hashes) and _is_cut(each.raw):
            chain.order.unproven.append(
                f"what {chain.path.name} line {each.number} was to say: torn, its writer was stopped while it wrote; "
                "an anchor after it would prove that nothing was cut off by hand"
            )
        elif named.get(each.number) == hash_of(each.raw):
            chain.order.unproven.append(
                f"what {chain.path.name} line {each.number} was to say: torn in a crash, kept, and named by the next session"
            )
        else:
            unexplained.add(each.number)
            chain.broke(each.number, each.why)
    return unexplained


def _is_cut(raw: bytes) -> bool:
    """Whether these bytes are the first part of a line, with nothing else after it; zeros are what a lost block reads as."""
    text = raw.rstrip(b"\0")
    return (
        bool(text)
        and text.isascii()
        and not text.endswith(b"\n")
        and (START.startswith(text) or text.startswith(START))
        and not _goes_on(text)
    )


def _goes_on(text: bytes) -> bool:
    """Whether something stands after a whole line."""
    try:
        _, end = json.JSONDecoder().raw_decode(text.decode("ascii"))
    except ValueError:
        return False
    return end < len(text)


def _named(line: Line) -> list[tuple[int, str]]:
    """(line, hash) of what a `recovered` entry names."""
    torn = line.entry.body.get("torn")
    if not isinstance(torn, list):
        return []
    return [
        (each["line"], each["sha256"])
        for each in torn
        if isinstance(each, dict) and isinstance(each.get("line"), int) and isinstance(each.get("sha256"), str)
    ]


def _check_places(chain: Checked, unexplained: set[int]) -> None:
    """seq, prev and who may stand where."""
    seq, last_number, closed, mono = 0, 0, True, 0
    for line, number in zip(chain.lines, chain.numbers, strict=True):
        entry = line.entry
        lost = len([n for n in range(last_number + 1, number) if n in unexplained])
        follows = entry.seq == seq + 1 or (lost and entry.seq == seq + 1 + lost)
        prev = chain.hashes[number - 2] if number > 1 else ""
        if not follows:
            chain.broke(number, _misplaced(entry.seq, seq, lost))
        elif entry.prev != prev and not (lost and entry.type is not Type.OPEN):
            chain.broke(number, "does not follow the line before it: one of the two was changed", follows=True)
        if entry.type is Type.OPEN:
            closed, mono = False, entry.mono_ns
        elif closed and not lost:
            chain.broke(number, "stands outside any session: nothing opened it")
            closed = False
        if entry.mono_ns < mono:
            chain.broke(number, "was written before the line before it, by the session's own clock")
        mono = entry.mono_ns
        closed = closed or entry.type is Type.CLOSE
        seq, last_number = entry.seq, number


def _misplaced(found: int, before: int, lost: int) -> str:
    if found <= before:
        return f"is entry {found}, after entry {before}: copied, or moved"
    return f"is entry {found}, but entry {before + lost + 1} is due: lines were removed, or moved"


def _check_signatures(chain: Checked) -> None:
    """Each session's last signature, which covers the session; every single one where anything does not fit."""
    sessions: list[list[tuple[int, Line]]] = []
    for line, number in zip(chain.lines, chain.numbers, strict=True):
        if line.entry.type is Type.OPEN or not sessions or _is_strange(sessions[-1][-1], number, line):
            sessions.append([])
        sessions[-1].append((number, line))
    whole = not chain.order.broken
    for session in sessions:
        key = _key(session[0][1])
        if key is None:
            number, first = session[0]
            if first.entry.type is Type.OPEN:
                chain.unsigned(number, "opens a session without a key")
            continue
        if whole and _signed(key, session[-1][1]) and _signed(key, session[0][1]) and _named_right(key, session):
            continue
        for number, line in session:
            if not _signed(key, line):
                chain.unsigned(
                    number, "the session's signature is not of this line: it was changed after it was written"
                )
                if line is session[0][1]:
                    break


def _is_strange(before: tuple[int, Line], number: int, line: Line) -> bool:
    """Whether, after a line that is no entry, another session goes on: what opened it cannot be read."""
    return number > before[0] + 1 and _key_id(line) != _key_id(before[1])


def _key_id(line: Line) -> str:
    return line.sigs[0].get("keyid", "") if line.sigs else ""


def _named_right(key: Verifier, session: Sequence[tuple[int, Line]]) -> bool:
    return all(_key_id(line) == key.id for _, line in session)


def _key(line: Line) -> Verifier | None:
    session = line.entry.body.get("session")
    if line.entry.type is not Type.OPEN or not isinstance(session, dict):
        return None
    try:
        return Verifier(str(session.get("public")))
    except ValueError:
        return None


def _signed(key: Verifier, line: Line) -> bool:
    return bool(line.sigs) and key.accepts(line.payload, line.sigs[0])
