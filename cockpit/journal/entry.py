"""One line of a journal: what it holds, how it is written, and everything that makes a line not one.

A line is `{"payload":"<json text>","sigs":[...]}` and a newline, in ASCII. The payload is signed as the text it is, and the
hash of a line is the SHA-256 of all its bytes with the newline (`sed -n 5p FILE | sha256sum`), so nothing depends on how
another program would order or space the same JSON. A line must be written exactly as `Line.of` writes it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite
from typing import Any

from probes.frozen import frozen

VERSION = 1
MAX_BYTES = 1 << 20
"""Of one line. Longer ones are refused, by the writer and by the reader."""
YEARS = range(2000, 2200)
"""Of every time in a record: what is dated outside is no time of a cutover, and could not be calculated with."""
MAX_DEPTH = 20
"""Of lists and objects within each other."""
MAX_DIGITS = 19
"""Of a whole number."""
_HASH = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_KEYS = {"v", "seq", "prev", "ts", "mono_ns", "type", "actor", "seen", "body"}


class BadLine(ValueError):  # noqa: N818 - it says what is wrong with a line
    """A line that is not an entry of a journal; the message says why."""


class Type(StrEnum):
    OPEN = "open"
    PROBE = "probe"
    SIGN_OFF = "sign_off"
    VOTE = "vote"
    WAIVER = "waiver"
    ACTION_START = "action_start"
    ACTION_END = "action_end"
    TRIGGER = "trigger"
    DECISION = "decision"
    PLAN_CHANGED = "plan_changed"
    MIGRATION = "migration"
    ANCHOR = "anchor"
    NOTE = "note"
    RECOVERED = "recovered"
    CLOSE = "close"


PERSONAL = frozenset({Type.SIGN_OFF, Type.VOTE, Type.WAIVER, Type.DECISION, Type.ACTION_START, Type.ACTION_END})
"""What a person says, and may sign with a key of their own."""


@frozen
class Actor:
    """Who made an entry, as far as the writer knows. `id` is the person's in the plan, or "cockpit" for the program."""

    id: str
    role: str = ""
    account: str = ""
    """AWS account, ARN and user id as GetCallerIdentity gave them; empty until known."""
    arn: str = ""
    user_id: str = ""

    def as_dict(self) -> dict[str, str]:
        given = {"id": self.id, "role": self.role, "account": self.account, "arn": self.arn, "user_id": self.user_id}
        return {name: text for name, text in given.items() if text or name == "id"}


@frozen
class JournalEntry:
    """What a line says. `ts` is UTC to the millisecond; `mono_ns` counts from an arbitrary moment of one session."""

    seq: int
    """From 1, one more with every entry of the chain."""
    prev: str
    """Hash of the line before this one, hex; empty for the first line of a file."""
    ts: datetime
    mono_ns: int
    type: Type
    actor: Actor
    body: Mapping[str, Any]
    seen: Mapping[str, str] = field(default_factory=dict)
    """Writer -> hash of the last line of theirs that this writer had seen; only where that is news in this session."""

    def payload(self) -> str:
        """The entry as JSON text, ASCII only. Raises ValueError for what JSON cannot hold (NaN, a datetime, a loop)."""
        try:
            return json.dumps(
                {
                    "v": VERSION,
                    "seq": self.seq,
                    "prev": self.prev,
                    "ts": as_text(self.ts),
                    "mono_ns": self.mono_ns,
                    "type": str(self.type),
                    "actor": self.actor.as_dict(),
                    "seen": dict(self.seen),
                    "body": self.body,
                },
                separators=(",", ":"),
                allow_nan=False,
            )
        except (TypeError, RecursionError) as error:
            raise ValueError(f"{self.type} cannot be kept: {error}") from None


@frozen
class Line:
    """One entry with its signatures, as it stands in a file."""

    raw: bytes
    """With the newline."""
    payload: str
    sigs: Sequence[Mapping[str, str]]
    entry: JournalEntry

    @property
    def hash(self) -> str:
        return hash_of(self.raw)

    @classmethod
    def of(cls, entry: JournalEntry, payload: str, sigs: Sequence[Mapping[str, str]]) -> Line:
        """The line as it will be written. Raises ValueError if it is too long."""
        raw = _written(payload, sigs)
        if len(raw) > MAX_BYTES:
            raise ValueError(f"{entry.type} takes {len(raw)} bytes; a line may take {MAX_BYTES}")
        return cls(raw, payload, sigs, entry)


def parse(raw: bytes) -> Line:
    """The line these bytes are. Raises BadLine with the reason; checks no signature and no hash."""
    if not raw.endswith(b"\n"):
        raise BadLine("the line does not end: it was cut, or never written out")
    if len(raw) > MAX_BYTES:
        raise BadLine(f"the line takes more than {MAX_BYTES} bytes")
    envelope = _json(raw, "the line")
    if not isinstance(envelope, dict) or set(envelope) != {"payload", "sigs"}:
        raise BadLine('the line is not {"payload": ..., "sigs": [...]}')
    payload, sigs = envelope["payload"], envelope["sigs"]
    if not isinstance(payload, str) or not _is_sigs(sigs):
        raise BadLine("the line's payload is not a text, or its sigs are not signatures")
    if _written(payload, sigs) != raw:
        raise BadLine("the line's bytes were altered: they are not as any journal writes them")
    return Line(raw, payload, sigs, _entry(_json(payload, "the payload")))


def hash_of(raw: bytes) -> str:
    """The hash of a line: SHA-256 of its bytes with the newline, hex."""
    return hashlib.sha256(raw).hexdigest()


def as_text(at: datetime) -> str:
    """A time as entries write it: UTC, milliseconds. Raises ValueError for a time without a zone.

    >>> as_text(datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC))
    '2026-01-02T03:04:05.678Z'
    """
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be kept")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_time(text: str) -> datetime:
    """The time an entry writes. Raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a time")
    return in_range(datetime.fromisoformat(text))


def in_range(at: datetime) -> datetime:
    """Raises ValueError for a time no record is from."""
    if at.year not in YEARS:
        raise ValueError(f"the year {at.year} is not between {YEARS.start} and {YEARS.stop - 1}")
    return at


def as_hash(text: Any) -> str:
    """Raises ValueError unless it is a SHA-256, in hex."""
    if not isinstance(text, str) or not _HASH.fullmatch(text):
        raise ValueError("not a hash")
    return text


def _written(payload: str, sigs: Sequence[Mapping[str, str]]) -> bytes:
    return json.dumps({"payload": payload, "sigs": sigs}, separators=(",", ":")).encode() + b"\n"


def _json(text: str | bytes, what: str) -> Any:
    try:
        text = text if isinstance(text, str) else text.decode("ascii")
        made = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise BadLine(f"{what} holds a byte that is not ASCII, at {error.start}") from None
    except RecursionError:
        raise BadLine(f"{what} is nested too deep") from None
    except ValueError as error:
        raise BadLine(f"{what} is not JSON: {error}") from None
    if text.count("{") + text.count("[") > MAX_DEPTH and _is_deeper(made, MAX_DEPTH):
        raise BadLine(f"{what} is nested too deep")
    if "\\u" in text and not _is_text(made):
        raise BadLine(f"{what} holds half a character")
    return made


def _is_deeper(value: Any, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(depth == 0 or _is_deeper(each, depth - 1) for each in inner)


def _is_text(made: Any) -> bool:
    """Whether every text in it can be written to a file or a terminal."""
    try:
        json.dumps(made, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name is given twice")
    return made


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a value")


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    made = float(digits)
    if not isfinite(made):
        raise ValueError(f"{digits[:40]} is too large a number")
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_constant, parse_int=_whole, parse_float=_finite)


def _is_sigs(sigs: Any) -> bool:
    return isinstance(sigs, list) and all(isinstance(sig, dict) and _is_texts(sig) for sig in sigs)


def _is_texts(given: Any) -> bool:
    return isinstance(given, dict) and all(isinstance(text, str) for text in given.values())


def _entry(given: Any) -> JournalEntry:
    if not isinstance(given, dict):
        raise BadLine("the payload is not an object")
    if given.get("v") != VERSION:
        raise BadLine(f"the entry is of version {str(given.get('v'))[:20]}; this program reads version {VERSION}")
    if set(given) != _KEYS:
        odd = ", ".join(sorted(_KEYS ^ set(given)))[:100]
        raise BadLine(f"the entry lacks, or holds more than it may: {odd}")
    seq, mono_ns, prev = given["seq"], given["mono_ns"], given["prev"]
    if type(seq) is not int or seq < 1 or type(mono_ns) is not int or mono_ns < 0:
        raise BadLine("seq or mono_ns is not a number of the right kind")
    if not isinstance(prev, str) or (prev and not _HASH.fullmatch(prev)):
        raise BadLine("prev is not a hash")
    seen, body = given["seen"], given["body"]
    if not _is_texts(seen) or not all(_HASH.fullmatch(text) for text in seen.values()):
        raise BadLine("seen does not name heads")
    if not isinstance(body, dict):
        raise BadLine("body is not an object")
    try:
        at, kind = as_time(given["ts"]), Type(given["type"])
    except (TypeError, ValueError) as error:
        raise BadLine(str(error)) from None
    return JournalEntry(seq, prev, at, mono_ns, kind, _actor(given["actor"]), body, seen)


def _actor(given: Any) -> Actor:
    if not _is_texts(given) or "id" not in given:
        raise BadLine("actor is not who made the entry")
    try:
        return Actor(**given)
    except TypeError:
        raise BadLine("actor holds more than it may") from None
