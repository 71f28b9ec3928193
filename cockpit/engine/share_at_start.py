"""Which record lies in a share, asked before a session begins; a share that does not answer delays nobody."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from cockpit.journal.shared_store import Store, StoreUnreachable
from cockpit.journal.sharing import SHOWN, records_in
from probes.clients.threads import within

T = TypeVar("T")
ANSWERS_WITHIN_S = 2.0
"""How long the start waits for a share: what comes later is made up for by the rounds."""


class Silent(Exception):  # noqa: N818 - what the share is
    """It did not answer in time; it may yet."""

    def __init__(self) -> None:
        super().__init__(
            f"no answer for {ANSWERS_WITHIN_S:g} s at the start; the record on this machine is used until it answers"
        )


def shared_record(store: Store, name: str) -> str:
    """The id of the record that lies in a store; empty where there is none yet. Raises Silent, and OSError for a refusal."""
    return in_time(partial(_shared_id, store, name))


def in_time(ask: Callable[[], T]) -> T:
    """What a share answers at the start. Raises Silent where it does not."""
    try:
        return within(ANSWERS_WITHIN_S, ask)
    except TimeoutError:
        raise Silent from None


def _shared_id(store: Store, name: str) -> str:
    try:
        found = records_in(store)
    except StoreUnreachable as error:
        raise OSError(str(error)) from None
    if name in found or len(found) < 2:
        return name if name in found else next(iter(found), "")
    found_text = "; ".join(f"{id_} of {', '.join(writers[:SHOWN])}" for id_, writers in sorted(found.items())[:SHOWN])
    raise OSError(
        f"the share holds {len(found)} records: choose one with --record, or share under a place of its own: {found_text}"
    )
