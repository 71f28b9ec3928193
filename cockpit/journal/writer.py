"""Writing one chain: every entry is signed, and on the disk before it counts; one writer per file.

A journal is opened for the life of a process and holds its file's lock that long; a second process of the same person gets a
file of its own. What a crash left half written stays where it is, and the next session names it in a `recovered` entry.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import os
import platform
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cockpit.decide.events import Entry
from cockpit.journal.chain import SUFFIX, Heads, Tail, tail_of
from cockpit.journal.codec import time_text, to_body, type_of, without_secrets
from cockpit.journal.dsse import SessionKey
from cockpit.journal.entry import PERSONAL, Actor, JournalEntry, Line, Type, hash_of
from cockpit.journal.machine import machine_id, mark_of, vouch
from cockpit.journal.signed_text import SignedText
from cockpit.journal.ssh.sshsig import SshError
from probes.clients.clock_offset import MachineTime
from probes.frozen import frozen

COCKPIT = Actor("cockpit")
MAX_WRITERS = 100
CLOCK_BACK = timedelta(seconds=1)
"""A machine's clock that goes back by so much was set, and an entry says so; by less it is being disciplined."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a disk, a quota or a limit without room says."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_ODD = re.compile(r"[^a-z0-9._-]+")


class JournalLost(OSError):  # noqa: N818 - what happened to it
    """The file is not as this writer left it (shortened, grown, replaced, disk full): nothing can be added to it."""


@frozen
class Draft:
    """An entry before it has its place in the chain."""

    type: Type
    body: Mapping[str, Any] = field(default_factory=dict)
    actor: Actor = COCKPIT
    signature: Mapping[str, str] | None = None
    """What `SignedText.signed` gave, for an entry its person signed."""

    @classmethod
    def of(cls, entry: Entry, actor: Actor = COCKPIT, signature: Mapping[str, str] | None = None) -> Draft:
        """One of the entries deciding looks at."""
        return cls(type_of(entry), to_body(entry), actor, signature)


def writer_name(person: str, host: str = "") -> str:
    """The name of a writer: who, on which machine, and that machine's key, so that no other machine can write under it. Safe
    as a file's name. Raises OSError.

    >>> writer_name("Alex Kim", "macbook.local").removesuffix(machine_id())
    'alex-kim-macbook-'
    """
    host = host or platform.node() or "here"
    made = _ODD.sub("-", f"{person}-{host.split('.')[0]}".lower()).strip("-._")[:40]
    return f"{made or 'writer'}-{machine_id()}"


class Journal:
    """One chain, open for adding. Methods may be called from any thread; each waits for the disk (milliseconds).

    From an event loop use `WriterThread`, which does the waiting in a thread of its own.
    """

    def __init__(
        self,
        folder: Path,
        writer: str,
        record: str,
        clock: Callable[[], datetime],
        heads: Callable[[], Mapping[str, str]] | None,
        machine: MachineTime,
    ) -> None:
        """Use `Journal.open`."""
        self.folder = folder
        self.record = record
        self.closed = False
        self._clock = clock
        self._key = SessionKey()
        self._lock = threading.RLock()
        self.writer, self._file = _take(folder, writer)
        self.path = folder / (self.writer + SUFFIX)
        known = Heads(folder)
        self._heads = heads or (lambda: known.now(self.writer))
        tail = tail_of(self.path)
        self._seq, self._head, self._size = tail.seq, tail.head, tail.size
        self.resumed = tail.size > 0
        """Whether the chain had lines before this session."""
        self._tail: Tail = tail
        self._seen_heads: Mapping[str, str] = {}
        self._machine = machine
        self._origin = machine.origin()

    @classmethod
    def open(
        cls,
        folder: Path,
        writer: str,
        record: str,
        *,
        actor: Actor = COCKPIT,
        body: Mapping[str, Any] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        heads: Callable[[], Mapping[str, str]] | None = None,
        machine: MachineTime | None = None,
    ) -> Journal:
        """A chain with its `open` entry written, begun or gone on with.

        `folder` is a record's `journal/`, made where it is not there. `writer` comes from `writer_name`; where another process
        holds that file the name gets a number. `record` is the record's id, the same for everyone in a shared session. `body`
        goes into the `open` entry: at least {"plan_digest": ...}. `clock` gives the time of its entries; that `machine`'s own
        clock is set back is an entry too. Raises OSError, and ValueError for a name that cannot be one.
        """
        if not _NAME.fullmatch(writer):
            raise ValueError(f"{writer!r} cannot be a writer's name")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        journal = cls(folder, writer, record, clock, heads, machine or MachineTime())
        try:
            journal._begin(actor, dict(body or {}))
        except BaseException:
            os.close(journal._file)
            raise
        return journal

    @property
    def session(self) -> str:
        """The session's public key, base64."""
        return self._public()["public"]

    def now(self) -> datetime:
        """The time by this session's clock."""
        return self._clock()

    @property
    def size(self) -> int:
        """Bytes of the file that count: what lies behind them is just being written."""
        return self._size

    @property
    def head(self) -> str:
        """Hash of the last line, hex: what to post somewhere else, so that nothing can be cut off unseen."""
        return self._head

    def add(self, entry: Entry, actor: Actor = COCKPIT, signature: Mapping[str, str] | None = None) -> Line:
        """Keep one of the entries deciding looks at. Raises as `extend`."""
        return self.append(Draft.of(entry, actor, signature))

    def append(self, draft: Draft) -> Line:
        """Keep one entry. Raises as `extend`."""
        return self.extend([draft])[0]

    def extend(self, drafts: Sequence[Draft]) -> list[Line]:
        """Keep several entries with one wait for the disk; when this returns they are on it.

        Raises ValueError for an entry that cannot be kept (then none is), JournalLost where the file is not as it was left,
        OSError where the disk refuses. After either of the last two the journal takes nothing more, unless the disk was only
        full: then nothing of these was kept, and later ones are when there is room again.
        """
        with self._lock:
            if self.closed:
                raise JournalLost(f"{self.path.name} is closed")
            heads, wanted = dict(self._heads()), len(drafts)
            seen = {writer: head for writer, head in heads.items() if self._seen_heads.get(writer) != head}
            origin = self._machine.origin()
            drafts = [*self._went_back(origin), *drafts]
            lines: list[Line] = []
            seq, head = self._seq, self._head
            for draft in drafts:
                lines.append(self._line(draft, seq + 1, head, {} if lines else seen))
                seq, head = seq + 1, lines[-1].hash
            self._write(b"".join(line.raw for line in lines))
            self._seq, self._head, self._seen_heads = seq, head, heads
            self._origin = origin
            return lines[len(lines) - wanted :]

    def _went_back(self, origin: float) -> list[Draft]:
        """The entry that says that this machine's clock was set back since the last one."""
        back = timedelta(seconds=self._origin - origin)
        if back < CLOCK_BACK:
            return []
        now = datetime.fromtimestamp(self._machine.wall(), UTC)
        return [Draft(Type.NOTE, {"kind": "clock_went_back", "from": time_text(now + back), "to": time_text(now)})]

    def signed_text(self, draft: Draft) -> SignedText:
        """What the person behind a draft signs: `signed_text(draft).signed(signer)` gives the draft's signature.

        Needs no place in the chain, so waiting for a touch or a passphrase holds nobody up.
        """
        return SignedText(self.record, draft.type, draft.actor.id, without_secrets(draft.body))

    def anchor(self, where: str, actor: Actor = COCKPIT) -> str:
        """Note that the head is being given to somebody outside (`where`: "slack", "gate deploy"); the hash to give."""
        return self.append(Draft(Type.ANCHOR, {"where": where, "head": self.head}, actor)).hash

    def close(self, body: Mapping[str, Any] | None = None, actor: Actor = COCKPIT) -> str:
        """Write `close` and let go of the file; the last head. Closing twice, or after a failure, only lets go."""
        with self._lock:
            if not self.closed:
                try:
                    self.append(Draft(Type.CLOSE, dict(body or {}), actor))
                finally:
                    self._release()
            return self._head

    def leave(self) -> None:
        """Let go of the file without `close`: there was more to write, and whoever reads the chain shall know."""
        with self._lock:
            if not self.closed:
                self._release()

    def _begin(self, actor: Actor, body: dict[str, Any]) -> None:
        tail, self._tail = self._tail, Tail(0, "", 0, (), 0)
        if tail.torn or tail.size:
            self._end_last_line()
        public = self._public()
        tool = {"cockpit": _version(), "python": platform.python_version()}
        given = body | {"record": self.record, "writer": self.writer, "tool": tool, "resumed": self.resumed}
        given["session"], given["mark"] = public, mark_of(public["public"])
        drafts = [Draft(Type.OPEN, given | {"machine": vouch(self.record, self.writer, public["public"])}, actor)]
        if tail.torn:
            first = tail.lines - len(tail.torn) + 1
            named = [
                {"line": first + n, "bytes": len(whole), "sha256": hash_of(whole)}
                for n, whole in enumerate(_ended(torn) for torn in tail.torn)
            ]
            drafts.append(Draft(Type.RECOVERED, {"torn": named}, actor))
        self.extend(drafts)

    def _end_last_line(self) -> None:
        """A newline after what a crash left, so that it stays a line of its own."""
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                self._write(b"\n")
                self._head = tail_of(self.path).head

    def _public(self) -> dict[str, str]:
        return {"id": self._key.id, "public": base64.b64encode(self._key.public).decode()}

    def _line(self, draft: Draft, seq: int, prev: str, seen: Mapping[str, str]) -> Line:
        body = without_secrets(draft.body)
        if draft.signature is not None:
            self._check(draft)
        entry = JournalEntry(seq, prev, self._clock(), time.monotonic_ns(), draft.type, draft.actor, body, seen)
        payload = entry.payload()
        sigs = [self._key.sign(payload)]
        return Line.of(entry, payload, [*sigs, draft.signature] if draft.signature else sigs)

    def _check(self, draft: Draft) -> None:
        if draft.type not in PERSONAL:
            raise ValueError(f"a {draft.type} is not signed by a person")
        try:
            self.signed_text(draft).check(draft.signature or {})
        except SshError as error:
            raise ValueError(f"the signature of the {draft.type} does not hold: {error}") from None

    def _write(self, data: bytes) -> None:
        """All of it on the disk, or none: what a full disk took of it is cut off again. Raises OSError.

        After a failure of another kind nothing more is written: what is there is not known.
        """
        try:
            here, there = os.fstat(self._file), self.path.stat()
            if (here.st_ino, here.st_dev) != (there.st_ino, there.st_dev) or here.st_size != self._size:
                raise JournalLost(f"{self.path} is not as this session left it: shortened, changed or replaced")
            left = memoryview(data)
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError as error:
            if error.errno not in FULL or not self._cut_back():
                self._release()
            raise
        self._size += len(data)

    def _cut_back(self) -> bool:
        """Cut the file to what was written before; whether that worked."""
        try:
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
        except OSError:
            return False
        return True

    def _release(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self._file)


def _take(folder: Path, writer: str) -> tuple[str, int]:
    """The first file of this writer that nobody holds, locked. Raises OSError."""
    for number in range(1, MAX_WRITERS):
        name = writer if number == 1 else f"{writer}-{number}"
        path = folder / (name + SUFFIX)
        is_new = not path.exists()
        flags = os.O_APPEND | os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(path, flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        os.fchmod(file, 0o600)
        if is_new:
            _sync_folder(folder)
        return name, file
    raise JournalLost(f"{folder} holds {MAX_WRITERS} files of {writer}, all in use")


def _sync_folder(folder: Path) -> None:
    """A new file's name is on the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _ended(raw: bytes) -> bytes:
    return raw if raw.endswith(b"\n") else raw + b"\n"


def _version() -> str:
    try:
        return version("cutover-cockpit")
    except PackageNotFoundError:
        return ""
