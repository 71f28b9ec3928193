"""The words of the ledger: each defined once, with the changes of state that are allowed beside them.

The tables' CHECK clauses are made from these, and a test compares every literal in the statements with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar


class ItemState(StrEnum):
    """Where one file is. Kept in `cutover.item.state`, counted in `cutover.tally`."""

    PLANNED = "planned"
    """In the database alone; to be copied."""
    UPLOADING = "uploading"
    """Leased by a worker that copies it; its key and its intent are committed."""
    SWITCHED = "switched"
    """The row points at the object; the bytes are still in the database."""
    VERIFIED = "verified"
    """Read back and compared by a process that did not write it."""
    PURGED = "purged"
    """In S3 alone."""
    GONE = "gone"
    """The application deleted the row."""
    SKIPPED = "skipped"
    """The row carries a key of the application's own, or has no bytes."""
    QUARANTINED = "quarantined"
    """Failed too often: a person must look at it, then retry."""
    DIVERGED = "diverged"
    """What S3 holds is not the row's bytes: to be copied again, to a new key."""
    RESTORED = "restored"
    """Back in the database, on purpose."""


class ObjectState(StrEnum):
    """What is known of one key. Kept in `cutover.object.state`."""

    INTENT = "intent"
    """An upload may begin, or has begun."""
    LIVE = "live"
    """A row points at it."""
    ORPHAN = "orphan"
    """No row needs it; to be swept once no delayed request can reach it."""
    DELETED = "deleted"
    """Swept."""


class Wanted(StrEnum):
    """What the operator wants of the active run."""

    RUN = "run"
    PAUSE = "pause"
    """Begin no new file; finish what is in flight."""
    DRAIN = "drain"
    """End the run once what is in flight has finished."""
    ABORT = "abort"
    """End the run at once; leases lapse."""


ASKED = {
    Wanted.RUN: "goes on",
    Wanted.PAUSE: "held: no new file begins; h goes on",
    Wanted.DRAIN: "drains: the run ends once what is in flight has finished",
    Wanted.ABORT: "aborts: the run ends at once",
}
"""What is answered to who asks for it."""


class PhaseName(StrEnum):
    """What a run does."""

    COPY = "copy"
    VERIFY = "verify"
    PURGE = "purge"
    RESTORE = "restore"


class WorkerState(StrEnum):
    """What a worker last reported of itself."""

    STARTING = "starting"
    WORKING = "working"
    DRAINING = "draining"
    ENDED = "ended"


W = TypeVar("W", bound=StrEnum)
T = TypeVar("T")


def complete(words: type[W], table: Mapping[W, T]) -> Mapping[W, T]:
    """The table, if it has a row for every word. Raises TypeError at import, so that a new word cannot be forgotten."""
    if missing := [word for word in words if word not in table]:
        raise TypeError(f"no row for {', '.join(missing)} of {words.__name__}")
    return table


_I, _O, _W, _P = ItemState, ObjectState, Wanted, PhaseName
ITEM_TRANSITIONS: Mapping[ItemState, frozenset[ItemState]] = complete(
    ItemState,
    {
        _I.PLANNED: frozenset({_I.UPLOADING}),
        _I.UPLOADING: frozenset({_I.PLANNED, _I.SWITCHED, _I.GONE, _I.SKIPPED, _I.QUARANTINED}),
        _I.SWITCHED: frozenset(
            {_I.VERIFIED, _I.DIVERGED, _I.RESTORED, _I.GONE, _I.SKIPPED, _I.QUARANTINED, _I.PLANNED}
        ),
        _I.VERIFIED: frozenset({_I.PURGED, _I.DIVERGED, _I.RESTORED, _I.GONE, _I.SKIPPED, _I.QUARANTINED, _I.PLANNED}),
        _I.PURGED: frozenset({_I.DIVERGED, _I.RESTORED, _I.GONE, _I.SKIPPED, _I.QUARANTINED, _I.PLANNED}),
        _I.DIVERGED: frozenset({_I.UPLOADING}),
        _I.QUARANTINED: frozenset({_I.PLANNED, _I.SWITCHED, _I.VERIFIED, _I.PURGED}),
        _I.GONE: frozenset({_I.PLANNED}),
        _I.SKIPPED: frozenset({_I.PLANNED}),
        _I.RESTORED: frozenset({_I.PLANNED}),
    },
)
"""Where a file may go next. Staying in a state is always allowed: a lease changes owners within one."""
OBJECT_TRANSITIONS: Mapping[ObjectState, frozenset[ObjectState]] = complete(
    ObjectState,
    {
        _O.INTENT: frozenset({_O.LIVE, _O.ORPHAN, _O.DELETED}),
        _O.LIVE: frozenset({_O.ORPHAN}),
        _O.ORPHAN: frozenset({_O.DELETED}),
        _O.DELETED: frozenset({_O.ORPHAN}),
    },
)
"""A key never comes back to `intent` or `live`: one that was given up is never used again."""
DONE: Mapping[PhaseName, tuple[ItemState, ...]] = complete(
    PhaseName,
    {
        _P.COPY: (_I.SWITCHED, _I.VERIFIED, _I.PURGED),
        _P.VERIFY: (_I.VERIFIED, _I.PURGED),
        _P.PURGE: (_I.PURGED,),
        _P.RESTORE: (_I.RESTORED,),
    },
)
"""What counts as done in a phase."""
OPEN: Mapping[PhaseName, tuple[ItemState, ...]] = complete(
    PhaseName,
    {
        _P.COPY: (_I.PLANNED, _I.UPLOADING, _I.DIVERGED),
        _P.VERIFY: (_I.SWITCHED,),
        _P.PURGE: (_I.VERIFIED,),
        _P.RESTORE: (_I.SWITCHED, _I.VERIFIED, _I.PURGED),
    },
)
"""What a phase still has to do (a purge: once it has soaked)."""
RETRIED_AS: Mapping[PhaseName, ItemState] = complete(
    PhaseName,
    {_P.COPY: _I.PLANNED, _P.VERIFY: _I.SWITCHED, _P.PURGE: _I.VERIFIED, _P.RESTORE: _I.PURGED},
)
"""Where a quarantined file goes on when it is retried, by the phase it failed in. All but PLANNED keep their key."""
NOT_OURS = (_I.GONE, _I.SKIPPED)
"""Files that are not ours to move: deleted, or moved by the application itself."""
WANTED_WORDS: Mapping[Wanted, str] = complete(
    Wanted, {_W.RUN: "RUNNING", _W.PAUSE: "PAUSED", _W.DRAIN: "DRAINING", _W.ABORT: "ABORTING"}
)
"""The state of an active run that nothing holds or halts."""


def literals(members: Iterable[StrEnum]) -> str:
    """Members as the inside of an SQL list.

    >>> literals(Wanted)
    "'run', 'pause', 'drain', 'abort'"
    """
    return ", ".join(f"'{member}'" for member in members)
