"""Which record a share is for, agreed before it holds a line of any: of cockpits that start at once, all keep one record.

A claim is an object that is only ever created: whoever puts the next number first has said it for all. It names a record and
reserves nothing: whoever finds it takes that name, so that one left by a cockpit which died holds nobody up. What stands in
a claim comes from whoever may write there; what is no name of a record says nothing.
"""

from __future__ import annotations

import time

from cockpit.journal.shared_store import Store, StoreUnreachable
from cockpit.journal.vetting import is_record_name

MOST_CLAIMS = 16
"""A share that has more is not used: every one is a call."""
MOST_TRIES = 8
PAUSE_S = 0.05
"""Before what another puts at the same moment is looked at."""


def claimed_record(store: Store) -> str:
    """The id of the record a share is for, as its claims say; empty where none does. Raises StoreUnreachable."""
    return _claims(store)[1]


def claim_record(store: Store, record: str, over: str = "") -> str:
    """Say that a share is for this record; the id of the one that it is for: another's, where that was said first.

    `over`: the id of a record that is known to have come to nothing; a claim for it is outdone. Raises StoreUnreachable.
    """
    if not is_record_name(record):
        raise StoreUnreachable(f"{record[:40]!r} is no name that a shared record may have")
    for _ in range(MOST_TRIES):
        number, standing = _claims(store)
        if standing and (standing != over or standing == record):
            return standing
        if store.claim(number, record.encode()):
            return record
        time.sleep(PAUSE_S)
    raise StoreUnreachable("which record it is for cannot be agreed on")


def _claims(store: Store) -> tuple[int, str]:
    """The number that is free, and what the last claim before it says."""
    standing = ""
    for number in range(1, MOST_CLAIMS + 1):
        data = store.claimed(number)
        if data is None:
            return number, standing
        stated = data.decode("ascii", "replace").strip()
        standing = stated if is_record_name(stated) else standing
    raise StoreUnreachable(f"it has {MOST_CLAIMS} claims for records: share under a place of its own")
