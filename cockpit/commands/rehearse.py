"""`cockpit rehearse`: the cockpit on a simulated environment on this machine."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Literal

import click
from platformdirs import user_state_path

from cockpit.commands.called_again import called_again
from cockpit.commands.ended_by_signal import run_until_signal
from cockpit.commands.farewell import farewell, with_record
from cockpit.commands.live_session import action_executor
from cockpit.commands.options import NOTIFY, SPEED, VARIABLES, Receiver
from cockpit.commands.plan_loading import given_values, known_vars, load
from cockpit.commands.rehearsal_run import (
    RehearsalRun,
    allow_in,
    crew_migration,
    first_person,
    rehearsal_run,
    run_headless,
)
from cockpit.commands.rehearse_played import PlayedOptions, rehearse_played, story_for
from cockpit.commands.simulated_plans import DEFAULT, not_simulated, shipped, story_file, with_faults
from cockpit.commands.terminal_options import QUIET, THEME, ThemeName, settings_chosen
from cockpit.console import output
from cockpit.decide.situation import Situation
from cockpit.engine.plan_file import watching_plan_file
from cockpit.engine.recording import CannotRecord, Recording, recording
from cockpit.engine.watch import Watch
from cockpit.exit_codes import BAD_PLAN, COULD_NOT_JUDGE, INTERRUPTED, USAGE
from cockpit.log_file import log_to_file
from cockpit.notifications.channels import CannotNotify, Channel, channels
from cockpit.notifications.outbox import GRACE_S, LAST_NOTICE_S, notifying
from cockpit.plan.load import PlanError
from cockpit.rehearsal.aws_profile import PROFILES, USUAL
from cockpit.rehearsal.installed import NotInstalledError, require_rehearsal_packages
from cockpit.rehearsal.process.launcher import Rehearsal, WorldError
from cockpit.rehearsal.script.fault_catalogue import UnknownFault
from cockpit.rehearsal.script.scenario import Scenario, ScenarioError, load_scenario, scenarios
from cockpit.stories.played_faults import UnknownPlayedFault
from cockpit.stories.tour import STAGES, closing_card, opening_card, stage_now, tour_line
from cockpit.tui.terminal_settings import Settings
from cockpit.tui.terminal_streams import no_terminal
from probes.frozen import frozen
from probes.reading import Reason

TOUR = "YOUR FIRST NIGHT"


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
    "--crew/--no-crew", "crew_plays", default=True, help="Whether the crew signs and votes by itself (else: key C)."
)
@click.option(
    "--arm", is_flag=True, help="Start with keys that change the environment enabled, such as the migration's."
)
@click.option(
    "--tour", is_flag=True, help="Your first night, step by step: sign, vote, begin, break, decide (ten minutes)."
)
@click.option(
    "--keep",
    default="",
    metavar="FOLDER",
    callback=lambda _context, _option, keep: made_folder(keep),
    help="Keep the record of this rehearsal in a folder.",
)
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
    tour: bool,
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
    if not headless and (problem := no_terminal(called_again("rehearse", "--headless", without=("tour",)))):
        output(problem, err=True)
        return USAGE
    settings = settings_chosen(theme, quiet=quiet)
    if tour and (headless or scenario or plan or played):
        output("--tour is a rehearsal of its own: give it no scenario, --plan, --played or --headless", err=True)
        return USAGE
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
            tour=tour,
            keep=keep or (str(user_state_path("cockpit", appauthor=False) / "tours") if tour else ""),
            aws_profile=aws_profile,
            variables=variables,
            lists_lacking=bool(plan),
            settings=settings,
        )
        return run_until_signal(_play(chosen, options, channels(notify, os.environ)))
    except PlanError as error:
        output(*error.lines, err=True)
        return BAD_PLAN
    except (
        ScenarioError,
        CannotNotify,
        CannotRecord,
        NotInstalledError,
        UnknownFault,
        UnknownPlayedFault,
        ValueError,
    ) as error:
        output(str(error), err=True)
        return USAGE
    except WorldError as error:
        output(*str(error).splitlines(), err=True)
        return COULD_NOT_JUDGE
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED


def made_folder(keep: str) -> str:
    """A folder that a record can be kept in, made where it is not there. Raises BadParameter, before anything is begun."""
    try:
        if keep:
            Path(keep).mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=keep):
                pass
    except FileExistsError:
        raise click.BadParameter(f"{keep} is no folder") from None
    except OSError as error:
        raise click.BadParameter(f"no record can be kept in {keep}: {error.strerror}") from None
    return keep


@frozen
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
    tour: bool
    """Whether a newcomer is walked through it."""
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
    stages = 2 if options.headless else 3
    worse = "" if options.aws_profile == USUAL else f" with {PROFILES[options.aws_profile].title}"
    output(
        f"1 of {stages}: the environment of '{scenario.name}'{worse}: PostgreSQL, simulated AWS, the application ...",
        err=True,
    )
    grace_s = LAST_NOTICE_S if options.headless else GRACE_S
    async with Rehearsal(profile=options.aws_profile) as world:
        world.apply(os.environ)
        replaced = known_vars(options.plan, world.vars)
        given = {**replaced, **given_values(options.variables)}
        plan = load(options.plan, overrides=given)
        if options.lists_lacking and replaced:
            output(f"vars this environment replaces: {', '.join(sorted(replaced))}", err=True)
        allow_in(world, plan)
        output(f"2 of {stages}: the record", err=True)
        # A rehearsal leaves nothing behind, unless it is asked to.
        root = Path(options.keep) if options.keep else world.folder / "records"
        ended: tuple[Situation, Recording] | None = None
        begun = False
        try:
            async with (
                recording(
                    plan, world.clock, who=first_person(plan), root=root, new=True, variables=given, rehearsal=True
                ) as kept,
                rehearsal_run(scenario, world, plan, options.speed, plays_crew=options.plays_crew, kept=kept) as run,
                notifying(run.watch, kept, receivers, rehearsal=True, grace_s=grace_s),
                watching_plan_file(run.watch, given),
            ):
                begun = True
                if options.lists_lacking:
                    run.watch.notices.append(lambda: _lacking_notice(run.watch))
                if options.headless:
                    return await run_headless(run, given)
                output(f"3 of {stages}: the screen", err=True)
                code = await _terminal(run, options, given)
                ended = run.watch.situation, kept
                return code
        finally:
            if ended is not None:
                output(*farewell(*ended, stays=bool(options.keep)))
            if options.keep and begun:
                output(f"record kept in {root}", err=True)


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


async def _terminal(run: RehearsalRun, options: RehearsalOptions, given: Mapping[str, str]) -> int:
    from cockpit.tui.app import CockpitApp

    who = first_person(run.watch.plan)
    async with (
        crew_migration(run, given) as controller,
        action_executor(run.watch, run.kept, who) as executor,
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
            card=partial(_card, run, who) if options.tour else None,
        )
        if options.tour:
            run.director.newcomer = who
            run.watch.notices.insert(0, lambda: tour_line(run.watch.record, who))
        await app.run_to_end()
    return run.watch.situation.verdict.exit_code


def _card(run: RehearsalRun, who: str) -> list[str]:
    """The card of a tour: the story until the first stage is done, and how it ended after the last one."""
    at = stage_now(run.watch.record, who)
    if at == 0:
        return opening_card(TOUR, who)
    if (
        at < len(STAGES) or run.watch.situation.verdict.latch is not None
    ):  # what is left is known once that was decided on
        return []
    record = run.kept.folder.path
    return closing_card(run.watch.situation, [f"record   {record}", *with_record(record)])
