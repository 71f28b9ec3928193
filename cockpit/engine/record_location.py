"""Where a cutover's record lies: the folder on this machine, found or made, with what a share holds of it taken in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cockpit.engine.share_at_start import ANSWERS_WITHIN_S, Silent, in_time, shared_record
from cockpit.journal.codec import moment
from cockpit.journal.entry import Type
from cockpit.journal.provenance import marked_sessions, session_of
from cockpit.journal.record_folder import RecordFolder, list_records, records_root
from cockpit.journal.shared_store import Store
from cockpit.journal.sharing import Sync
from cockpit.plan.model import Plan
from cockpit.plan.source.parts_of_plan import read_plan
from probes.clients.threads import in_thread

RESUMED_WITHIN = timedelta(days=7)
"""A record that is older is not the cutover of now."""


@dataclass(frozen=True, slots=True)
class Located:
    """Where a record lies on this machine, with what a share held of it."""

    folder: RecordFolder
    shared: str = ""
    """Its id in the share; empty where there is none yet."""
    silent: str = ""
    """Why the share was not asked; empty where it answered, or there is none."""


def located(
    plan: Plan, text: bytes, now: datetime, root: Path, name: str, store: Store | None, *, new: bool = False
) -> Located:
    """Raises ValueError and OSError for a share that refuses; one that is silent delays nobody."""
    if store is None:
        return Located(_folder(plan, text, now, root, name, new=new))
    shared, silent = "", ""
    try:
        shared = shared_record(store, Path(name).name if Path(name).is_dir() else name)
    except Silent as error:
        silent = str(error)
    folder = _folder(plan, text, now, root, shared or name, new=new)
    sync = Sync(folder.journal, store, [], record=shared)
    try:
        if shared and not in_time(sync.once):
            raise ValueError(f"the shared record cannot be fetched: {sync.trouble}")
    except Silent as error:
        silent = str(error)
    return Located(folder, shared, silent)


async def shared_folder(plan: Plan, now: datetime, name: str, store: Store, root: Path | None = None) -> Path:
    """The folder of the record that lies in a share, with what others wrote until now. Raises OSError, for a share that does
    not answer too: whoever asks wants to know what others stated.
    """

    def look() -> Located:
        return located(plan, read_plan(plan.path).whole, now, root or records_root(), name, store)

    try:
        found = await in_thread(look)
    except (OSError, ValueError) as error:
        raise OSError(f"the shared record cannot be read: {error}") from None
    if found.silent:
        raise OSError(f"the shared record cannot be read: no answer for {ANSWERS_WITHIN_S:g} s")
    return found.folder.path


def _folder(plan: Plan, text: bytes, now: datetime, root: Path, name: str, *, new: bool) -> RecordFolder:
    if name:
        path = root / name if not Path(name).is_dir() else Path(name)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (path / "journal").mkdir(mode=0o700, exist_ok=True)
        return RecordFolder(path)
    return (None if new else newest_of(plan, now, root)) or RecordFolder.create(plan.name, text, now, root)


def newest_of(plan: Plan, now: datetime, root: Path | None = None) -> RecordFolder | None:
    """The newest record of a plan that is still resumable; None where there is none. Raises OSError."""
    for folder in list_records(root):
        if _is_of(folder, plan) and (began := started_at(folder)) and timedelta(0) <= now - began < RESUMED_WITHIN:
            return folder
    return None


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
