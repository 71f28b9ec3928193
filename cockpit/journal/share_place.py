"""Which record lies in a store, and whether a cockpit may put its own there: a place has one, and who finds it taken says so."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable

from cockpit.journal.record_claims import claim_record, claimed_record
from cockpit.journal.shared_store import MAX_FETCHED, Part, Store, StoreUnreachable
from cockpit.journal.vetting import Refused, Vetted, whole_lines

log = logging.getLogger(__name__)
MAX_CHAIN = 256 << 20
"""Bytes of another writer's chain that are taken in."""
SHOWN = 3
"""Odd objects named at once."""
MOST_UNREAD = 100
"""Objects that cannot be read before no more are tried."""
LOOKS = 5
"""How often a share may be for a record of which nothing is there, before that one has come to nothing."""


class SharePlace:
    """A store as the place of one record. Every method raises StoreUnreachable where nothing of it may be put there."""

    def __init__(self, store: Store, record: str, *, known: bool, mark: str = "", left: bool = False) -> None:
        """`known`: whether the store is known to hold lines of this record; else it is asked before anything is pushed.
        `mark`: an object that was in it before; empty where none is known, and then `left` says whether it is another store.
        """
        self._store = store
        self._record = record
        self._known = self._settled = known
        """Settled: no other record can have taken the place before a line of this one was there."""
        self._apart = ""
        """Why nothing is shared there any more; empty where it is."""
        self._empty: Counter[str] = Counter()
        """By record that the store was found to be for: how often nothing of it was there."""
        self._there: Collection[str] = {mark} if mark else ()
        """Names of what was in it when it was last the share of this record."""
        self.left = left
        """Whether nothing is in it of what was: what others stated there before is not known, whatever is put there now."""

    def recognise(self, names: Collection[str]) -> None:
        """`names`: of all that is in it now."""
        if self._there:
            self.left = not any(name in names for name in self._there)
        if names and not self.left:
            self._there = names

    def holds(self, name: str) -> bool:
        """Whether it was in it when it was last the share of this record."""
        return name in self._there

    def settle_here(self) -> None:
        """From now on this is the share, whatever was in it before: somebody goes on without that."""
        self._there, self.left = (), False

    def look(self) -> None:
        """Before anything is pushed: two records in one place would be in each other's way."""
        if not self._known and not self._apart:
            found = records_in(self._store)
            self._settled = self._record in found
            if not self._settled and (found or not self._is_for_this()):
                self._part_with(found)
            self._known = not self._apart
        if self._apart:
            raise StoreUnreachable(self._apart)

    def settle(self) -> None:
        """Once a line is there: whoever stood still between its look and its line may have been outdone meanwhile.

        The last claim says which record it is. Of two that look at this moment neither may go on; then both say so.
        """
        if self._settled:
            return
        outdone: set[str] = set()
        for _ in range(LOOKS):
            standing = claimed_record(self._store)
            if standing in ("", self._record) or standing in records_in(self._store):
                break
            outdone.add(standing)
            claim_record(self._store, self._record, standing)
        others = {claimed_record(self._store), *outdone} - {"", self._record}
        if others and (found := others & records_in(self._store).keys()):
            self._part_with(found)
            raise StoreUnreachable(self._apart)
        self._settled = True

    def _is_for_this(self) -> bool:
        """Whether a store without a line is for this record."""
        over = next((record for record, times in self._empty.items() if times >= LOOKS), "")
        standing = claim_record(self._store, self._record, over)
        if standing != self._record:
            self._empty[standing] += 1
            raise StoreUnreachable(f"it is for the record {standing}, of which nothing is there yet")
        return True

    def _part_with(self, others: Iterable[str]) -> None:
        self._apart = (
            f"it holds the record {', '.join(sorted(others)[:SHOWN])}, and this one is kept on this machine alone; "
            "to join it start again with --record and that name"
        )


def fetched(store: Store, part: Part, vetted: Vetted, upto: int = 0) -> tuple[bytes, Vetted]:
    """The bytes of a part, and the chain with it, which was vetted up to there. Raises Refused, StoreUnreachable."""
    if part.length > MAX_FETCHED or part.end > MAX_CHAIN:
        raise Refused(f"it takes {part.length} bytes from {part.start} on, and is not fetched")
    data = store.get(part)
    if not part.holds(data) or not data.endswith(b"\n"):
        raise Refused("it is not what its name says")
    return data, vetted.then(whole_lines(data[upto - part.start :]))


def records_in(store: Store) -> dict[str, list[str]]:
    """The ids of the records whose chains lie in a store, each with its writers. Raises StoreUnreachable.

    An object that cannot be read hides no other; where there is nothing else, nobody can know what lies there.
    """
    found: dict[str, list[str]] = {}
    unread: list[StoreUnreachable] = []
    for part in sorted(store.parts(), key=lambda part: part.name):
        if part.start == 0 and len(unread) < MOST_UNREAD:
            try:
                _, vetted = fetched(store, part, Vetted(part.writer))
            except (Refused, StoreUnreachable) as error:
                log.warning("sharing the journal: %s: %s", part.name, error)
                unread += [error] if isinstance(error, StoreUnreachable) else []
                continue
            found.setdefault(vetted.record, []).append(part.writer)
    if unread and not found:
        raise unread[0]
    return found
