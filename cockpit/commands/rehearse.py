"""`cockpit rehearse`: the cockpit on a simulated environment on this machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import click

from cockpit.actions.executor import Executor
from cockpit.commands.ended_by_signal import run_until_signal
from cockpit.commands.farewell import farewell
from cockpit.commands.live_session import action_executor, migration_controller
from cockpit.commands.options import NOTIFY, SPEED, VARIABLES, LiveOptions, Receiver
from cockpit.commands.plan_loading import given_values, known_vars, load
from cockpit.commands.rehearse_played import PlayedOptions, rehearse_played, story_for
from cockpit.commands.simulated_plans import DEFAULT, not_simulated, shipped, story_file, with_faults
from cockpit.commands.terminal_options import QUIET, THEME, ThemeName, settings_chosen
from cockpit.console import output
from cockpit.decide.events import Entry
from cockpit.decide.situation import Situation
from cockpit.engine.caller_watch import CallerWatch
from cockpit.engine.headless import watch_until
from cockpit.engine.plan_file import watching_plan_file
from cockpit.engine.poller import LiveSource
from cockpit.engine.recording import Recording, recording
from cockpit.engine.tasks import end
from cockpit.engine.trusted_plans import TRUSTED_PLANS, TrustedPlans
from cockpit.engine.watch import Watch
from cockpit.exit_codes import BAD_PLAN, COULD_NOT_JUDGE, INTERRUPTED, NOT_AS_EXPECTED, USAGE
from cockpit.log_file import log_to_file
from cockpit.notifications.channels import CannotNotify, Channel, channels
from cockpit.notifications.outbox import GRACE_S, notifying
from cockpit.plan.ecs_services import SYNTHETIC
from cockpit.plan.load import PlanError
from cockpit.plan.model import Plan
from cockpit.rehearsal.aws_profile import PROFILES, USUAL
from cockpit.rehearsal.installed import NotInstalledError, require_rehearsal_packages
from cockpit.rehearsal.process.launcher import Rehearsal, WorldError
from cockpit.rehearsal.process.pace import Pace
from cockpit.rehearsal.script.director import Director
from cockpit.rehearsal.script.fault_catalogue import FaultState, UnknownFault
from cockpit.rehearsal.script.scenario import Judgement, Scenario, ScenarioError, load_scenario, scenarios
from cockpit.report.formats.situation_text import situation_lines, verdict_changes
from cockpit.stories import crew
from cockpit.stories.played_faults import UnknownPlayedFault
from cockpit.tui.terminal_settings import Settings
from cockpit.tui.terminal_streams import no_terminal
from probes.clients.clients import AwsOptions, Clients
from probes.clients.quotas import Quotas
from probes.reading import Reason


@click.command("rehearse")
@click.argument("scenario", default="")
@SPEED
@click.option(
    "--aws",
    "aws_profile",
    type=click.Choice(list(PROFILES)),
    default=USUAL,
    show_default=True,
    help="How AWS behaves: worst is late, throttled, and full of others' resources.",
)
@click.option("--headless", is_flag=True, help="No terminal: run to the end and exit with the verdict's code.")
@click.option("--list", "listing", is_flag=True, help="List the scenarios.")
@click.option(
    "--crew/--no-crew", "crew_plays", default=True, help="Whether the crew signs and votes by itself (else: key g)."
)
@click.option(
    "--arm", is_flag=True, help="Start with keys that change the environment enabled, such as the migration's."
)
@click.option("--keep", default="", metavar="FOLDER", help="Keep the record of this rehearsal in a folder.")
@NOTIFY
@THEME
@QUIET
@click.option("--plan", default="", help="Another plan than the scenario's.", type=click.Path(dir_okay=False))
@VARIABLES
@click.option(
    "--played",
    is_flag=True,
    help="Play the plan's probes from a story, without the simulated environment: for any plan.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[@TIME]",
    help="Inject a fault, by its name in the fault panel, so long after the deployment (played) or the beginning.",
)
@click.option("--ends", default="", metavar="VERDICT", help="Headless: the verdict it is to end in; else exit code 4.")
def main(
    scenario: str,
    speed: float,
    *,
    aws_profile: Literal["usual", "worst"],
    headless: bool,
    listing: bool,
    crew_plays: bool,
    arm: bool,
    keep: str,
    notify: tuple[Receiver, ...],
    plan: str,
    theme: ThemeName,
    quiet: bool,
    variables: tuple[str, ...],
    played: bool,
    faults: tuple[str, ...],
    ends: str,
) -> int:
    """Rehearse a cutover in a simulated environment on this machine; no cloud account.

    SCENARIO is a scenario of the simulated environment, or (of any plan) a story: a file, or one of the folder stories/ beside
    the plan. A plan whose probes are not those of the simulated environment is played. Exit code: the verdict's where it ended
    as the scenario or story expects, else 4.
    """
    if listing:
        for each in scenarios():
            output(f"{each.name:20} {each.ends.verdict:9} {each.title}")
        return 0
    log_to_file()
    if not headless and (problem := no_terminal(" ".join(filter(None, ("cockpit rehearse", scenario, "--headless"))))):
        output(problem, err=True)
        return USAGE
    settings = settings_chosen(theme, quiet=quiet)
    try:
        given = given_values(variables)
        story = story_file(scenario, plan)
        if played or story or (plan and not scenario and (why := not_simulated(plan, given))):
            if not (played or story):
                output(*why, err=True)
            of = plan or shipped(load_scenario(scenario or DEFAULT).plan)
            options_played = PlayedOptions(
                speed,
                headless=headless,
                plays_crew=crew_plays or headless,
                keep=keep,
                faults=faults,
                ends=ends,
                settings=settings,
            )
            return run_until_signal(
                rehearse_played(story_for(of, story, given), options_played, channels(notify, os.environ))
            )
        require_rehearsal_packages()
        chosen = with_faults(load_scenario(scenario or DEFAULT), faults, ends)
        options = RehearsalOptions(
            plan or shipped(chosen.plan),
            speed,
            headless=headless,
            plays_crew=crew_plays or headless,
            armed=arm,
            keep=keep,
            aws_profile=aws_profile,
            variables=variables,
            lists_lacking=bool(plan),
            settings=settings,
        )
        return run_until_signal(_play(chosen, options, channels(notify, os.environ)))
    except PlanError as error:
        output(*error.lines, err=True)
        return BAD_PLAN
    except (ScenarioError, CannotNotify, NotInstalledError, UnknownFault, UnknownPlayedFault, ValueError) as error:
        output(str(error), err=True)
        return USAGE
    except WorldError as error:
        output(*str(error).splitlines(), err=True)
        return COULD_NOT_JUDGE
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED


@dataclass(frozen=True, slots=True)
class RehearsalOptions:
    """How a scenario is run."""

    plan: str
    """Path of the plan it is evaluated by."""
    speed: float
    """How many times faster than real time."""
    headless: bool
    plays_crew: bool
    """Whether the crew signs and votes by itself."""
    armed: bool
    keep: str
    """Folder in which the record stays; empty to leave nothing behind."""
    aws_profile: str = USUAL
    """How the simulated AWS behaves, by the name of its profile."""
    settings: Settings = field(default_factory=Settings)
    variables: Sequence[str] = ()
    """NAME=VALUE, for the plan's vars; what the world needs to be seen comes before them."""
    lists_lacking: bool = False
    """Whether the plan is another than the scenario's: then what this world lacks is listed."""


async def _play(scenario: Scenario, options: RehearsalOptions, receivers: Sequence[Channel]) -> int:
    worse = "" if options.aws_profile == USUAL else f" with {PROFILES[options.aws_profile].title}"
    output(f"starting the environment of '{scenario.name}'{worse} ...", err=True)
    grace_s = LAST_NOTICE_S if options.headless else GRACE_S
    async with Rehearsal(profile=options.aws_profile) as world:
        world.apply(os.environ)
        given = known_vars(options.plan, world.vars)
        plan = load(options.plan, options.variables, overrides=given)
        if options.lists_lacking and given:
            output(f"vars this environment replaces: {', '.join(sorted(given))}", err=True)
        allow_in(world, plan)
        # A rehearsal leaves nothing behind, unless it is asked to.
        root = Path(options.keep) if options.keep else world.folder / "records"
        left: list[str] = []
        try:
            async with (
                recording(
                    plan, world.clock, who=_first(plan), root=root, new=True, variables=given, rehearsal=True
                ) as kept,
                rehearsal_run(scenario, world, plan, options.speed, plays_crew=options.plays_crew, kept=kept) as run,
                notifying(run.watch, kept, receivers, rehearsal=True, grace_s=grace_s),
                watching_plan_file(run.watch, given),
            ):
                if options.lists_lacking:
                    run.watch.notices.append(lambda: _lacking_notice(run.watch))
                if options.headless:
                    return await _headless(run)
                code = await _terminal(run, options)
                if options.keep:
                    left += farewell(run.watch.situation, kept.folder.path, "")
                return code
        finally:
            if left:
                output(*left)
            if options.keep:
                output(f"record kept in {root}", err=True)


def allow_in(world: Rehearsal, plan: Plan) -> None:
    """Let what is started from here do what the plan demands of the simulated world; the user's own list stays as it is."""
    own = world.folder / "trusted.json"
    TrustedPlans(own).add(plan, world.clock.now(), "the rehearsal")
    os.environ[TRUSTED_PLANS] = str(own)


def _first(plan: Plan) -> str:
    """Who is at the cockpit of a rehearsal, until key i changes it."""
    return plan.people[0].id if plan.people else ""


LAST_NOTICE_S = 4.0


@dataclass(slots=True)
class RehearsalRun:
    """A running rehearsal, and what the terminal may do to it (the protocol `Drill`)."""

    watch: Watch
    director: Director
    world: Rehearsal
    pace: Pace
    speed: float
    kept: Recording
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
        self.world.toggle(fault)

    def crew_signs(self) -> int:
        """Sign, acknowledge and vote wherever something is open, and begin the next phase once the verdict allows it."""
        plan, situation = self.watch.plan, self.watch.situation
        entries: list[Entry] = [
            *crew.sign(plan, situation),
            *crew.acknowledge(plan, situation),
            *crew.vote(plan, situation),
        ]
        if not entries:
            entries += crew.move_on(plan, self.watch.record, situation)
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
    watch.notices.append(pace.notice)
    director = Director(scenario, world.clock, world, plays_crew=plays_crew)
    tasks = [
        asyncio.create_task(pace.run(), name="pace"),
        asyncio.create_task(director.run(plan, watch.record, lambda: watch.situation), name="director"),
    ]
    try:
        yield RehearsalRun(watch, director, world, pace, speed, kept, tasks)
    finally:
        await end(tasks)
        await clients.close()


async def _send_traffic(executor: Executor) -> None:
    """The crew starts the plan's synthetic traffic, as a person does on the page of its step."""
    steps = executor.desk.watch.situation.runbook
    step = next((each for each in steps if each.action is not None and each.action.uses == SYNTHETIC), None)
    if step is not None:
        await executor.do(await executor.propose(step), "rehearsal: nobody uses the site at this hour")


async def _headless(run: RehearsalRun) -> int:
    judgement = Judgement.RUNNING

    def done(situation: Situation) -> bool:
        nonlocal judgement
        run.check()
        judgement = run.director.judge(situation)
        return judgement is not Judgement.RUNNING

    async with action_executor(run.watch, run.kept, _first(run.watch.plan)) as executor:
        run.director.roll_back = partial(_roll_back, executor)
        run.director.send_traffic = partial(_send_traffic, executor)
        situation = await watch_until(run.watch, done)
    start = run.director.began_at or situation.started_at
    ends = run.director.scenario.ends
    notice = run.watch.notice
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


def _lacking_notice(watch: Watch) -> str:
    """What the plan names and this environment does not have; empty where nothing is missing."""
    lacking = [
        f"{probe.name} ({why.detail})"
        for probe in watch.situation.probes
        if not probe.known
        for why in list(probe.unknown.values())[:1]
        if why.reason is Reason.NOT_FOUND
    ]
    return (
        f"NOT IN THIS ENVIRONMENT: {', '.join(lacking)}; with --played it is rehearsed all the same" if lacking else ""
    )


async def _roll_back(executor: Executor, action: str) -> None:
    """The crew's part of a rollback: every step of the plan that has this action is looked at, decided and done."""
    for step in executor.desk.watch.situation.rollback_plan:
        if step.action is not None and step.action.uses == action:
            await executor.do(await executor.propose(step), "rehearsal: the release before is better")


async def _terminal(run: RehearsalRun, options: RehearsalOptions) -> int:
    from cockpit.tui.app import CockpitApp

    given = known_vars(run.watch.plan.path, run.world.vars)
    live = LiveOptions(variables=[f"{name}={value}" for name, value in given.items()])
    async with (
        migration_controller(run.watch, live, run.kept.folder.path) as controller,
        action_executor(run.watch, run.kept, _first(run.watch.plan)) as executor,
    ):
        app = CockpitApp(
            run.watch,
            environment_label="REHEARSAL",
            drill=run,
            background=run.watch.run,
            controller=controller,
            armed=options.armed,
            desk=executor.desk,
            executor=executor,
            record=run.kept.folder.path,
            settings=options.settings,
        )
        try:
            await app.run_to_end()
        finally:
            if controller is not None:
                controller.end_started()
    return run.watch.situation.verdict.exit_code
