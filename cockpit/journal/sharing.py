"""Keeping one record's journal and a store equal: each machine pushes its own chain and fetches the others'.

Everybody's local folder holds the whole journal. Without a connection each goes on alone, and what is missing is made up for
at the next `Sync.once`. An object that its writer did not write is not taken in; it is shown, where it is read and where its
name is written.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path

from cockpit.journal.agreed_parts import Agreed, agree, compare
from cockpit.journal.announced import Announced, MissingLines, remembered
from cockpit.journal.chain import SUFFIX, files
from cockpit.journal.entry import BadLine, parse
from cockpit.journal.put_again import put, put_beside
from cockpit.journal.share_place import MAX_CHAIN, SHOWN, SharePlace, fetched
from cockpit.journal.shared_store import Part, Store, StoreUnreachable
from cockpit.journal.vetting import Foreign, Refused, Vetted, is_keyed, whole_lines

log = logging.getLogger(__name__)
MAX_PART = 4 << 20
"""Bytes of one part that is pushed."""
HELD = "another process on this machine has the copy of them here locked: is one stopped?"
MOST_WRITERS = 100
MOST_REMEMBERED = 1_000
"""Writers of which it is remembered what the store announced."""
UNREAD = 2
"""Rounds in a row in which an own object cannot be read before its lines are put there once more."""


class Sync:
    """Keeps one record's `journal/` and a store equal. Call `once` every few seconds, in a thread."""

    def __init__(
        self,
        journal: Path,
        store: Store,
        own: Sequence[str],
        size: Callable[[], int] = lambda: -1,
        record: str = "",
        *,
        known: bool = True,
        missing: Iterable[str] = (),
        mark: str = "",
        left: bool = False,
    ) -> None:
        """`own`: the writers whose chains are pushed, and never fetched. `record`: the id of the record; by default whatever
        the others say.

        `size`: how much of a chain that is pushed counts, in bytes: a full disk takes back what lies behind. -1: all of it.
        `known`: whether the store is known to hold lines of this record; else it is asked before anything is pushed.
        `missing`: names of objects of others that were there before, and whose lines were not here yet.
        `mark`, `left`: see `SharePlace`.
        """
        self.place = SharePlace(store, record, known=known, mark=mark, left=left)
        self._size = size
        self._journal = journal
        self._store = store
        self._own = own
        self._record = record
        self._one_at_a_time = threading.Lock()
        self._agreed: dict[str, Agreed] = {}
        self._refused: dict[Part, str] = {}
        self._foreign: set[str] = set()
        """Writers whose first object is of no cockpit, or of another record."""
        self._announced = remembered(missing)
        """By other writer: what was seen of it in the store."""
        self._strange: dict[str, str] = {}
        self._altered: set[str] = set()
        """Copies of others' chains that were altered on this machine, and fetched again."""
        self._failed: dict[str, int] = {}
        """By writer, how often something of its chain could not be read."""
        self.read = False
        """Whether the last round saw all that the others have put there: what it could not read is named as missing."""
        self.trouble = ""
        """Why the last round failed, in one line; empty when it did not."""
        self.strange = ""
        """How many objects in the store are not their writer's, and are not taken in, and why; empty where all are."""

    @property
    def missing(self) -> tuple[MissingLines, ...]:
        """Lines of others that the store announced and that are not here, for each writer."""
        return tuple(each.missing for _, each in sorted(self._announced.copy().items()) if each.missing is not None)

    def mark(self, before: str) -> str:
        """An object by which this share is known again: `before` while that is in it, else one of this cockpit's own; empty while
        there is none.
        """
        own = sorted(name for writer in self._own for name in self._agreed.get(writer, Agreed()).parts)
        return before if self.place.holds(before) else next(filter(self.place.holds, own), "")

    def once(self) -> bool:
        """Push and fetch what is missing on either side; whether all went well, else `trouble` says why. Never raises."""
        try:
            with self._one_at_a_time:
                try:
                    self._round()
                finally:
                    self.strange = self._refusals()
        except (StoreUnreachable, OSError) as error:
            log.warning("sharing the journal: %s", error)
            self.trouble = str(error)
            return False
        self.trouble = ""
        return True

    def _refusals(self) -> str:
        found = {part.name: why for part, why in self._refused.items()} | self._strange
        of = Counter((name.partition("/")[0], why) for name, why in found.items())
        lines = [
            f"{count} object{'s' * (count > 1)} as of {writer}: {why}" for (writer, why), count in sorted(of.items())
        ]
        more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        altered = [f"{name} was altered on this machine, and fetched again" for name in sorted(self._altered)]
        return "; ".join([*lines[:SHOWN], *more, *altered[:SHOWN]])

    def _round(self) -> None:
        self.read = False
        self.place.look()
        there: dict[str, list[Part]] = {writer: [] for writer in self._own}
        found = self._store.parts()
        self.place.recognise(frozenset(part.name for part in found))
        for part in sorted(found, key=lambda part: part.name):
            there.setdefault(part.writer, []).append(part)
        self._strange = {}
        for writer in self._announced:
            there.setdefault(writer, [])
        away: list[str] = []
        # Our own first; what could not be read last, so that it holds up nobody else.
        for writer in sorted(there, key=lambda each: (each not in self._own, self._failed.get(each, 0), each)):
            try:
                self._share(writer, there[writer])
                if self._agreed[writer].parts:
                    self.place.settle()
            except StoreUnreachable as error:
                self._failed[writer] = self._failed.get(writer, 0) + 1
                away.append(str(error))
            if len(away) == SHOWN:
                break
        else:
            self.read = True
        if away:
            raise StoreUnreachable("; ".join(away))

    def _share(self, writer: str, parts: Sequence[Part]) -> None:
        """Push or fetch one chain."""
        path = self._journal / (writer + SUFFIX)
        agreed = self._agreed.setdefault(writer, Agreed())
        if agreed.parts - {part.name for part in parts}:
            agreed = self._agreed[writer] = Agreed()  # something was taken out of the store
        if writer in self._own:
            if path.exists():
                self._push(path, parts, agreed)
            compare(path, parts, agreed)
            why = "this cockpit did not write it"
        else:
            unread: dict[Part, StoreUnreachable] = {}
            try:
                self._fetch(path, parts, agreed, unread)
            finally:
                self._look_for_missing(path, parts, unread, agreed)
            compare(path, [part for part in parts if part.start < agreed.upto], agreed)
            why = "another text stands in its place"
        self._strange |= dict.fromkeys(agreed.odd, why)

    def _push(self, path: Path, parts: Sequence[Part], agreed: Agreed) -> None:
        """What the store lacks of a chain, after what it has of it."""
        with path.open("rb") as file:
            upto = self._size()
            size = os.fstat(file.fileno()).st_size if upto < 0 else upto
            agree(file.fileno(), size, parts, agreed)
            data = os.pread(file.fileno(), max(0, size - agreed.upto), agreed.upto)
        for batch in _batches(data[: data.rfind(b"\n") + 1]):
            part = Part.of(path.stem, agreed.upto, batch)
            if not put(self._store, part, batch):
                agreed.altered[part.name] = part.start
                if not self._put_beside(path, part.start, part.end, agreed):
                    self._strange[part.name] = (
                        "something else stands where this cockpit's lines belong: they are not shared"
                    )
                    return
            agreed.parts.add(part.name)
            agreed.upto = part.end
        self._repair(path, parts, agreed)

    def _repair(self, path: Path, parts: Sequence[Part], agreed: Agreed) -> None:
        """Read one own part again, a round each; what was altered there is put there again, under another name."""
        own = [part for part in parts if part.name in agreed.parts and part.name not in agreed.altered]
        if own:
            part = own[-1 - agreed.looked % len(own)]
            try:
                altered = not part.holds(self._store.get(part))
            except StoreUnreachable as error:
                log.warning("sharing the journal: %s", error)
                agreed.unread += 1
                altered = agreed.unread == UNREAD
                if not altered:
                    return  # a network may fail once, and the same part is looked at again
            agreed.looked, agreed.unread = agreed.looked + 1, 0
            if altered:
                agreed.altered[part.name] = part.start
        for name, start in list(agreed.altered.items()):
            if name in agreed.parts and self._put_beside(path, start, agreed.upto, agreed):
                agreed.parts.discard(name)
                agreed.odd.add(name)
                del agreed.altered[name]

    def _put_beside(self, path: Path, start: int, end: int, agreed: Agreed) -> bool:
        name = put_beside(self._store, path, start, end, agreed.altered)
        agreed.parts |= {name} if name else set()
        return bool(name)

    def _look_for_missing(
        self, path: Path, parts: Sequence[Part], unread: dict[Part, StoreUnreachable], agreed: Agreed
    ) -> None:
        """What the store announces of a writer, and is not here."""
        writer = path.stem
        if not is_keyed(writer) or (writer in self._foreign and not path.exists()):
            self._announced.pop(writer, None)
            return
        why = dict.fromkeys(parts, HELD) if agreed.held else {}
        why |= {part: f"rejected: {text}" for part, text in self._refused.items() if part.writer == writer}
        why |= {part: f"it cannot be read: {error}" for part, error in unread.items()}
        if writer in self._announced or len(self._announced) < MOST_REMEMBERED:
            self._announced.setdefault(writer, Announced()).look(path, parts, why, agreed.parts)

    def _fetch(self, path: Path, parts: Sequence[Part], agreed: Agreed, unread: dict[Part, StoreUnreachable]) -> None:
        """What is missing here of another writer's chain; `unread` takes what cannot be read."""
        agreed.held = False
        if not self._candidates(parts, agreed):
            return
        while part := next((each for each in self._candidates(parts, agreed) if each not in unread), None):
            try:
                if agreed.vetted is None:
                    agreed.vetted = self._found(path, parts, agreed)
                    continue  # it may have found more that is known already
                if not self._add(path, part, agreed):
                    return
            except Refused as refused:
                self._refused[part] = str(refused)
                if isinstance(refused, Foreign) and part.start == 0:
                    self._foreign.add(part.writer)
            except StoreUnreachable as error:
                unread[part] = error
            if len(unread) == SHOWN:
                break
        if unread:
            raise next(iter(unread.values()))

    def _found(self, path: Path, parts: Sequence[Part], agreed: Agreed) -> Vetted:
        """The chain as this machine has it already, as far as the store has it too. Raises Refused, OSError."""
        start = Vetted(path.stem, self._record)
        if not path.exists():
            if len(files(self._journal)) >= MOST_WRITERS:
                raise Refused(f"the record has {MOST_WRITERS} writers already")
            return start
        with path.open("rb") as file:
            agree(file.fileno(), os.fstat(file.fileno()).st_size, parts, agreed)
            return start.then(whole_lines(file.read(agreed.upto)), signed=False)

    def _candidates(self, parts: Sequence[Part], agreed: Agreed) -> list[Part]:
        """What may come next. A part may hold what is known already: it was put twice, the second time with more lines."""
        return [part for part in parts if part.start <= agreed.upto < part.end and part not in self._refused]

    def _add(self, path: Path, part: Part, agreed: Agreed) -> bool:
        """Add a part to the file; False where another process on this machine writes it.

        Raises Refused, StoreUnreachable, OSError.
        """
        data, vetted = fetched(self._store, part, agreed.vetted or Vetted(part.writer, self._record), agreed.upto)
        self._journal.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if agreed.left[0] and agreed.left != _identity(handle):
                agreed.forget()  # somebody else wrote to it: what is the same still is looked at anew
                return True
            size = os.fstat(handle).st_size
            here = os.pread(handle, part.length, part.start)
            if data[: len(here)] != here:
                self._set_aside(path, os.pread(handle, min(size, MAX_CHAIN), 0), part.start, data)
                agreed.forget()
                return True
            _append(handle, data[len(here) :])
            agreed.left = _identity(handle)
        except BlockingIOError:
            agreed.held = True
            return False
        finally:
            os.close(handle)
        agreed.parts.add(part.name)
        agreed.upto, agreed.vetted = part.end, vetted
        return True

    def _set_aside(self, path: Path, here: bytes, start: int, theirs: bytes) -> None:
        """Put away what lies here in the place of a chain and is not its writer's: it is fetched again from its beginning.

        Raises Refused where the writer signed both texts: then neither is better than the other.
        """
        lines = whole_lines(here)
        torn = theirs.startswith(b"".join(lines)[start:])
        try:
            Vetted(path.stem, self._record).then(lines)
            signed = not torn
        except Refused:
            signed = False
        if signed:
            raise Refused("this machine has another text in this place")
        kept = next(free for n in count(1) if not (free := path.with_suffix(f".altered-{n}")).exists())
        path.rename(kept)
        log.warning("sharing the journal: %s was altered on this machine: put away as %s", path.name, kept.name)
        self._altered.add(path.name)


def _identity(handle: int) -> tuple[int, int, int]:
    about = os.fstat(handle)
    return about.st_ino, about.st_size, about.st_ctime_ns


def _append(handle: int, data: bytes) -> None:
    """All of it, or nothing. Raises OSError."""
    before, left = os.fstat(handle).st_size, memoryview(data)
    try:
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, before)
        raise


def _batches(data: bytes) -> Iterator[bytes]:
    """Whole lines in pieces of at most MAX_PART, each ending with a line that is an entry: its signature speaks for the rest."""
    while data:
        batch = data if len(data) <= MAX_PART else data[: data.rfind(b"\n", 0, MAX_PART) + 1]
        lines = whole_lines(batch)
        while lines and not _is_entry(lines[-1]):
            lines.pop()
        if not lines:
            return
        batch = b"".join(lines)
        yield batch
        data = data[len(batch) :]


def _is_entry(raw: bytes) -> bool:
    try:
        parse(raw)
    except BadLine:
        return False
    return True
