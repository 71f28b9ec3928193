"""A part of a plan played for one question, from one moment at which anything can change to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from cockpit.decide.events import PhaseBegan, Record
from cockpit.decide.situation import Situation
from cockpit.plan.model import Phase, Plan
from cockpit.plan.probe_limits import never_known
from cockpit.stories.played_source import PlayedSource
from cockpit.stories.played_watch import PlayedWatch
from cockpit.stories.played_world import PlayedWorld
from cockpit.stories.story_clock import BEGINS, StoryClock
from cockpit.stories.value_search import Values

REST = timedelta(seconds=60)
"""It decides at least so often."""
LEAST = timedelta(seconds=1)


class ShortPlay:
    """A played world watched by itself. Its probes are read exactly at their intervals, all of them first at the beginning."""

    def __init__(self, plan: Plan, healthy: Values, *, dwell: bool = False) -> None:
        """`dwell`: with the plan's time before GO; else the verdict is GO as soon as everything holds."""
        self.plan = plan if dwell else replace(plan, verdict_dwell=timedelta(0))
        self.clock = StoryClock(BEGINS)
        paths = {f"{name}.{field.name}" for name, spec in plan.probes.items() for field in spec.fields}
        self.world = PlayedWorld(self.plan, {path: healthy[path] for path in paths})
        for path, why in never_known(self.plan).items():
            self.world.never(path, why)
        self.source = PlayedSource(self.plan, self.world, self.clock, steady=True)
        record = Record(rehearsal=True)
        record.append(PhaseBegan(BEGINS, Phase.POST_DEPLOY, why="played"))
        self.watch = PlayedWatch(self.plan, self.source, self.clock, record)

    @property
    def situation(self) -> Situation:
        return self.watch.situation

    @property
    def now(self) -> datetime:
        return self.clock.at

    def until(self, done: Callable[[Situation], bool], limit: datetime) -> bool:
        """Go on until `done` says so; False where it has not by the limit."""
        while not done(self.situation):
            if self.clock.at >= limit:
                return False
            self.watch.leap(limit, REST, LEAST)
        return True

    def up_to(self, moment: datetime) -> None:
        """Go on to a moment."""
        self.until(lambda _: self.clock.at >= moment, moment)
