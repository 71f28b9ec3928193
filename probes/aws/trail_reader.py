"""Events of CloudTrail, read a handful of pages at a time: what one reading leaves over, the next ones go on with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from probes.clients.clients import Clients
from probes.clients.paging import first_pages
from probes.frozen import frozen
from probes.reading import Reason, Unknown, Unseen

PAGES = 4
"""Of one reading: LookupEvents answers twice a second for the whole account, and others ask too."""
Event = Mapping[str, Any]


@frozen
class Stretch:
    """A stretch of time whose events were not all read; both ends belong to it."""

    start: datetime
    end: datetime


class TrailReader:
    """One event name since a moment. Whatever others call, `wanted` alone is kept, each event once."""

    def __init__(self, clients: Clients, event: str, late: timedelta, wanted: Callable[[Event], bool]) -> None:
        self._clients = clients
        self._attributes = [{"AttributeKey": "EventName", "AttributeValue": event}]
        self._late = late
        self._wanted = wanted
        self._unread: list[Stretch] = []
        """Oldest first."""
        self._read_at: datetime | None = None
        self._kept: dict[str, Event] = {}

    @property
    def kept(self) -> list[Event]:
        """Newest first."""
        return sorted(self._kept.values(), key=lambda event: event["EventTime"], reverse=True)

    async def read(self, start: datetime, now: datetime) -> tuple[Mapping[str, Any], Unknown | None]:
        """Read on, the newest first: the first answer, and what is missing still. Raises Unseen where nothing could be read.

        What came within `late` is asked for again: events are delivered that much later than they happen.
        """
        again = start if self._read_at is None else max(start, self._read_at - self._late)
        self._unread = [stretch for stretch in self._unread if stretch.end >= start]
        self._unread.append(Stretch(again, now))
        self._read_at = now
        first: Mapping[str, Any] | None = None
        budget = PAGES
        while self._unread and budget > 0:
            # It is taken off once it was read: a reading that is given up in between has read nothing.
            stretch = self._unread[-1]
            try:
                found, missing = await self._pages(stretch, budget)
            except Unseen:
                if first is None:
                    raise
                break
            self._unread.pop()
            first = first or found[0]
            budget -= len(found)
            if (left := self._take(stretch, found, more=missing is not None)) is not None:
                self._unread.append(left)
        return first or {}, self._missing()

    async def _pages(self, stretch: Stretch, most: int) -> tuple[list[dict[str, Any]], Unknown | None]:
        return await first_pages(
            self._clients,
            "cloudtrail",
            "lookup_events",
            request_key="NextToken",
            response_key="NextToken",
            most=most,
            LookupAttributes=self._attributes,
            StartTime=stretch.start,
            EndTime=stretch.end,
            MaxResults=50,
        )

    def _take(self, stretch: Stretch, found: list[dict[str, Any]], *, more: bool) -> Stretch | None:
        """Keep what is wanted of some pages; what of the stretch is left where there are more: events come newest first."""
        events = [event for page in found for event in page.get("Events") or () if event.get("EventTime")]
        for event in events:
            if self._wanted(event):
                self._kept.setdefault(str(event.get("EventId") or event.get("CloudTrailEvent")), event)
        if not more:
            return None
        return Stretch(stretch.start, min((event["EventTime"] for event in events), default=stretch.end))

    def _missing(self) -> Unknown | None:
        if not self._unread:
            return None
        begins, ends = self._unread[0].start, self._unread[-1].end
        detail = (
            f"CloudTrail has more events by others than {PAGES} pages: not all from {begins:%H:%M} to {ends:%H:%M} read"
        )
        return Unknown(Reason.PARTIAL, detail, f"wait: each reading goes on with {PAGES} more pages")
