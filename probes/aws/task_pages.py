"""ECS: the tasks of a service, a handful of pages at a time: what one reading leaves over, the next ones go on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from probes.clients.clients import Clients
from probes.reading import Reason, Unseen

PAGE = 100
"""The most that ListTasks gives at once, and DescribeTasks takes (their API reference)."""
Described = Mapping[str, Mapping[str, Any]]
"""By ARN, as DescribeTasks gives them."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Some pages of a list, read in one go."""

    arns: tuple[str, ...]
    count: int
    token: str
    """Where the list goes on; empty at its end."""


class TaskPages:
    """The tasks of one desired status. A list of no more than `most` pages is read whole in every reading.

    A longer one is gone through again and again, `most` pages a reading: what is known of a task is then as old as the page it
    was on, and a task that is gone is forgotten at the end of the list.
    """

    def __init__(self, clients: Clients, status: str, most: int, **of: str) -> None:
        self._clients = clients
        self._asked: dict[str, Any] = {**of, "desiredStatus": status}
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
    def tasks(self) -> Described:
        """What is known of each task, by ARN."""
        return {**(self._before or {}), **self._under_way}

    @property
    def as_of(self) -> datetime | None:
        """When the page was read that has not been read for longest; None before any was."""
        return min([*self._read_before[len(self._read_at) :], *self._read_at], default=None)

    async def read_on(self) -> Pages:
        """The next pages, which count once they are taken. Raises Unseen."""
        arns: list[str] = []
        token, count = self._token, 0
        while count < self._most:
            more = {"nextToken": token} if token else {}
            try:
                page = await self._clients.aws("ecs", "list_tasks", **self._asked, **more)
            except Unseen as unseen:
                if unseen.unknown.reason is not Reason.THROTTLED:
                    self._begin()  # the place in the list may be what is refused
                raise
            arns += page.get("taskArns") or ()
            token, count = str(page.get("nextToken") or ""), count + 1
            if not token:
                break
        return Pages(tuple(dict.fromkeys(arns)), count, token)

    def to_describe(self, pages: Pages) -> tuple[str, ...]:
        """Of some pages, the tasks to look at: one that has stopped changes no more."""
        known = self.tasks
        return tuple(arn for arn in pages.arns if known.get(arn, {}).get("lastStatus") != "STOPPED")

    def take(self, pages: Pages, described: Described, now: datetime) -> None:
        """Keep what was found of these pages; tasks of them that are not described are left out."""
        found = {**self.tasks, **described}
        self._under_way |= {arn: found[arn] for arn in pages.arns if arn in found}
        self._read_at += [now] * pages.count
        self._token = pages.token
        if not pages.token:
            self._before, self._read_before = self._under_way, self._read_at
            self._begin()

    def _begin(self) -> None:
        self._token, self._under_way, self._read_at = "", {}, []
