"""The crew and the director: what they sign, when they move on, and that all of it says rehearsal."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.plans.shipped_plan import shipped_plan

from cockpit.conditions.condition import compile_condition
from cockpit.decide.because import Observed
from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import PhaseBegan, Record, SignOff, Vote
from cockpit.decide.situation import Situation
from cockpit.decide.states import Check, Word
from cockpit.plan.model import Ask, Criterion, Gate, Item, Kind, Person, Phase, Plan, Poll, ProbeSpec, Section
from cockpit.plan.position import Position
from cockpit.rehearsal.script.director import Director
from cockpit.rehearsal.script.scenario import Judgement, parse_scenario
from cockpit.stories import crew
from probes.reading import Field, Reading

SHIPPED = Path(__file__).parents[2] / "checklists" / "transparent-trust.yaml"
START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
HERE = Position("plan.yaml", 1)
PEOPLE = (Person("primary", "A", ("on_call",)), Person("second", "B", ("backup", "db_owner")))
ITEM = Item("vpn", "VPN", HERE, sign_off=Ask("Which address answered over the tailnet?", ("on_call",)))
LATER = Item("smoke", "Smoke test", HERE, sign_off=Ask("What did you see?", ("backup",)))
GATE = Gate("go_no_go", "Deploy?", "deploy", Poll(("on_call", "backup"), required=2), HERE)
RUNNING = Field("running", int, "tasks running", 2, "count", low=0)
PROBE = ProbeSpec("service", "ecs.service", {}, timedelta(seconds=5), timedelta(seconds=5), HERE, fields=(RUNNING,))
NOBODY_LEFT = Criterion("none", "No task", Kind.TRIGGER, compile_condition("service.running < 1"), HERE)
PROVEN = Criterion(
    "login", "People can sign in", Kind.SUCCESS, None, HERE, sign_off=Ask("Did you log in?", ("on_call",))
)

PLAN = Plan(
    name="p",
    title="P",
    environment="rehearsal",
    path="plan.yaml",
    digest="d",
    people=PEOPLE,
    checklist=(Section("Before", Phase.PRE_DEPLOY, (ITEM,)), Section("After", Phase.POST_DEPLOY, (LATER,))),
    gates=(GATE,),
    probes={"service": PROBE},
    success_criteria=(PROVEN,),
    rollback_triggers=(NOBODY_LEFT,),
)
SCENARIO = parse_scenario(
    """
title: t
story: s
phase: pre_deploy
timeline:
  - {at: 30s, crew: sign}
  - {at: 60s, crew: vote}
  - {at: 2m, begin: post_deploy}
  - {at: 2m, deploy: good}
  - {at: 4m, break: s3.denied}
ends: {verdict: HOLD, by: 6m}
""",
    "t.yaml",
    "t",
)


@dataclass
class Marching:
    """A clock that jumps: sleeping advances it, decides again, and lets the others run."""

    plan: Plan
    record: Record
    speed: float = 1.0
    time: datetime = START
    situation: Situation = field(init=False)

    def __post_init__(self) -> None:
        self.board = Board(self.plan, START)
        self.situation = decide(self.plan, self.board, self.record, START)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, duration: timedelta) -> None:
        self.time += duration
        self.board.add("service", Reading(self.time, self.time, {"running": 2}))
        self.situation = decide(self.plan, self.board, self.record, self.time)
        await asyncio.sleep(0)


@dataclass
class Stage:
    """Writes down what the director does to the world."""

    clock: Marching
    done: list[tuple[float, str]] = field(default_factory=list)

    async def set_fault(self, fault: str, *, active: bool) -> None:
        self.done.append((self._elapsed(), f"{'break' if active else 'repair'} {fault}"))

    async def deploy(self, kind: str) -> None:
        self.done.append((self._elapsed(), f"deploy {kind}"))

    def _elapsed(self) -> float:
        return (self.clock.now() - START).total_seconds()


@pytest.fixture
def clock() -> Marching:
    return Marching(PLAN, Record([PhaseBegan(START, Phase.PRE_DEPLOY)], rehearsal=True))


async def passes(clock: Marching, running: asyncio.Task[None], until: timedelta) -> None:
    while clock.now() - START < until and not running.done():  # noqa: ASYNC110 - the clock moves when others run
        await asyncio.sleep(0)


async def play(clock: Marching, until: timedelta) -> tuple[Director, Stage]:
    stage = Stage(clock)
    director = Director(SCENARIO, clock, stage)
    running = asyncio.create_task(director.run(clock.plan, clock.record, lambda: clock.situation))
    await passes(clock, running, until)
    running.cancel()
    results = await asyncio.gather(running, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    return director, stage


def test_the_crew_signs_only_what_waits_for_a_signature_in_this_phase(clock: Marching) -> None:
    signed = crew.sign(PLAN, clock.situation)
    assert [(s.subject, s.by, s.role) for s in signed if s.subject in ("vpn", "smoke")] == [
        ("vpn", "primary", "on_call")
    ]


async def test_everything_the_crew_does_is_marked_as_rehearsal(clock: Marching) -> None:
    await play(clock, timedelta(minutes=5))
    entries: list[SignOff | Vote] = [*clock.record.all(SignOff), *clock.record.all(Vote)]
    assert len(entries) == 5
    assert all(entry.rehearsal for entry in entries)


async def test_in_the_terminal_the_crew_waits_to_be_asked_and_the_release_for_the_phase(clock: Marching) -> None:
    stage = Stage(clock)
    director = Director(SCENARIO, clock, stage, plays_crew=False)
    running = asyncio.create_task(director.run(PLAN, clock.record, lambda: clock.situation))
    await passes(clock, running, timedelta(minutes=3))
    assert clock.record.all(SignOff) == []
    assert stage.done == []
    clock.record.append(PhaseBegan(clock.now(), Phase.POST_DEPLOY))
    await passes(clock, running, timedelta(minutes=5))
    assert [what for _, what in stage.done] == ["deploy good", "break s3.denied"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_the_crew_answers_in_words_that_fit_the_question() -> None:
    assert "tailnet" in crew.answer_to("Which address answered over the tailnet?")
    assert crew.answer_to("Why is the moon there?").startswith("Looked at it")


def test_every_question_of_the_shipped_plan_has_an_answer_of_its_own() -> None:
    asks = {asked.ask for asked in shipped_plan().asks().values()}
    answers = {ask: crew.answer_to(ask) for ask in asks if "migrated" not in ask and "copied" not in ask}
    assert len(answers) > 15
    assert [ask for ask, answer in answers.items() if answer.startswith("Looked at it")] == []
    assert [answer for answer, count in Counter(answers.values()).items() if count > 1] == []


@pytest.mark.parametrize(
    ("values", "begins"),
    [
        ({"prepared": False}, "None, and none failed"),
        ({"prepared": True, "complete": True}, "All of them"),
        ({}, "As the"),
    ],
)
def test_how_many_documents_moved_is_read_from_the_evidence(values: dict[str, bool], begins: str) -> None:
    seen = [Observed(f"move.{name}", value, str(value), "", "") for name, value in values.items()]
    assert crew.answer_to("How many documents are migrated?", seen).startswith(begins)


def test_nobody_votes_go_while_a_blocking_item_is_open(clock: Marching) -> None:
    assert crew.vote(PLAN, clock.situation) == []


async def test_votes_come_from_distinct_people_under_a_role_of_the_gate(clock: Marching) -> None:
    clock.record.extend(crew.sign(PLAN, clock.situation))
    await clock.sleep(timedelta(seconds=5))
    assert [(v.by, v.role, v.choice) for v in crew.vote(PLAN, clock.situation)] == [
        ("primary", "on_call", "go"),
        ("second", "backup", "go"),
    ]


async def test_the_director_signs_votes_waits_for_go_begins_and_deploys(clock: Marching) -> None:
    _, stage = await play(clock, timedelta(minutes=5))
    began = clock.record.all(PhaseBegan)
    assert [b.phase for b in began] == [Phase.PRE_DEPLOY, Phase.POST_DEPLOY]
    # Votes at 60 s, the verdict dwells for 60 s, so GO and the beginning come at about 2 minutes.
    assert timedelta(minutes=2) <= began[1].at - START <= timedelta(minutes=3)
    assert [what for _, what in stage.done] == ["deploy good", "break s3.denied"]
    assert stage.done[0][0] >= (began[1].at - START).total_seconds()


async def test_nothing_is_signed_twice(clock: Marching) -> None:
    await play(clock, timedelta(minutes=5))
    subjects = [entry.subject for entry in clock.record.all(SignOff)]
    assert sorted(subjects) == sorted(set(subjects))
    assert len(clock.record.all(Vote)) == 2


async def test_without_go_the_timeline_waits_and_says_for_what() -> None:
    stuck = Plan(name="p", title="P", environment="x", path="p", digest="d", probes=PLAN.probes, gates=PLAN.gates)
    clock = Marching(stuck, Record([PhaseBegan(START, Phase.PRE_DEPLOY)], rehearsal=True))
    director, stage = await play(clock, timedelta(minutes=5))
    assert stage.done == []
    assert director.waiting_for == "GO, to begin post_deploy"
    assert director.judge(clock.situation) is Judgement.RUNNING


async def test_post_deploy_items_are_signed_once_that_phase_has_begun(clock: Marching) -> None:
    await play(clock, timedelta(minutes=5))
    checks = {item.id: item.check for section in clock.situation.sections for item in section.items}
    assert checks == {"vpn": Check.PASS, "smoke": Check.PASS}
    assert clock.situation.verdict.word in (Word.GO, Word.HOLD)
