"""The record while it is written: folder, journal, readings, and sharing with other machines."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cockpit.decide.board import Board
from cockpit.decide.events import Entry, ObserverGap, Record, StepMeasured
from cockpit.engine.clock import WatchClock
from cockpit.engine.earlier_steps import StepTook, earlier_steps, measured
from cockpit.engine.ports import Refused
from cockpit.engine.record_location import Located, located, started_at
from cockpit.engine.record_sharing import RecordSharing
from cockpit.engine.tasks import end
from cockpit.engine.watch import Watch
from cockpit.journal.codec import time_text
from cockpit.journal.entry import PERSONAL, Actor, Type
from cockpit.journal.persisted_log import PersistedRecord
from cockpit.journal.provenance import lines_of, marked_sessions
from cockpit.journal.readings import ReadingStore, Taken, taken
from cockpit.journal.record_folder import RecordFolder, records_root
from cockpit.journal.shared_store import Store
from cockpit.journal.sharing import Sync
from cockpit.journal.ssh.keys import find_signer
from cockpit.journal.ssh.sshsig import Signer, SshError
from cockpit.journal.validity import UNCHANGED, WATCHING
from cockpit.journal.writer import Draft, Journal, writer_name
from cockpit.journal.writer_thread import WriterThread
from cockpit.plan.model import Person, Plan
from cockpit.plan.source.parts_of_plan import read_plan
from cockpit.plan.ssh_public_key import fingerprint
from probes.clients.threads import in_thread
from probes.redact import HIDDEN

log = logging.getLogger(__name__)
T = TypeVar("T")
CLOSES_WITHIN_S = 5.0
"""How long quitting waits for the disk of the record; a network drive may never answer."""
QUIET = timedelta(minutes=2)
"""Between two notes that nothing changed: a replay checks that nothing changes there either."""
RESTORE_WITHIN = timedelta(hours=12)
"""Readings older than this are not restored."""


class CannotRecord(Exception):  # noqa: N818 - what keeps it from beginning
    """The record cannot be started or resumed; the message says why."""


@dataclass(slots=True)
class Recording:
    """One cockpit's part of a record. Made by `recording`; `attach` it to the watch before that runs."""

    folder: RecordFolder
    writer_thread: WriterThread
    record: PersistedRecord
    readings: ReadingStore
    clock: WatchClock
    started_at: datetime
    sharing: RecordSharing
    key_file: Path | None = None
    resumed: bool = False
    account: Mapping[str, str] = field(default_factory=dict)
    """account, arn and user_id of the AWS credentials in use."""
    earlier: Sequence[StepTook] = ()
    """Every time a step of this plan was done in an earlier record on this machine."""
    _signers: dict[str, Signer | None] = field(default_factory=dict)
    _noted: datetime | None = None
    _quiet: tuple[datetime, int] | None = None
    """The last decision that changed nothing, and how many entries there were."""
    _not_closed: str = ""
    _not_restored: str = ""

    @property
    def journal(self) -> Journal:
        return self.writer_thread.journal

    @property
    def not_kept(self) -> list[str]:
        """What a closed record lacks, a sentence each: what found no room on the disk."""
        lost = f"{self.readings.lost} readings were not kept" if self.readings.lost else ""
        return [text for text in (self._not_closed, lost) if text]

    @property
    def trouble(self) -> str:
        """What is not being kept, and why; empty while everything is."""
        trouble = self.readings.trouble
        lost = f"{self.readings.lost} readings were not kept: {trouble}" if trouble else ""
        texts = (self.writer_thread.trouble, lost, self._not_restored, self.sharing.trouble, self._set_aside)
        return " · ".join(filter(None, texts))

    @property
    def _set_aside(self) -> str:
        """Which cockpits wrote lines that are not valid; empty where none did."""
        return " · ".join(
            f"{count} line{'s' * (count > 1)} of {writer} not valid and set aside: {why}"
            for writer, (count, why) in sorted(self.record.set_aside.items())
        )

    # -- the watch ---------------------------------------------------------------------------------------------------

    def attach(self, watch: Watch) -> None:
        """Record what the watch takes in, and restore what was recorded before."""
        watch.on_reading.append(self.readings.put)
        watch.on_unchanged.append(self._unchanged)
        watch.notices.append(lambda: self.trouble)
        self.sharing.on_news = watch.decide_soon
        self.sharing.is_gone_without = lambda: watch.counted().withheld.unread is None
        last, row = self._restore(watch) if self.resumed else (self.clock.now(), 0)
        self.clock.not_before(last)
        watch.resume_from(last, away=self.resumed)
        # A replay starts from the same time, with the same readings and entries.
        self.writer_thread.submit(
            Draft(Type.NOTE, {"kind": WATCHING, "since": time_text(last), "readings": row}), held=True
        )
        self._note_earlier(watch)

    def _note_earlier(self, watch: Watch) -> None:
        """Keep how long steps took before: a replay elsewhere has the same estimates."""
        steps = [step.id for step in (*watch.plan.runbook, *watch.plan.rollback_plan)]
        known = {each.subject: each for each in self.record.all(StepMeasured)}
        for each in measured(self.earlier, steps, watch.moment()):
            if (held := known.get(each.subject)) is None or replace(held, at=each.at) != each:
                self.record.append(each)

    def _unchanged(self, at: datetime) -> None:
        self._quiet = at, len(self.record.entries)
        if self._noted is None or at - self._noted >= QUIET:
            self._note_unchanged(at)

    def _note_unchanged(self, at: datetime) -> None:
        self._noted = at
        self.writer_thread.submit(Draft(Type.NOTE, {"kind": UNCHANGED, "at": time_text(at)}), held=True)

    def _restore(self, watch: Watch) -> tuple[datetime, int]:
        """Restore the board from the record: the time of its own last entry or reading, and the row of the last reading."""
        last = max((entry.at for entry in self.record.entries if entry.proof.own), default=self.started_at)
        try:
            kept = list(taken(self.folder.readings, since=self.clock.now() - RESTORE_WITHIN))
        except (sqlite3.Error, ValueError) as error:  # somebody altered them: all is unknown until it is read anew
            kept, self._not_restored = [], f"earlier readings are not restored: {error}"
        restore_board(watch.board, kept, self.record)
        of_ours = (each.at for each in kept if each.probe in watch.plan.probes)
        return max([last, *of_ours]), max((each.row for each in kept), default=0)

    # -- entries of people (the protocol `Keeper`) ----------------------------------------------------------------------

    async def key_of(self, person: Person) -> str:
        """The fingerprint this person signs with here; looked for once."""
        signer = await self._signer(person)
        return fingerprint(signer.public) if signer else ""

    async def keep(self, entry: Entry, person: Person, role: str) -> None:
        """Record a person's entry, with their signature where they have a key. Raises Refused."""
        actor = Actor(person.id, role, **self.account)
        draft = Draft.of(entry, actor)
        signature = None
        try:
            signer = await self._signer(person) if draft.type in PERSONAL else None
            if signer is None and entry.key:
                raise SshError(f"the key {entry.key} no longer exists")
            if signer is not None:
                signature = await in_thread(self.journal.signed_text(draft).signed, signer)
            line = await asyncio.wrap_future(self.record.submit_signed(entry, actor, signature))
        except SshError as error:
            raise Refused(f"not signed: {error}") from None
        except (OSError, ValueError) as error:
            raise Refused(f"not recorded, so it does not count: {error}") from None
        self.record.counts(entry, line)
        self.sharing.on_news()

    async def _signer(self, person: Person) -> Signer | None:
        """The person's key: what the plan names, in the agent or in the file given. None: nothing is signed with a key."""
        if person.id not in self._signers:
            named = person.ssh_key
            if not named and self.key_file is None:
                self._signers[person.id] = None
            else:
                try:
                    self._signers[person.id] = await in_thread(find_signer, named, self.key_file)
                except SshError as error:
                    log.info("%s signs without a key: %s", person.id, error)
                    return None  # the agent may hold it later
        return self._signers[person.id]

    # -- its end -------------------------------------------------------------------------------------------------------

    def anchor(self, where: str) -> str:
        """Note the head as published to `where`; its hash. Waits for the disk. Raises OSError."""
        return self.writer_thread.submit(Draft(Type.ANCHOR, {"where": where})).result().hash

    def leave(self) -> None:
        """What is left of a record whose disk does not answer: the next session finds it as after a crash."""
        self._not_closed = f"the record was not closed: its disk has not answered for {CLOSES_WITHIN_S:g} s"
        log.error("%s", self._not_closed)

    def close(self) -> None:
        """Everything to the disk, under the signature, the chain closed, and pushed where it is shared."""
        try:
            if self._quiet is not None and self._quiet[0] != self._noted and self._quiet[1] == len(self.record.entries):
                self._note_unchanged(self._quiet[0])
            self.writer_thread.close()
        except (OSError, ValueError) as error:
            log.error("the record was not closed: %s", error)
            self._not_closed = f"the record was not closed: {error}"
        self.readings.close()
        self.sharing.close()


def restore_board(board: Board, kept: Iterable[Taken], record: Record) -> None:
    """Restore on a new board the readings of an earlier session, and the gaps in watching."""
    for each in kept:
        if each.probe in board.readings.histories:
            board.add(each.probe, each.reading)
    for gap in record.all(ObserverGap):
        board.gap(gap.since, gap.at)


@asynccontextmanager
async def recording(
    plan: Plan,
    clock: WatchClock,
    *,
    who: str = "",
    name: str = "",
    root: Path | None = None,
    new: bool = False,
    store: Store | None = None,
    key_file: Path | None = None,
    variables: Mapping[str, str] | None = None,
    rehearsal: bool = False,
    claimed_because: str = "",
) -> AsyncIterator[Recording]:
    """The record of a cutover, started or resumed.

    Without `name` it resumes the newest record of this plan that is younger than a week, unless `new`. With a `store`
    the record is the one that lies there, or is put there. `variables` are what the plan was loaded with: secrets in them are
    hidden. Raises CannotRecord.
    """
    try:
        made = await in_thread(
            _open, plan, clock, who, name, root, new, store, variables or {}, rehearsal, claimed_because
        )
    except (OSError, ValueError, sqlite3.Error) as error:
        raise CannotRecord(f"the record cannot be written: {error}") from None
    made.key_file = key_file
    running = asyncio.create_task(made.sharing.run(), name="record")
    try:
        yield made
    finally:
        await end((running,))
        closing = asyncio.ensure_future(in_thread(made.close))
        if not (await asyncio.wait({closing}, timeout=CLOSES_WITHIN_S))[0]:
            made.leave()


def _open(
    plan: Plan,
    clock: WatchClock,
    who: str,
    name: str,
    root: Path | None,
    new: bool,
    store: Store | None,
    variables: Mapping[str, str],
    rehearsal: bool,
    claimed_because: str,
) -> Recording:
    now = clock.now()
    text = read_plan(plan.path).whole
    try:
        found = located(plan, text, now, records_root() if root is None else root, name, store, new=new)
    except (OSError, ValueError) as error:
        if store is None:
            raise
        raise CannotRecord(f"the share cannot be used: {error}") from None
    folder = found.folder
    writer = writer_name(who or "cockpit")
    earlier = started_at(folder)
    own = marked_sessions(line for _, line in folder.lines())
    if earlier is not None:
        before = lines_of(folder.chains(), set(own))
        clock.not_before(max((line.entry.ts for line in before), default=earlier))
    body: dict[str, Any] = {
        "plan": plan.name,
        "plan_digest": folder.keep_plan(text),
        "started_at": time_text(earlier or now),
        "vars": {name: HIDDEN if name in plan.secret_vars else value for name, value in variables.items()},
        "rehearsal": rehearsal,
        "claimed_because": claimed_because,
        "own": own,
        "shared": store is not None,
    }
    actor = Actor(who or "cockpit")
    journal = Journal.open(
        folder.journal, writer, folder.id, actor=actor, body=body, clock=clock.now, machine=clock.machine
    )
    try:
        readings = ReadingStore(folder.readings, journal.writer)
    except BaseException:
        journal.close()
        raise
    writer_thread = WriterThread(journal, readings)
    writer_thread.submit(readings.opening(), held=True)
    try:
        record = PersistedRecord(
            writer_thread, lambda: Actor("cockpit"), rehearsal=rehearsal, claimed_because=claimed_because
        )
        sharing = _shared(found, record, journal, clock, earlier or now, store)
    except BaseException:
        writer_thread.close()
        readings.close()
        raise
    return Recording(
        folder,
        writer_thread,
        record,
        readings,
        clock,
        earlier or now,
        sharing,
        resumed=earlier is not None,
        earlier=tuple(earlier_steps(plan.name, root, but=folder)),
    )


def _shared(
    found: Located,
    record: PersistedRecord,
    journal: Journal,
    clock: WatchClock,
    started_at: datetime,
    store: Store | None,
) -> RecordSharing:
    """What this session takes in of others; what it may lack from its start on is noted before anything else is."""
    sync = None
    if store is not None:
        noted = record.lines_missing
        sync = Sync(
            found.folder.journal,
            store,
            [journal.writer],
            lambda: journal.size,
            journal.record,
            known=found.known,
            missing=noted.names if noted else (),
            mark=found.mark,
            left=found.left,
        )
        sync.trouble = found.silent or found.unclaimed
    sharing = RecordSharing(record, clock, started_at, sync, left=found.left, mark=found.mark)
    if found.left or found.silent:
        sharing.take_in(reached=False)
    return sharing
