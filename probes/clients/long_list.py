"""A list of AWS that may be long, a handful of pages a reading: what one reading leaves over, the next ones go on with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from probes.clients.clients import Clients
from probes.frozen import frozen
from probes.reading import Bounds, Reason, Unknown, Unseen

A_HANDFUL = 5
"""Pages of one list that one reading may ask for."""
MOST_ENTRIES = 1e9
"""More than any list has: the upper end of a count that is known from below."""
GOES_ON = "wait: each reading goes on with the next ones"
Entries = Mapping[str, Mapping[str, Any]]
"""By the name that tells one from the other, as AWS gives them."""


@frozen
class Pages:
    """Some pages of a list, read in one go."""

    listed: tuple[Any, ...]
    count: int
    token: str
    """Where the list goes on; empty at its end."""
    first: Mapping[str, Any]
    """The answer that the first of them is."""


class LongList:
    """One list, by the operation that gives it. With no more than `most` pages it is read whole in every reading.

    A longer one is gone through again and again, `most` pages a reading: what is known of an entry is then as old as the page it
    was on, and an entry that is gone is forgotten at the end of the list.
    """

    def __init__(
        self,
        clients: Clients,
        service: str,
        operation: str,
        listed: str,
        *,
        most: int = A_HANDFUL,
        page_key: str = "NextToken",
        **asked: Any,
    ) -> None:
        self._clients = clients
        self._call = (service, operation)
        self._asked = asked
        self._listed = listed
        self._page_key = page_key
        self._most = most
        self._token = ""
        self._under_way: dict[str, Mapping[str, Any]] = {}
        self._read_at: list[datetime] = []
        """When each page under way was read."""
        self._before: dict[str, Mapping[str, Any]] | None = None
        """All of the list as it was gone through last."""
        self._read_before: list[datetime] = []

    @property
    def whole(self) -> bool:
        """Whether the list has been read to its end once."""
        return self._before is not None

    @property
    def entries(self) -> Entries:
        """What is known of each entry."""
        return {**(self._before or {}), **self._under_way}

    @property
    def as_of(self) -> datetime | None:
        """When the page was read that has not been read for longest; None before any was."""
        return min([*self._read_before[len(self._read_at) :], *self._read_at], default=None)

    @property
    def partial(self) -> Unknown:
        """Of what cannot be said while some of the list has never been read."""
        detail = f"the list is longer than one reading asks for: {len(self.entries)} have been seen so far"
        return Unknown(Reason.PARTIAL, detail, GOES_ON)

    def from_below(self, names: Iterable[str], counts: Mapping[str, int]) -> dict[str, Unknown]:
        """Of these fields what is known until all of the list has been read: counts can only grow, the rest is open."""
        of = self.partial
        opened = {name: replace(of, bounds=Bounds(float(count), MOST_ENTRIES)) for name, count in counts.items()}
        return dict.fromkeys(names, of) | opened

    async def read_on(self) -> Pages:
        """The next pages, which count once they are taken. Raises Unseen."""
        answers: list[dict[str, Any]] = []
        token = self._token
        while len(answers) < self._most:
            more = {self._page_key: token} if token else {}
            try:
                answers.append(await self._clients.aws(*self._call, **self._asked, **more))
            except Unseen as unseen:
                if unseen.unknown.reason is not Reason.THROTTLED:
                    self._begin()  # the place in the list may be what is refused
                raise
            token = str(answers[-1].get(self._page_key) or "")
            if not token:
                break
        listed = tuple(entry for answer in answers for entry in answer.get(self._listed) or ())
        return Pages(listed, len(answers), token, answers[0])

    def take(self, pages: Pages, found: Entries, now: datetime) -> None:
        """Keep what was found on these pages."""
        self._under_way |= found
        self._read_at += [now] * pages.count
        self._token = pages.token
        if not pages.token:
            self._before, self._read_before = self._under_way, self._read_at
            self._begin()

    async def read_on_by(self, name: str, now: datetime) -> Pages:
        """Read and keep the next pages of a list whose entries are told apart by the value under this name. Raises Unseen.

        One without it is kept by its place: AWS may leave anything out.
        """
        pages = await self.read_on()
        found = {str(each.get(name) or f"{place}th of its pages"): each for place, each in enumerate(pages.listed)}
        self.take(pages, found, now)
        return pages

    def _begin(self) -> None:
        self._token, self._under_way, self._read_at = "", {}, []
