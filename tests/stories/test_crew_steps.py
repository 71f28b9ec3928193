"""The crew at the runbook: which step is started and finished when and by whom, and that GO waits for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.clock import HandClock
from support.sources import NoSource
from support.waiting import until

from cockpit.conditions.condition import compile_condition
from cockpit.decide.events import Decision, PhaseBegan, StepBegan, StepEnded
from cockpit.decide.readings import Readings
from cockpit.decide.states import StepState, Word
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.plan.model import Ask, Criterion, Gate, Kind, Migration, Person, Phase, Plan, Poll, ProbeSpec, Step
from cockpit.plan.position import Position
from cockpit.rehearsal.script.director import Director
from cockpit.rehearsal.script.scenario import Judgement, parse_scenario
from cockpit.stories.crew_at_work import CrewAtWork
from cockpit.stories.crew_steps import Release, release
from probes.reading import Field, Reading, Value

HERE = Position("plan.yaml", 1)
SECOND = timedelta(seconds=1)
FILES = "files"
EVERY = 4
"""Seconds of a round."""
STEPS = (
    Step("build", "Build the image", HERE, expect="its digest"),
    Step("release", "Deploy it", HERE, gate="go"),
    Step("verify", "Verify", HERE, owner="second"),
    Step(
        FILES,
        "Move the files",
        HERE,
        gate="may_copy",
        roles=("db_owner",),
        progress=("ledger.copied_share",),
        sign_off=Ask("How many files were copied?", ("db_owner",)),
    ),
    Step("watch", "Watch", HERE),
)


def probe(name: str, uses: str, *fields: Field) -> ProbeSpec:
    return ProbeSpec(name, uses, {}, SECOND * 5, SECOND * 3600, HERE, fields=fields)


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROLLED = tuple(
    Field(name, kind, name, example)
    for name, kind, example in (("succeeded", bool, True), ("rolled_back", bool, False), ("created_at", datetime, NOON))
)
PLAN = Plan(
    name="p",
    title="P",
    environment="rehearsal",
    path="plan.yaml",
    digest="d",
    people=(Person("primary", "A", ("on_call",)), Person("second", "B", ("backup", "db_owner"))),
    gates=(
        Gate("go", "Deploy?", "deploy", Poll(("on_call", "backup"), required=2), HERE),
        Gate("may_copy", "Copy?", "migrate", Poll(("on_call", "db_owner"), required=1, exclude_initiator=True), HERE),
    ),
    probes={
        "site": probe("site", "http.health", Field("ok", bool, "answers", example=True)),
        "rollout": probe("rollout", "ecs.deployment", *ROLLED),
        "ledger": probe("ledger", "cutover.migration", Field("copied_share", float, "copied", 0.5)),
    },
    success_criteria=(Criterion("up", "Up", Kind.SUCCESS, compile_condition("site.ok"), HERE, hold_for=SECOND * 120),),
    rollback_triggers=(Criterion("down", "Down", Kind.TRIGGER, compile_condition("!site.ok"), HERE),),
    runbook=STEPS,
    migration=Migration("postgresql://nowhere/app", "bucket", "us-east-1", ()),
    verdict_dwell=timedelta(0),
)
SCENARIO = parse_scenario(
    """
title: t
story: s
phase: pre_deploy
timeline:
  - {at: 0s, crew: sign}
  - {at: 0s, crew: steps}
  - {at: 0s, crew: vote}
  - {at: 1s, begin: post_deploy}
  - {at: 1s, deploy: good}
ends: {verdict: GO, by: 60m}
""",
    "t.yaml",
    "t",
)


@dataclass
class Night:
    """A watch whose readings are put in by hand, and the director with its crew, round by round."""

    watch: Watch
    clock: HandClock
    at_work: CrewAtWork
    director: Director
    rolled_out: bool = True
    moves: asyncio.Event = field(default_factory=asyncio.Event)
    stating: bool = False
    """Whether the crew is stating that it moves the files: that is written by a thread, beside the rounds."""

    async def passes(self, seconds: int) -> None:
        for _ in range(0, seconds, EVERY):
            now = self.clock.now()
            began = max((each.at for each in self.watch.record.all(PhaseBegan)), default=now)
            seen: dict[str, dict[str, Value]] = {
                "site": {"ok": True},
                "rollout": {"succeeded": self.rolled_out, "created_at": began},
                "ledger": {"copied_share": 0.0},
            }
            for name, values in seen.items():
                self.watch.board.add(name, Reading(now, now, values))
            self.watch.tick()
            await self.director.step(self.watch.plan, self.watch.record, lambda: self.watch.situation)
            await self.clock.move(EVERY)
            await until(lambda: not self.stating)

    def progress(self) -> dict[str, str]:
        return {step.id: str(step.progress) for step in self.watch.situation.runbook if step.progress != StepState.OPEN}


class World:
    """A world to which a release is brought, and nothing else."""

    async def set_fault(self, fault: str, *, active: bool) -> None:
        raise AssertionError(fault, active)

    async def deploy(self, kind: str) -> None:
        assert kind == "good"


@asynccontextmanager
async def a_night(folder: Path) -> AsyncIterator[Night]:
    path = folder / "plan.yaml"
    path.write_text("the copy of the plan")
    plan, clock = replace(PLAN, path=str(path)), HandClock()
    async with recording(plan, clock, root=folder / "records", rehearsal=True) as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.attach(watch)
        at_work = CrewAtWork(watch, kept)
        night = Night(watch, clock, at_work, Director(SCENARIO, clock, World(), at_runbook=at_work))

        async def move(desk: Desk) -> str:
            night.stating = True
            try:
                await desk.migrate("rehearsal: it is time", "copy 4 files", "migrate")
            finally:
                night.stating = False
            await night.moves.wait()
            return "4 files copied"

        at_work.move_files = move
        yield night
        await at_work.close()


async def test_the_runbook_is_done_in_order_each_step_by_its_owner_and_go_means_all_of_it(tmp_path: Path) -> None:
    async with a_night(tmp_path) as night:
        watch = night.watch
        night.rolled_out = False
        await night.passes(12)
        assert night.progress() == {"build": "started"}
        await night.passes(20)
        assert watch.situation.verdict.phase is Phase.POST_DEPLOY, (
            "once what comes before it is done, the deployment begins"
        )
        assert night.progress() == {"build": "done", "release": "started"}, "and it is not out yet"
        night.rolled_out = True
        await night.passes(60)
        assert night.progress() == {"build": "done", "release": "done", "verify": "done", FILES: "started"}
        assert [each.choice for each in watch.record.all(Decision)] == ["migrate"]
        await night.passes(80)
        assert watch.situation.verdict.word is Word.GO
        assert night.director.judge(watch.situation) is Judgement.RUNNING, "the files are still being moved"
        night.moves.set()
        await night.passes(30)
        assert night.director.judge(watch.situation) is Judgement.AS_EXPECTED
        assert all(step.over for step in watch.situation.runbook)
        by = {each.subject: each.by for each in watch.record.all(StepEnded)}
        assert by == {"build": "primary", "release": "primary", "verify": "second", FILES: "second", "watch": "primary"}
        assert [each.subject for each in watch.record.all(StepBegan)] == [step.id for step in STEPS]
    kept = [path.read_text() for path in (tmp_path / "records").glob("*/journal/*")]
    assert sum(text.count("rehearsal: 4 files copied") for text in kept) == 2, "as done, and as signed"


async def test_what_somebody_else_began_is_left_to_them_and_a_rollback_stops_the_runbook(tmp_path: Path) -> None:
    async with a_night(tmp_path) as night:
        watch = night.watch
        await night.passes(EVERY)
        await Desk(watch, night.at_work.keeper, "second").start_step("build")
        await night.passes(30)
        assert night.progress() == {"build": "started"}
        assert {each.by for each in watch.record.all(StepBegan)} == {"second"}
        assert night.director.waiting_for == "the steps of the runbook before the deployment"
        await Desk(watch, night.at_work.keeper, "second").end_step("build", "failed", "the registry is full")
        await night.passes(30)
        assert night.progress() == {"build": "failed"}, "for people to decide"


def test_a_release_that_ecs_takes_back_is_a_step_that_failed() -> None:
    since = HandClock().now()
    readings = Readings(PLAN.probes)
    assert release(PLAN, readings, since) is Release.UNDER_WAY
    seen: list[tuple[dict[str, Value], Release]] = [
        ({"succeeded": True, "created_at": since - SECOND}, Release.UNDER_WAY),
        ({"succeeded": False, "created_at": since}, Release.UNDER_WAY),
        ({"succeeded": True, "created_at": since}, Release.OUT),
        ({"succeeded": False, "rolled_back": True, "created_at": since}, Release.FAILED),
    ]
    for number, (values, stands) in enumerate(seen):
        at = since + number * SECOND
        readings.add("rollout", Reading(at, at, values))
        assert release(PLAN, readings, since) is stands


async def test_nobody_answers_how_many_files_were_moved_before_they_are(tmp_path: Path) -> None:
    async with a_night(tmp_path) as night:
        await night.passes(EVERY)
        assert night.at_work.files_wait
        night.at_work.move_files = None
        assert not night.at_work.files_wait
