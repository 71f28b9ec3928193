"""A rehearsal that runs: the world, the watch, the director and the pace, and what is done in it without a terminal."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from cockpit.actions.executor import Executor
from cockpit.commands.live_session import action_executor, migration_controller
from cockpit.commands.options import LiveOptions
from cockpit.console import output
from cockpit.decide.situation import Situation
from cockpit.engine.caller_watch import CallerWatch
from cockpit.engine.headless import watch_until
from cockpit.engine.poller import LiveSource
from cockpit.engine.recording import Recording
from cockpit.engine.tasks import end
from cockpit.engine.trusted_plans import TRUSTED_PLANS, TrustedPlans
from cockpit.engine.watch import Watch
from cockpit.exit_codes import NOT_AS_EXPECTED
from cockpit.migration.controller import Controller
from cockpit.plan.ecs_services import SYNTHETIC
from cockpit.plan.model import Plan
from cockpit.rehearsal.process.launcher import Rehearsal
from cockpit.rehearsal.process.pace import Pace
from cockpit.rehearsal.script.crew_migration import move_files
from cockpit.rehearsal.script.director import Director
from cockpit.rehearsal.script.fault_catalogue import FaultState
from cockpit.rehearsal.script.scenario import Judgement, Scenario
from cockpit.report.formats.situation_text import situation_lines, verdict_changes
from cockpit.stories import crew
from cockpit.stories.crew_at_work import CrewAtWork
from cockpit.stories.fault_entry import fault_entry
from probes.clients.clients import AwsOptions, Clients
from probes.clients.quotas import Quotas


def allow_in(world: Rehearsal, plan: Plan) -> None:
    """Let what is started from here do what the plan demands of the simulated world; the user's own list stays as it is."""
    own = world.folder / "trusted.json"
    TrustedPlans(own).add(plan, world.clock.now(), "the rehearsal")
    os.environ[TRUSTED_PLANS] = str(own)


def first_person(plan: Plan) -> str:
    """Who is at the cockpit of a rehearsal, until key i changes it."""
    return plan.people[0].id if plan.people else ""


@dataclass(slots=True)
class RehearsalRun:
    """A running rehearsal, and what the terminal may do to it (the protocol `Drill`)."""

    watch: Watch
    director: Director
    world: Rehearsal
    pace: Pace
    speed: float
    kept: Recording
    at_runbook: CrewAtWork
    tasks: Sequence[asyncio.Task[None]] = ()
    """The pace and the director: the rehearsal is over when one of them has failed."""

    def check(self) -> None:
        """Raise what stopped the pace or the director, if anything did."""
        for task in self.tasks:
            if task.done() and not task.cancelled():
                task.result()

    @property
    def scenario(self) -> str:
        return self.director.scenario.name

    def faults(self) -> Sequence[FaultState]:
        return self.world.faults()

    def toggle(self, fault: str) -> None:
        was = next((each for each in self.world.faults() if each.id == fault), None)
        self.world.toggle(fault)
        if was is not None:
            self.watch.record.append(fault_entry(self.watch.clock.now(), was.title, active=not was.active))

    def crew_signs(self) -> int:
        """Sign, acknowledge and vote wherever something is open, and begin the next phase once the verdict allows it."""
        entries = crew.next_statements(self.watch.plan, self.watch.record, self.watch.situation)
        self.watch.record.extend(entries)
        return len(entries)


@asynccontextmanager
async def rehearsal_run(
    scenario: Scenario, world: Rehearsal, plan: Plan, speed: float, *, kept: Recording, plays_crew: bool = True
) -> AsyncIterator[RehearsalRun]:
    if not kept.record.rehearsal:
        raise ValueError("the record is not marked as a rehearsal: what its crew states would not count")
    quotas = Quotas(lambda: world.clock.speed)
    clients = Clients(AwsOptions(plan.target.region, account=plan.target.account), quotas=quotas)
    source = LiveSource(plan, clients, world.clock, held_back={})  # the simulated world is ours
    watch = Watch(plan, source, world.clock, kept.record, kept.started_at)
    kept.attach(watch)
    watch.callers = CallerWatch(watch, source, None)
    pace = Pace(world.clock, speed, lambda: max(source.waiting_s, watch.undecided_s, world.lag_s))
    watch.asides.append(pace.notice)
    at_runbook = CrewAtWork(watch, kept)
    director = Director(scenario, world.clock, world, plays_crew=plays_crew, at_runbook=at_runbook)
    tasks = [
        asyncio.create_task(pace.run(), name="pace"),
        asyncio.create_task(director.run(plan, watch.record, lambda: watch.situation), name="director"),
    ]
    try:
        yield RehearsalRun(watch, director, world, pace, speed, kept, at_runbook, tasks)
    finally:
        await end(tasks)
        await at_runbook.close()
        await clients.close()


async def _send_traffic(executor: Executor) -> None:
    """The crew starts the plan's synthetic traffic, as a person does on the page of its step."""
    steps = executor.desk.watch.situation.runbook
    step = next((each for each in steps if each.action is not None and each.action.uses == SYNTHETIC), None)
    if step is not None:
        await executor.do(await executor.propose(step), "rehearsal: nobody uses the site at this hour")


@asynccontextmanager
async def crew_migration(run: RehearsalRun, variables: Mapping[str, str]) -> AsyncIterator[Controller | None]:
    """Follows the plan's migration, which the crew begins when its step is due; None for a plan without one.

    `variables` are what the plan was loaded with. What was started goes with its world.
    """
    live = LiveOptions(variables=[f"{name}={value}" for name, value in variables.items()])
    async with migration_controller(run.watch, live, run.kept.folder.path) as controller:
        if controller is not None:
            run.at_runbook.move_files = partial(move_files, controller)
        try:
            yield controller
        finally:
            await run.at_runbook.close()
            if controller is not None:
                controller.end_started()


async def run_headless(run: RehearsalRun, variables: Mapping[str, str]) -> int:
    """Until the scenario's verdict or its deadline. `variables` are what the plan was loaded with."""
    judgement = Judgement.RUNNING

    def done(situation: Situation) -> bool:
        nonlocal judgement
        run.check()
        judgement = run.director.judge(situation)
        return judgement is not Judgement.RUNNING

    async with (
        crew_migration(run, variables),
        action_executor(run.watch, run.kept, first_person(run.watch.plan)) as executor,
    ):
        run.director.roll_back = partial(_roll_back, executor)
        run.director.send_traffic = partial(_send_traffic, executor)
        situation = await watch_until(run.watch, done)
    start = run.director.began_at or situation.started_at
    ends = run.director.scenario.ends
    notice = " · ".join(text for text in (run.watch.notice, run.watch.aside) if text)
    output(
        *situation_lines(situation),
        "",
        "Verdict changes",
        *(verdict_changes(run.watch.changes(), start) or ["  none"]),
        "",
        *([notice] if notice else []),
        f"{run.scenario}: {judgement} (ends in {ends.verdict} within {int(ends.by.total_seconds() // 60)}m)",
    )
    return situation.verdict.exit_code if judgement is Judgement.AS_EXPECTED else NOT_AS_EXPECTED


async def _roll_back(executor: Executor, action: str) -> None:
    """The crew's part of a rollback: every step of the plan that has this action is looked at, decided and done."""
    for step in executor.desk.watch.situation.rollback_plan:
        if step.action is not None and step.action.uses == action:
            await executor.do(await executor.propose(step), "rehearsal: the release before is better")
