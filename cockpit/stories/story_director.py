"""What happens in a story, step by step: in the world, to the phase, and what its people do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cockpit.decide.counted import counted, deciding_roles
from cockpit.decide.events import Entry, PhaseBegan
from cockpit.decide.gate import used
from cockpit.engine.watch import Watch
from cockpit.plan.model import Phase
from cockpit.stories import crew
from cockpit.stories.played_world import PlayedWorld
from cockpit.stories.story_file import Deed, Story
from cockpit.stories.value_search import ValueSearch
from cockpit.stories.values_for import failing, tripping
from probes.reading import Reason


@dataclass(slots=True)
class StoryDirector:
    """Plays one story on a watch. `begin` once, then `happen` before and `act` after each step."""

    story: Story
    world: PlayedWorld
    watch: Watch
    plays_crew: bool = True
    began_at: datetime = field(init=False)
    deployed_at: datetime | None = field(init=False, default=None)
    """When the deployment began; at the start, in a story that begins after it."""
    _ahead: list[Deed] = field(init=False)
    _search: ValueSearch = field(init=False)
    _answered: datetime | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._ahead = list(self.story.timeline)
        self._search = ValueSearch(self.story.plan)
        self.began_at = self.watch.clock.now()

    @property
    def elapsed(self) -> timedelta:
        return self.watch.clock.now() - self.began_at

    def begin(self) -> None:
        """The phase the story starts in."""
        plan, record, now = self.story.plan, self.watch.record, self.began_at
        if counted(plan, record, now).phase() is None:
            phase = self.story.first_phase
            record.append(PhaseBegan(now, phase, why="rehearsal: the story begins"))
            self.deployed_at = now if phase is Phase.POST_DEPLOY else None

    def happen(self) -> None:
        """Everything the story has for this moment."""
        while self._ahead and self._ahead[0].at <= self.elapsed:
            deed = self._ahead.pop(0)
            do(deed, self.began_at + deed.at, self.world, self._search)
        begin = self.story.begin
        if begin is not None and self.deployed_at is None and begin <= self.elapsed:
            self.watch.record.extend(self._deployment(self.watch.clock.now()))

    def _deployment(self, now: datetime) -> list[Entry]:
        """The beginning of the deployment, and the use of the gates before it where somebody is there who may."""
        self.deployed_at = now
        plan, why = self.story.plan, "rehearsal: the story begins the deployment"
        found = crew.somebody(plan, deciding_roles(plan)) if self.story.people_play else None
        if found is None:
            return [PhaseBegan(now, Phase.POST_DEPLOY, why=why)]
        person, role = found
        begun = PhaseBegan(now, Phase.POST_DEPLOY, person.id, why, role, plan.digest)
        return [begun, *used(plan, self.watch.record, "deploy", now, person, role)]

    def act(self) -> None:
        """What people do about what was just decided."""
        situation = self.watch.situation
        if not (self.story.people_play and self.plays_crew):
            return
        if self._answered is not None and situation.now <= self._answered:
            return  # what was just signed is not in this situation yet
        plan = self.watch.plan
        entries = crew.owed(plan, situation)
        if not entries and self.story.begin_on_go and self.deployed_at is None:
            entries += crew.move_on(plan, self.watch.record, situation)
            if entries:
                self.deployed_at = situation.now
        if entries:
            self.watch.record.extend(entries)
            self._answered = situation.now


def do(deed: Deed, at: datetime, world: PlayedWorld, search: ValueSearch) -> None:
    """Let one thing happen to a world."""
    until = at + deed.lasts if deed.lasts is not None else None
    match deed.kind:
        case "set":
            world.set(at, deed.values)
        case "trip" | "fail":
            find = tripping if deed.kind == "trip" else failing
            found = find(world.plan, deed.target, search, world.values(search.fields, at))
            world.set(at, found.values or {})
        case "blind":
            world.blind(at, deed.target, Reason(deed.reason), until)
        case "late":
            world.late(at, deed.target, deed.by, until)
        case "flap":
            value = next(iter(deed.values.values()), None)
            world.flap(at, deed.target, deed.every, value=value, reason=Reason(deed.reason), until=until)
        case "mend":
            world.restore(at, deed.target)
