"""The director: walks a scenario's timeline against the cutover's clock, and puts the crew on duty."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from cockpit.decide.counted import counted
from cockpit.decide.events import Entry, PhaseBegan, Record
from cockpit.decide.situation import Situation
from cockpit.decide.states import Word
from cockpit.engine.clock import Clock
from cockpit.plan.model import Phase, Plan
from cockpit.rehearsal.script.fault_catalogue import CATALOGUE
from cockpit.rehearsal.script.scenario import Event, Judgement, Scenario
from cockpit.stories import crew
from cockpit.stories.fault_entry import fault_entry
from cockpit.stories.tour import crew_may_sign, crew_may_vote

STEP = timedelta(seconds=1)


class Stage(Protocol):
    """What the director can do to the world."""

    async def set_fault(self, fault: str, *, active: bool) -> None: ...

    async def deploy(self, kind: str) -> None: ...


class AtRunbook(Protocol):
    """The crew at the steps of the runbook."""

    @property
    def prepared(self) -> bool:
        """Whether every step before the deployment is over."""
        ...

    @property
    def over(self) -> bool:
        """Whether every step is over."""
        ...

    @property
    def files_wait(self) -> bool:
        """Whether files are still to be moved by it."""
        ...

    @property
    def waiting_for(self) -> str:
        """What was refused; empty where nothing was."""
        ...

    async def work(self) -> None:
        """State the next thing, if there is one now."""
        ...


RollBack = Callable[[str], Awaitable[None]]
"""Decide a rollback and do an action of the rollback plan, by its name, to its end."""


@dataclass(slots=True)
class Director:
    """Plays one scenario. Append-only towards the record; `waiting_for` says what holds the timeline up."""

    scenario: Scenario
    clock: Clock
    stage: Stage
    plays_crew: bool = True
    """False in the terminal: there people sign, and the crew only where its key is pressed."""
    send_traffic: Callable[[], Awaitable[object]] | None = None
    """How the crew starts the plan's synthetic traffic."""
    roll_back: RollBack | None = None
    """None where nobody plays the crew's part in it."""
    at_runbook: AtRunbook | None = None
    """None where nobody plays the crew's part there."""
    newcomer: str = ""
    """In a tour, the person who signs, votes and begins first; the crew only follows."""
    waiting_for: str = ""
    began_at: datetime | None = None
    done: list[Event] = field(default_factory=list)
    _signs: bool = False
    _votes: bool = False
    _does_steps: bool = False
    _answered: datetime | None = None

    async def run(self, plan: Plan, record: Record, situation: Callable[[], Situation]) -> None:
        """Play until cancelled: the crew stays on duty after the last line of the timeline."""
        while True:
            await self.step(plan, record, situation)
            await self.clock.sleep(STEP)

    async def step(self, plan: Plan, record: Record, situation: Callable[[], Situation]) -> None:
        """Whatever is due now: lines of the timeline, and what the crew on duty finds to do. The first begins the scenario."""
        if self.began_at is None:
            self.began_at = self.clock.now()
            if counted(plan, record, self.began_at).phase() is None:
                record.append(PhaseBegan(self.began_at, self.scenario.phase, why="rehearsal: the scenario begins"))
        elapsed = self.clock.now() - self.began_at
        ahead = self.scenario.timeline[len(self.done) :]
        for event in ahead:
            if event.at > elapsed or not await self._play(event, plan, record, situation()):
                break
            self.done.append(event)
        self._on_duty(plan, record, situation())
        if self._runbook is not None:
            await self._runbook.work()

    def judge(self, situation: Situation) -> Judgement:
        """Where the run stands against the scenario's ending."""
        if self.began_at is None:
            return Judgement.RUNNING
        verdict, elapsed = situation.verdict, situation.now - self.began_at
        judgement = self.scenario.ends.judge(verdict.word, verdict.phase, elapsed)
        unfinished = self._runbook is not None and verdict.word is Word.GO and not self._runbook.over
        if (
            judgement is Judgement.AS_EXPECTED and unfinished
        ):  # a GO of a crew that does the steps is one with all of them done
            return Judgement.RUNNING if elapsed <= self.scenario.ends.by else Judgement.TOO_LATE
        return judgement

    @property
    def _runbook(self) -> AtRunbook | None:
        """The crew's part at the runbook, once it is on duty. In a tour the steps are the newcomer's."""
        return self.at_runbook if self._does_steps and not self.newcomer else None

    async def _play(self, event: Event, plan: Plan, record: Record, situation: Situation) -> bool:
        """Do one line; False when it has to wait (then nothing after it happens either)."""
        self.waiting_for = ""
        if event.break_ or event.repair:
            fault, active = event.break_ or event.repair or "", event.break_ is not None
            await self.stage.set_fault(fault, active=active)
            record.append(fault_entry(self.clock.now(), CATALOGUE.get(fault, fault), active=active))
        elif event.deploy:
            await self.stage.deploy(event.deploy)
        elif event.crew == "traffic":
            if self.plays_crew and self.send_traffic is not None:
                await self.send_traffic()
        elif event.crew and self.plays_crew:
            self._signs = self._signs or event.crew == "sign"
            self._votes = self._votes or event.crew == "vote"
            self._does_steps = self._does_steps or event.crew == "steps"
        elif event.begin and not self._has_begun(Phase(event.begin), plan, record):
            if self._runbook is not None and not self._runbook.prepared:
                self.waiting_for = "the steps of the runbook before the deployment"
                return False
            moved = crew.move_on(plan, record, situation) if self.plays_crew and not self.newcomer else []
            if not moved:
                self.waiting_for = f"GO, to begin {event.begin}"
                return False
            record.extend(moved)
        elif event.roll_back and self.plays_crew and self.roll_back is not None:
            if situation.verdict.latch is None:
                self.waiting_for = "ROLLBACK, to roll back"
                return False
            await self.roll_back(event.roll_back)
        return True

    def _on_duty(self, plan: Plan, record: Record, situation: Situation) -> None:
        if self._answered is not None and situation.now <= self._answered:
            return  # what was just signed is not in this situation yet
        entries: list[Entry] = []
        if self._signs and (not self.newcomer or crew_may_sign(record, self.newcomer)):
            waits = self._runbook is not None and self._runbook.files_wait
            entries += [*crew.sign(plan, situation, files_wait=waits), *crew.acknowledge(plan, situation)]
        if self._votes and (not self.newcomer or crew_may_vote(record, self.newcomer)):
            entries += crew.vote(plan, situation)
        if entries:
            record.extend(entries)
            self._answered = situation.now

    def _has_begun(self, phase: Phase, plan: Plan, record: Record) -> bool:
        began = counted(plan, record, self.clock.now()).phase()
        return began is not None and began.phase is phase
