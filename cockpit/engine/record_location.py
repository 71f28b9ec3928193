"""Where a cutover's record lies: the folder on this machine, found or made, with what a share holds of it taken in."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cockpit.engine.share_at_start import Silent, agreed_record, in_time, shared_record
from cockpit.journal.codec import moment
from cockpit.journal.entry import Type
from cockpit.journal.provenance import marked_sessions, session_of, share_mark
from cockpit.journal.record_folder import RecordFolder, list_records
from cockpit.journal.shared_store import Store, StoreUnreachable
from cockpit.journal.sharing import Sync
from cockpit.plan.model import Plan
from probes.frozen import frozen

RESUMED_WITHIN = timedelta(days=7)
"""A record that is older is not the cutover of now."""


@frozen
class Located:
    """Where a record lies on this machine, with what a share held of it."""

    folder: RecordFolder
    known: bool = False
    """Whether the share holds lines of it; else it is asked again before anything is put there."""
    silent: str = ""
    """Why the share was not asked; empty where it answered, or there is none."""
    unclaimed: str = ""
    """Why a share that holds nothing yet could not be made the place of this record; empty where it was."""
    left: bool = False
    """Whether it was shared before, and its share is not named now, or is another: as where a drive is not mounted."""
    mark: str = ""
    """An object by which this machine knows its share again; empty where it knows of none."""


def located(
    plan: Plan, text: bytes, now: datetime, root: Path, name: str, store: Store | None, *, new: bool = False
) -> Located:
    """Raises ValueError and OSError for a share that refuses before a record has begun; one that is silent delays nobody.

    The record that the operator names, or that this machine has shared before, is gone on with whatever the share holds now:
    whoever can write there can neither put another in its place nor keep it from beginning.
    """
    own = _own(plan, now, root, name, new=new)
    before, mark = (False, "") if own is None else shared_before(own)
    if store is None:
        folder = RecordFolder.create(plan.name, text, now, root) if own is None else _made(own)
        return Located(folder, left=before, mark=mark)
    begun = own is not None and started_at(own) is not None
    kept = bool(name) or before
    own = own or RecordFolder(RecordFolder.free(plan.name, now, root))
    shared, silent, unclaimed = "", "", ""
    try:
        shared = shared_record(store, own.id if begun or kept else "", kept=kept)
    except Silent as error:
        silent = str(error)
    except OSError as error:
        if not kept:
            raise OSError(f"{error}; named with --record, one begins all the same") from None
        silent = str(error)
    known, record = bool(shared), shared
    if not known and not silent:
        try:
            record = agreed_record(store, own.id, begun=begun or kept)
        except (Silent, StoreUnreachable) as error:
            unclaimed = str(error)
    folder = own if kept or record in ("", own.id) else RecordFolder(root / record)
    if folder is not own and not _may_be_of(folder, plan):
        raise ValueError(f"the share is for the record {record}, which on this machine is another plan's; see --record")
    sync = Sync(_made(folder).journal, store, [], record=folder.id, mark=mark)
    try:
        if known and not in_time(sync.once):
            silent = sync.trouble
    except Silent as error:
        silent = str(error)
    left = before and not silent and (sync.place.left or not known)
    return Located(folder, known, silent, unclaimed, left, mark)


def shared_before(folder: RecordFolder) -> tuple[bool, str]:
    """Whether a session on this machine has shared a record, and the object by which its share is known again: whatever lies in
    the share now, the record is the cutover's.
    """
    chains = folder.chains()
    opens = [line for chain in chains for line in chain.lines if line.entry.type is Type.OPEN]
    own = marked_sessions(opens)
    shared = any(line.entry.body.get("shared") is True and session_of(line) in own for line in opens)
    return shared, share_mark(chains, own) if shared else ""


def _own(plan: Plan, now: datetime, root: Path, name: str, *, new: bool) -> RecordFolder | None:
    """The record to go on with where nobody shares one: the one that is named, made or not, or the newest. None: a new one."""
    if name:
        return RecordFolder(Path(name) if Path(name).is_dir() else root / name)
    return None if new else newest_of(plan, now, root)


def _made(folder: RecordFolder) -> RecordFolder:
    for path in (folder.path.parent, folder.path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.journal.mkdir(mode=0o700, exist_ok=True)
    return folder


def newest_of(plan: Plan, now: datetime, root: Path | None = None) -> RecordFolder | None:
    """The newest record of a plan that is still resumable; None where there is none. Raises OSError."""
    for folder in list_records(root):
        if _is_of(folder, plan) and (began := started_at(folder)) and timedelta(0) <= now - began < RESUMED_WITHIN:
            return folder
    return None


def _may_be_of(folder: RecordFolder, plan: Plan) -> bool:
    """Whether a record that others name is not another plan's on this machine: its lines are nobody's in that share."""
    return started_at(folder) is None or _is_of(folder, plan)


def _is_of(folder: RecordFolder, plan: Plan) -> bool:
    opens = (line.entry.body for _, line in folder.lines() if line.entry.type is Type.OPEN)
    return any(body.get("plan") == plan.name for body in opens)


def started_at(folder: RecordFolder) -> datetime | None:
    """When the cutover of a record began: as the first session on this machine has it; where there is none, as the first one
    of all. None for a record without one.
    """
    opens = [line for _, line in folder.lines() if line.entry.type is Type.OPEN and "started_at" in line.entry.body]
    own = set(marked_sessions(opens))
    found = [line for line in opens if session_of(line) in own] or opens
    return min((moment(line.entry.body["started_at"]) for line in found), default=None)
