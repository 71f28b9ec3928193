"""A record as a command goes by it that keeps no session of its own: with what is not known here of what others stated.

It looks at the share as a session does, and holds for the same things: a share that is not named, not read or another one, and
lines that are announced and not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from cockpit.decide.events import LinesMissing, Record
from cockpit.engine.clock import WatchClock
from cockpit.engine.record_location import Located, located, newest_of, shared_before
from cockpit.engine.record_sharing import holds_unread
from cockpit.engine.recorded import record_in
from cockpit.engine.share_at_start import Silent, in_time
from cockpit.journal.announced import MissingLines
from cockpit.journal.entry import Line
from cockpit.journal.heads_of_others import LOOKS, line_name
from cockpit.journal.persisted_log import announced_in
from cockpit.journal.provenance import lines_of, marked_sessions
from cockpit.journal.record_folder import RecordFolder, find_record, records_root
from cockpit.journal.shared_store import Store
from cockpit.journal.sharing import Sync
from cockpit.plan.model import Plan
from cockpit.plan.source.parts_of_plan import read_plan
from probes.clients.threads import in_thread
from probes.frozen import frozen


@frozen
class RecordLook:
    """The record a command goes by, and what a look at its share came to."""

    folder: RecordFolder | None
    """None where there is none on this machine."""
    announced: tuple[MissingLines, ...] | None = None
    """Lines of others that the share announces and that are not here; None where it was not asked."""
    unread: datetime | None = None
    """Since when the share is not read, where that holds; None where it is read, and where there is none."""
    trouble: str = ""
    """Why the share did not answer; empty where it did, or none is named."""

    def record(self) -> Record:
        """What it holds by now. Raises OSError."""
        if self.folder is None:
            return Record()
        record = record_in(self.folder)
        noted, lines = record.lines_missing, self.folder.lines()
        missing = list(announced_in(noted) if self.announced is None else self.announced)
        missing += _read_by_others(noted, lines) if noted else ()
        if noted or missing or self.unread:
            record.append(
                LinesMissing(
                    max(line.entry.ts for _, line in lines),
                    tuple(each.text for each in missing),
                    tuple(each.writer for each in missing),
                    tuple(name for each in missing for name in each.names),
                    self.unread,
                )
            )
        return record


async def look_at_record(
    plan: Plan, clock: WatchClock, name: str, store: Store | None, root: Path | None = None
) -> RecordLook:
    """The record that is named, or the plan's newest, with what others wrote to it until now. Raises OSError and ValueError for a
    record that is not there, and for a share that holds none or refuses.
    """

    def look() -> RecordLook:
        return _look(plan, clock, name, store, root or records_root())

    return await in_thread(look)


def _look(plan: Plan, clock: WatchClock, name: str, store: Store | None, root: Path) -> RecordLook:
    now = clock.now()
    if store is None:
        folder = find_record(name, root) if name else newest_of(plan, now, root)
        left = folder is not None and shared_before(folder)[0]
        return RecordLook(folder, unread=_unread(folder, clock, left=True) if folder and left else None)
    found = located(plan, read_plan(plan.path).whole, now, root, name, store)
    announced, trouble = None, found.silent
    if found.known and not trouble:
        announced, trouble = _announced(found, store)
    unread = _unread(found.folder, clock, left=found.left) if trouble or found.left else None
    return RecordLook(found.folder, announced, unread, trouble)


def _announced(found: Located, store: Store) -> tuple[tuple[MissingLines, ...] | None, str]:
    """Lines of others that the share announces and that are not here, None where it was not read; and why it was not.

    What others had read may be on its way: as the rounds of a session do, this looks for it several times.
    """
    noted = record_in(found.folder).lines_missing
    names = noted.names if noted else ()
    sync = Sync(found.folder.journal, store, [], record=found.folder.id, missing=names, mark=found.mark)
    for _ in range(LOOKS):
        try:
            in_time(sync.once)
        except Silent as silent:
            return None, str(silent)
        seen = record_in(found.folder).lines_missing
        if sync.read and not sync.missing and not (seen and seen.of):
            break
    return (sync.missing, "") if sync.read or sync.missing else (None, sync.trouble)


def _unread(folder: RecordFolder, clock: WatchClock, *, left: bool) -> datetime | None:
    """Since when its share is not read, where that holds."""
    noted, chains = record_in(folder).lines_missing, folder.chains()
    own = set(marked_sessions(line for chain in chains for line in chain.lines))
    looked = max((line.entry.ts for line in lines_of(chains, own)), default=None)
    since = (noted.unread if noted else None) or looked
    return holds_unread(since or clock.now(), clock, at_once=left or since is None)


def _read_by_others(noted: LinesMissing, lines: Sequence[tuple[str, Line]]) -> Iterator[MissingLines]:
    """Lines that were noted as missing because others, or this machine, had read them, and that are still not here."""
    here = {line_name(writer, line.hash) for writer, line in lines}
    for text, writer in zip(noted.of, noted.writers, strict=False):
        if names := sorted(name for name in noted.names_of(writer) - here if name.startswith(f"{writer}@")):
            yield MissingLines(writer, text, tuple(names))
