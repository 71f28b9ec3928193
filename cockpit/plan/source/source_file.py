"""A plan file as text: read with a bound, and refused when it cannot be text at all."""

from __future__ import annotations

import hashlib
import re
import stat
import sys
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from cockpit.plan.position import Position
from cockpit.plan.source.problems import PlanError, Problem
from probes.frozen import frozen

MAX_BYTES = 1_000_000
_BREAK = re.compile("\r\n|[\n\r]")
_ODD = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""Control characters, line breaks that only some readers count, and what reverses the direction of text."""
STDIN = "-"
"""The name that stands for standard input."""
_EMPTY = "is empty: `cockpit example minimal` prints a plan to start from"


@frozen
class Source:
    """The text of a plan. `file` is how problems name it; `digest` is the SHA-256 of `whole`, hex."""

    file: str
    text: str
    digest: str
    starts: tuple[int, ...]
    """Index of the first character of each line."""
    whole: bytes = b""
    """What a record keeps: the plan's bytes, with its parts written into it."""
    parts: Mapping[str, Source] = field(default_factory=dict)
    """The files of its parts, by the names the plan gives them."""

    @classmethod
    def of(cls, text: str, file: str, raw: bytes | None = None) -> Source:
        """Raises PlanError for a text that holds nothing, or a character no YAML may hold."""
        starts = (0, *(match.end() for match in _BREAK.finditer(text)))
        whole = text.encode() if raw is None else raw
        source = cls(file, text, hashlib.sha256(whole).hexdigest(), starts, whole)
        if odd := _ODD.search(text):
            line = text.count("\n", 0, odd.start()) + 1
            raise fatal(file, f"holds the character U+{ord(odd.group()):04X}, which has no place in a plan", line)
        if not text.strip():
            raise fatal(file, _EMPTY)
        return source

    def line(self, number: int) -> str:
        """A line by its number, from 1; empty past the end."""
        if not 0 < number <= len(self.starts):
            return ""
        end = self.starts[number] if number < len(self.starts) else len(self.text)
        return self.text[self.starts[number - 1] : end].rstrip("\r\n")

    def problem(self, index: int, message: str, length: int = 1) -> Problem:
        """A problem of the text itself, at a character."""
        position = self.position(index)
        return Problem(position, "", message, self.line(position.line), length)

    def position(self, index: int) -> Position:
        """Line and column of a character."""
        line = bisect_right(self.starts, index)
        return Position(self.file, line, index - self.starts[line - 1] + 1)


def read(path: str | Path) -> Source:
    """A file's text; standard input's for "-". Reads at most a megabyte. Raises PlanError for what cannot be a plan."""
    name = str(path)
    if name == STDIN:
        return _decoded(sys.stdin.buffer.read(MAX_BYTES + 1), "standard input")
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise fatal(name, "is not a file" if Path(path).is_dir() else "is not an ordinary file")
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise fatal(name, f"cannot be read: {error.strerror or error}") from None
    except ValueError:  # a name with a null in it
        raise fatal(name, "is not a file") from None
    return _decoded(raw, name)


def _decoded(raw: bytes, name: str) -> Source:
    if len(raw) > MAX_BYTES:
        raise fatal(name, f"is larger than {MAX_BYTES // 1_000_000} MB: that is not a plan")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise fatal(name, "is UTF-16 text: save it as UTF-8")
    if b"\0" in raw:
        raise fatal(name, "is a binary file, not YAML")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise fatal(name, f"is not UTF-8 text: byte 0x{raw[error.start]:02X} in this line", line) from None
    return Source.of(text, name, raw)


def fatal(file: str, message: str, line: int = 1) -> PlanError:
    """A file that cannot be looked into any further."""
    return PlanError([Problem(Position(file, line, 1), "", message)])
