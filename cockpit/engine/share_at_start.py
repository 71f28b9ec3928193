"""Which record lies in a share, asked before a session begins; a share that does not answer delays nobody."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from cockpit.journal.record_claims import claim_record
from cockpit.journal.share_place import SHOWN, records_in
from cockpit.journal.shared_store import Store, StoreUnreachable
from probes.clients.threads import within

T = TypeVar("T")
ANSWERS_WITHIN_S = 2.0
"""How long the start waits for a share: what comes later is made up for by the rounds."""

LOOKS_EVERY_S = 0.2


class Silent(Exception):  # noqa: N818 - what the share is
    """It did not answer in time; it may yet."""

    def __init__(self) -> None:
        super().__init__(
            f"no answer for {ANSWERS_WITHIN_S:g} s at the start; the record on this machine is used until it answers"
        )


def shared_record(store: Store, own: str, *, kept: bool) -> str:
    """The id of the record that lies in a store; empty where there is none yet. Raises Silent, and OSError for a refusal.

    `own`: the record of this machine; empty where none was begun. `kept`: it is gone on with whatever lies there: the operator
    named it, or it was shared before. Then that is said, empty where nothing of it is there.
    """
    try:
        found = in_time(partial(records_in, store))
    except StoreUnreachable as error:
        raise OSError(str(error)) from None
    if own in found or kept:
        return own if own in found else ""
    if len(found) > 1:
        several = "; ".join(f"{id_} of {', '.join(writers[:SHOWN])}" for id_, writers in sorted(found.items())[:SHOWN])
        raise OSError(
            f"the share holds {len(found)} records: choose one with --record, or share under a place of its own: {several}"
        )
    return next(iter(found), "")


def agreed_record(store: Store, own: str, *, begun: bool) -> str:
    """The id of the record that a share without a line is for from now on: `own`, unless another cockpit was first.

    That one's first line may be on its way. Whoever has nothing yet (not `begun`) takes its name; a record with entries goes
    before one of which nothing comes. Raises Silent, StoreUnreachable.
    """
    standing = in_time(partial(claim_record, store, own))
    if standing == own or not begun:
        return standing
    ends = time.monotonic() + ANSWERS_WITHIN_S
    while time.monotonic() < ends:
        if standing in in_time(partial(records_in, store)):
            return standing
        time.sleep(LOOKS_EVERY_S)
    return in_time(partial(claim_record, store, own, standing))


def in_time(ask: Callable[[], T]) -> T:
    """What a share answers at the start. Raises Silent where it does not."""
    try:
        return within(ANSWERS_WITHIN_S, ask)
    except TimeoutError:
        raise Silent from None
