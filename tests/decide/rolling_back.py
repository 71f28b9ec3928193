"""A rollback played out event by event, and a clock on the wall: what the last safe moment is held against.

It knows nothing of critical paths, and nothing of the arithmetic of windows: people begin every step that they may begin, a
step ends when its time is over, and the window is over when the clock on the wall shows its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cockpit.plan.model import Step

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Done:
    """One step as it was done."""

    step: str
    began: datetime
    ended: datetime


def rolled_back(steps: Sequence[Step], takes: Mapping[str, timedelta], begins: datetime) -> list[Done]:
    """Every step, begun as soon as those it waits for have ended."""
    waits = {step.id: ([step.id for step in steps[:n]][-1:] if step.after is None else list(step.after))
             for n, step in enumerate(steps)}  # fmt: skip
    began: dict[str, datetime] = {}
    ended: dict[str, datetime] = {}
    now = begins
    while len(ended) < len(steps):
        moved = True
        while moved:
            moved = False
            for step in steps:
                if step.id in began and step.id not in ended and now - began[step.id] >= takes[step.id]:
                    ended[step.id], moved = now, True
                if step.id not in began and all(each in ended for each in waits[step.id]):
                    began[step.id], moved = now, True
        now = min((began[id_] + takes[id_] for id_ in began if id_ not in ended), default=now)
    return [Done(step.id, began[step.id], ended[step.id]) for step in steps]


def wall_clock(zone: str, since: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Minute after minute: the moment, and what a clock on the wall shows then."""
    now = since.astimezone(UTC)
    while True:
        yield now, now.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        now += MINUTE


def shows(zone: str, since: datetime, local: datetime) -> datetime:
    """The first moment at which the clock on the wall shows this time, or has been put forward over it."""
    return next(moment for moment, shown in wall_clock(zone, since) if shown >= local)
