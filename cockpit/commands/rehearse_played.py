"""A rehearsal of any plan: its probes are played from a story, on the same screens, with a record of its own."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cockpit import formatting
from cockpit.commands.farewell import farewell
from cockpit.commands.plan_loading import load_for_showing
from cockpit.console import output
from cockpit.decide.events import PhaseBegan
from cockpit.decide.states import Word
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recording import Recording, recording
from cockpit.exit_codes import NOT_AS_EXPECTED
from cockpit.formatting import count
from cockpit.notifications.channels import Channel
from cockpit.notifications.outbox import GRACE_S, LAST_NOTICE_S, notifying
from cockpit.plan.model import Phase, Plan
from cockpit.report.formats.situation_text import situation_lines, verdict_changes
from cockpit.stories import crew
from cockpit.stories.fault_entry import fault_entry
from cockpit.stories.played_faults import PlayedFault, PlayedFaults, calls_for_rollback, longest_wait
from cockpit.stories.story_clock import StoryClock
from cockpit.stories.story_file import Story, load_story
from cockpit.stories.story_run import StoryRun, run_with
from cockpit.tui.terminal_settings import Settings
from probes.frozen import frozen
from probes.periods import parse_duration

FAULT_AFTER = timedelta(minutes=5)
"""After the deployment began: where `--fault` names no time of its own."""


@frozen
class PlayedOptions:
    """How a played rehearsal is run."""

    speed: float
    headless: bool
    plays_crew: bool
    keep: str
    """Folder in which the record stays; empty to leave nothing behind."""
    faults: Sequence[str] = ()
    """As `--fault` names them: an id, and after @ when, from the beginning of the deployment."""
    ends: str = ""
    """The verdict it is to end in; empty: what the story or the faults make of it."""
    settings: Settings = field(default_factory=Settings)


@dataclass(slots=True)
class PlannedFault:
    """A fault named on the command line."""

    id: str
    after: timedelta
    done: bool = False


@dataclass(slots=True)
class PlayedDrill:
    """What the terminal may do to a played world (the protocol `Drill`)."""

    run: StoryRun
    played: PlayedFaults
    planned: list[PlannedFault] = field(default_factory=list)

    @property
    def scenario(self) -> str:
        return f"played: {self.run.story.name}"

    @property
    def speed(self) -> float:
        return self.run.watch.story_clock.speed

    def faults(self) -> Sequence[PlayedFault]:
        return self.played.all()

    def toggle(self, fault: str) -> None:
        self._toggle(fault, self.run.watch.clock.now())

    def _toggle(self, fault: str, now: datetime) -> None:
        was = next((each for each in self.played.all() if each.id == fault), None)
        self.played.toggle(fault, now)
        if was is not None:
            self.run.watch.record.append(fault_entry(now, was.title, active=not was.active))

    def crew_signs(self) -> int:
        """The crew signs what is open, votes go at open gates and begins the next phase once the verdict is GO."""
        watch = self.run.watch
        entries = crew.next_statements(watch.plan, watch.record, watch.situation)
        if any(isinstance(entry, PhaseBegan) for entry in entries):
            self.run.director.deployed_at = watch.situation.now
        watch.record.extend(entries)
        return len(entries)

    def inject(self) -> None:
        """Every fault of the command line that is due."""
        began, now = self.run.director.deployed_at, self.run.watch.clock.now()
        for each in self.planned:
            if began is not None and not each.done and now - began >= each.after:
                each.done = True
                self._toggle(each.id, now)


def story_for(plan: str, name: str, variables: Mapping[str, str]) -> Story:
    """The story named (a file, or one beside the plan); without a name a night in which nothing goes wrong."""
    if name:
        return load_story(name, variables)
    loaded = load_for_showing(plan, variables)
    before = any(section.phase is Phase.PRE_DEPLOY for section in loaded.checklist)
    before = before or any(gate.before == "deploy" for gate in loaded.gates)
    return Story("healthy", "Nothing goes wrong", plan, loaded, begin_on_go=before, variables=variables)


async def rehearse_played(story: Story, options: PlayedOptions, receivers: Sequence[Channel]) -> int:
    """Play a story on the screens, or headless to its end. Raises UnknownPlayedFault, ValueError for what it cannot read."""
    if options.ends and options.ends not in map(str, Word):
        raise ValueError(f"--ends {options.ends}: there is {', '.join(map(str, Word))}")
    with tempfile.TemporaryDirectory(prefix="cockpit-played-") as folder:
        root = Path(options.keep) if options.keep else Path(folder) / "records"
        clock = StoryClock(_night_of(story.plan, datetime.now(UTC)), options.speed)
        who = story.plan.people[0].id if story.plan.people else ""
        async with recording(
            story.plan, clock, who=who, root=root, new=True, rehearsal=True, variables=story.variables
        ) as kept:
            run = run_with(story, clock, kept.record, plays_crew=options.plays_crew)
            drill = PlayedDrill(run, PlayedFaults(story.plan, run.director.world))
            drill.planned = [_planned(text, drill.played) for text in options.faults]
            run.watch.before_step.append(drill.inject)
            kept.attach(run.watch)
            run.director.begin()
            for each in run.contradictions:
                output(f"the plan contradicts itself: {each}", err=True)
            grace_s = LAST_NOTICE_S if options.headless else GRACE_S
            async with notifying(run.watch, kept, receivers, rehearsal=True, grace_s=grace_s):
                if options.headless:
                    return await _headless(drill, options)
                code = await _terminal(drill, kept, who, options.settings)
        output(*farewell(run.watch.situation, kept, stays=bool(options.keep)))
        return code


def _planned(text: str, faults: PlayedFaults) -> PlannedFault:
    name, at, after = text.partition("@")
    return PlannedFault(faults.known(name), parse_duration(after) if at else FAULT_AFTER)


def expected_end(plan: Plan, faults: Sequence[str]) -> str:
    """The verdict a night with these faults ends in."""
    if not faults:
        return str(Word.GO)
    named = [fault.partition("@")[0] for fault in faults]
    return str(Word.ROLLBACK) if calls_for_rollback(plan, named) else str(Word.HOLD)


def _night_of(plan: Plan, now: datetime) -> datetime:
    """When a rehearsal begins: with the plan's window, so that its last safe moment is rehearsed; without one now."""
    if plan.window is not None:
        return plan.window.near(now).begins
    return now.replace(second=0, microsecond=0)


async def _headless(drill: PlayedDrill, options: PlayedOptions) -> int:
    run = drill.run
    story, director = run.story, run.director
    wanted = options.ends or ("" if story.expect else expected_end(story.plan, options.faults))
    limit = story.lasts if story.expect else None
    while not _over(run, drill, wanted, limit):
        run.watch.step()
        await asyncio.sleep(0)
    situation = run.watch.situation
    failures = [*run.expectations.failures, *run.expectations.left(situation, run.elapsed)]
    as_expected = not failures and (not wanted or str(situation.verdict.word) == wanted)
    unmet = f"{len(failures)} of " if failures else ""
    by = f" (ends in {wanted})" if wanted else f" ({unmet}{count(len(story.expect), 'expectation')})"
    output(
        *situation_lines(situation),
        "",
        "Verdict changes",
        *(verdict_changes(run.watch.changes(), director.began_at) or ["  none"]),
        "",
        *(f"  {failure}" for failure in failures),
        f"{drill.scenario}: {'as expected' if as_expected else 'NOT as expected'}{by} after {formatting.duration(run.elapsed)}",
    )
    return situation.verdict.exit_code if as_expected else NOT_AS_EXPECTED


def _over(run: StoryRun, drill: PlayedDrill, wanted: str, limit: timedelta | None) -> bool:
    """A story ends at its time; a night without one when its verdict is there, or cannot come any more."""
    if limit is not None:
        return run.elapsed >= limit
    director, verdict = run.director, run.watch.situation.verdict
    wait = longest_wait(run.story.plan)
    if director.deployed_at is None:
        return run.elapsed >= wait
    injected = all(each.done for each in drill.planned)
    there = injected and verdict.phase is Phase.POST_DEPLOY and str(verdict.word) == wanted
    begun = max([director.deployed_at, *(director.deployed_at + each.after for each in drill.planned)])
    return (there and wanted != Word.HOLD) or run.watch.clock.now() - begun >= wait


async def _terminal(drill: PlayedDrill, kept: Recording, who: str, settings: Settings) -> int:
    from cockpit.tui.app import CockpitApp

    watch = drill.run.watch
    app = CockpitApp(
        watch,
        environment_label="REHEARSAL",
        drill=drill,
        background=watch.run,
        desk=Desk(watch, kept, who),
        record=kept.folder.path,
        settings=settings,
    )
    await app.run_to_end()
    return watch.situation.verdict.exit_code
