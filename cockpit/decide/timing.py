"""The night as a schedule, as frozen values: when steps begin and end, when the night ends, when it is too late to go back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta

from cockpit import formatting
from cockpit.decide.states import RollbackFit
from cockpit.plan.change_window import Opening
from probes.frozen import frozen

SOON, LAST = timedelta(minutes=30), timedelta(minutes=10)
"""Before the last safe moment: when it is brought up, and brought up again."""
_UNTIMED = "nobody knows how long a rollback takes"


@frozen
class StepTime:
    """One step on the time axis. Of a step that has begun or ended the times are those of the record, of others estimates."""

    id: str
    starts: datetime | None = None
    ends: datetime | None = None
    """The likely one."""
    earliest: datetime | None = None
    latest: datetime | None = None
    """When it ends at best, and at worst."""
    planned_start: datetime | None = None
    planned_end: datetime | None = None
    """By `expected` alone, from the window's begin."""
    slack: timedelta | None = None
    """How much later it may end without ending the night later; None for one that is over, or that has no estimate."""
    late: timedelta | None = None
    """Against the plan; negative: early. None where the plan has no time for it."""
    owner: str = ""
    gate: str = ""
    """Title of the gate it waits for; empty where it waits for none, or that is passed."""
    rests_on: str = ""
    """What its estimate rests on: "expected 30m", "rehearsed 3 times, 6m to 9m", "42 % done"; empty without one."""

    @property
    def critical(self) -> bool:
        """Whether the night ends later if it does."""
        return self.slack is not None and self.slack < timedelta(seconds=1)


@frozen
class NightEnd:
    """When the last step of the runbook ends. Steps without any estimate count as nothing: then it is not before these."""

    earliest: datetime
    likely: datetime
    latest: datetime
    without: tuple[str, ...] = ()
    """Titles of the steps that have no estimate."""
    over: bool = False
    """Whether every step has ended."""

    def line(self, window: Opening | None) -> str:
        """As people read it, in UTC: "ends 06:58 (06:32 to 07:32), 1h01m before the window ends"."""
        clock = formatting.time_of_day
        after = " or later" if self.without else ""
        if self.over:
            text = f"ended {clock(self.likely)}"
        elif self.earliest == self.latest:
            text = f"ends {clock(self.likely)}{after}"
        else:
            text = f"ends {clock(self.likely)} ({clock(self.earliest)} to {clock(self.latest)}{after})"
        return text if window is None else f"{text}, {_against(self.likely, window)}"


@frozen
class WayBack:
    """Until when a rollback that is begun still ends within the change window. Advice: no verdict rests on it."""

    fit: RollbackFit
    now: datetime
    window: Opening
    takes: timedelta | None
    """From its beginning to its end, by the worst that was measured; None where no step has a duration."""
    reserve: timedelta
    without: tuple[str, ...] = ()
    """Titles of its steps that have no duration: it takes longer than `takes` says."""
    ends: datetime | None = None
    """Of a rollback begun now, or that is under way: when it ends."""
    go: datetime | None = None
    """Before when GO cannot come; None where it stands, or is out of the question."""
    loses: str = ""
    """Past the point of no return: what a rollback would lose."""

    @property
    def moment(self) -> datetime | None:
        """The last moment at which a rollback may begin; with steps of unknown duration it is at the latest then."""
        return None if self.takes is None else self.window.ends - self.takes - self.reserve

    @property
    def left(self) -> timedelta | None:
        return None if self.moment is None else self.moment - self.now

    @property
    def calls(self) -> bool:
        """Whether it is brought up: little time is left, or none."""
        return self.fit in (RollbackFit.SOON, RollbackFit.LAST, RollbackFit.TOO_LATE)

    @property
    def word(self) -> str:
        """For the banner; empty where there is nothing to decide by."""
        match self.fit:
            case RollbackFit.NOT_DEPLOYED:
                return ""
            case RollbackFit.FITS | RollbackFit.SOON | RollbackFit.LAST:
                assert self.moment is not None
                assert self.left is not None
                at_most = " at the latest" if self.without else ""
                return f"decide by {formatting.time_of_day(self.moment)}{at_most} (in {formatting.duration(self.left)})"
            case RollbackFit.TOO_LATE:
                assert self.ends is not None
                at_least = " or later" if self.without else ""
                ends = f"{formatting.time_of_day(self.ends)}{at_least}"
                return f"a rollback now would end at {ends}, {self._beyond(self.ends)}"
            case RollbackFit.UNDER_WAY:
                if self.ends is None:
                    return "rolling back"
                return f"the rollback ends {formatting.time_of_day(self.ends)}, {_against(self.ends, self.window)}"
            case RollbackFit.FIX_FORWARD:
                return "past the point of no return: fix forward"
            case RollbackFit.UNTIMED:
                return _UNTIMED

    def _beyond(self, ends: datetime) -> str:
        """By how much a rollback that ends then is too late: what it takes of the reserve is not what is left."""
        if ends > self.window.ends:
            return _against(ends, self.window)
        into = formatting.duration(ends - (self.window.ends - self.reserve))
        return f"{into} into the reserve of {formatting.duration(self.reserve)}"

    @property
    def before(self) -> timedelta | None:
        """From the earliest GO to the last safe moment, negative where GO comes after it; None while that is far, or gone."""
        if self.fit not in (RollbackFit.SOON, RollbackFit.LAST) or self.go is None or self.moment is None:
            return None
        return self.moment - self.go

    @property
    def path(self) -> str:
        """The path to GO against the last safe moment; empty while that is far, or gone."""
        if self.before is None or self.go is None:
            return ""
        if self.before < timedelta(0):
            return "GO cannot come before the last safe moment: decide now"
        before = formatting.duration(self.before)
        return f"GO is possible at {formatting.time_of_day(self.go)} at the earliest, {before} before"

    @property
    def path_word(self) -> str:
        """The same, shorter."""
        if self.before is None or self.go is None:
            return ""
        late = self.before < timedelta(0)
        return "GO cannot come before: decide now" if late else f"GO {formatting.time_of_day(self.go)} at the earliest"

    @property
    def line(self) -> str:
        """All of it in one line."""
        if self.moment is None and self.fit in (RollbackFit.NOT_DEPLOYED, RollbackFit.UNTIMED):
            return f"{_UNTIMED}: no step of the rollback plan has a duration, in the plan or in an earlier record"
        word = self.word
        if self.fit is RollbackFit.FIX_FORWARD and self.loses:
            return f"{word}; a rollback would lose {self.loses}"
        if self.moment is None or self.takes is None or self.fit is RollbackFit.UNDER_WAY:
            return word
        word = word or _before_deployment(self.moment, self.now)
        reserve = f", reserve {formatting.duration(self.reserve)}" if self.reserve else ""
        least = "at least " if self.without else ""
        ends = formatting.time_of_day(self.window.ends)
        why = f"a rollback takes {least}{formatting.duration(self.takes)}{reserve}, the window ends {ends}"
        unknown = f"; no duration is known of {', '.join(self.without)}" if self.without else ""
        path = f"{self.path}; " if self.path else ""
        return f"{word}: {path}{why}{unknown}"


def _before_deployment(moment: datetime, now: datetime) -> str:
    if moment < now:
        ago = formatting.duration(now - moment)
        return (
            f"the last safe moment to go back was {formatting.time_of_day(moment)}, {ago} ago: begin in another window"
        )
    return f"the last safe moment to go back will be {formatting.time_of_day(moment)}"


def _against(moment: datetime, window: Opening) -> str:
    """
    >>> from datetime import UTC
    >>> four = datetime(2026, 1, 1, 4, tzinfo=UTC)
    >>> _against(four + timedelta(minutes=25), Opening(four - timedelta(hours=6), four))
    '25m after the window'
    >>> _against(four, Opening(four - timedelta(hours=6), four))
    '0s before the window ends'
    """
    if moment > window.ends:
        return f"{formatting.duration(moment - window.ends)} after the window"
    return f"{formatting.duration(window.ends - moment)} before the window ends"


@frozen
class Schedule:
    """The steps on a time axis, and what follows from it."""

    window: Opening | None = None
    time_zone: str = ""
    runbook: tuple[StepTime, ...] = ()
    rollback_plan: tuple[StepTime, ...] = ()
    """As if begun now, unless it has begun."""
    end: NightEnd | None = None
    """Of the runbook; None where it has no step within the window."""
    back: WayBack | None = None
    """None without a window or a rollback plan, and once a rollback has ended."""
    _by_id: Mapping[str, StepTime] = field(default_factory=dict, repr=False, compare=False)

    def of(self, id_: str) -> StepTime | None:
        """The times of one step."""
        return self._by_id.get(id_)
