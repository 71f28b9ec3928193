"""Signing, voting, waiving, deciding and walking steps by keys, on a real record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.clock import HandClock
from textual.pilot import Pilot
from textual.widgets import Input
from tui.stage import HERE, START, Stage, listens, opened, plan, shown, until

from cockpit.decide.events import Decision, LinesMissing, PhaseBegan, SignOff, StepBegan, StepEnded, Vote, Waiver
from cockpit.decide.states import Word
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.engine.recording import Recording, recording
from cockpit.plan.model import Ask, Phase, Plan, Step
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.answer import AnswerScreen
from cockpit.tui.screens.lists import ChecklistScreen, ListScreen, TimelineScreen
from cockpit.tui.screens.steps import RollbackScreen, RunbookScreen

Seat = tuple[Pilot[None], "Seated"]
STEPS = (
    Step(
        "run.deploy",
        "Deploy [/odd]",
        HERE,
        "make deploy IMAGE=web@sha256:1f",
        "both tasks healthy",
        timedelta(minutes=30),
    ),
    Step("run.look", "Look", HERE, sign_off=Ask("What did you read?", ("on_call",))),
)
BACK = (Step("back.revision", "Go back", HERE, duration=timedelta(minutes=10)),)


class Seated(Stage):
    """A stage whose record is kept in a folder."""

    def __init__(self, of: Plan, kept: Recording, hand: HandClock) -> None:
        self._kept, self._hand = kept, hand
        super().__init__(of)

    def keep(self) -> None:
        self.record = self._kept.record
        self.clock = self.hand = self._hand
        self.record.append(PhaseBegan(START, Phase.POST_DEPLOY))
        self._kept.attach(self)
        self.tick()


@asynccontextmanager
async def cockpit(tmp_path: Path, who: str = "ada", size: tuple[int, int] = (100, 30)) -> AsyncIterator[Seat]:
    path = tmp_path / "plan.yaml"
    path.write_text("the copy of the plan")
    of = replace(plan(environment="staging"), path=str(path), runbook=STEPS, rollback_plan=BACK)
    hand = HandClock(START)
    async with recording(of, hand, who=who, root=tmp_path / "records") as kept:
        watch = Seated(of, kept, hand)
        watch.keep()
        app = CockpitApp(watch, desk=Desk(watch, kept, who))
        async with opened(app, size, notifications=True) as pilot:
            yield pilot, watch


def _asks(pilot: Pilot[None]) -> bool:
    """Whether a page with a field is in front: it is there before its field is."""
    screen = pilot.app.screen
    return isinstance(screen, AnswerScreen) and len(screen.query("#word")) == 1


async def say(pilot: Pilot[None], text: str) -> None:
    """Type an answer once the page listens, and wait until it was said."""
    await until(pilot, lambda: _asks(pilot))
    screen = pilot.app.screen
    assert isinstance(screen, AnswerScreen)
    field = screen.query_one("#word", Input)
    await until(pilot, lambda: field.has_focus and screen.listening)
    field.value = text
    await pilot.press("enter")
    if screen._submitting is not None:
        await asyncio.wait({screen._submitting})
    await pilot.pause()


def at(pilot: Pilot[None], key: str) -> None:
    screen = pilot.app.screen
    assert isinstance(screen, ListScreen)
    grid = screen.grid
    assert key in {row.key for row in grid.rows}
    grid.cursor = key
    grid.refresh()


async def test_a_line_is_signed_beside_its_evidence_and_taken_back(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        await pilot.press("2")
        at(pilot, "i.vpn")
        await pilot.press("s")
        page = shown(pilot.app)  # type: ignore[arg-type]
        assert "Which address answered?" in page
        assert "you are ada" in page
        assert "HOLD" in page.splitlines()[1], "the verdict stays in view"
        await say(pilot, "ok")
        assert "one word is not enough" in shown(pilot.app)  # type: ignore[arg-type]
        assert watch.record.all(SignOff) == []
        await say(pilot, "100.64.0.7 answered [/x]")
        assert isinstance(pilot.app.screen, ChecklistScreen)
        (signed,) = watch.record.all(SignOff)
        assert (signed.subject, signed.by, signed.answer) == ("i.vpn", "ada", "100.64.0.7 answered [/x]")
        await pilot.press("6")
        assert isinstance(pilot.app.screen, TimelineScreen)
        assert "SIGNED" in shown(pilot.app)
        await pilot.press("2")
        at(pilot, "i.vpn")
        await pilot.press("z")
        await until(pilot, lambda: listens(pilot.app))
        await pilot.press(*"withdraw", "enter")
        await until(pilot, lambda: watch.record.all(SignOff)[-1].retracted)


async def test_walking_what_is_open_goes_from_one_to_the_next(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        await pilot.press("2", "y")
        keys = [row.key for row in pilot.app.screen.grid.rows if row.heading is None]  # type: ignore[attr-defined]
        assert keys == ["i.vpn", "i.smoke"], "what ada can sign, and nothing else"
        await pilot.press("n")
        assert "Which address answered?" in shown(pilot.app)  # type: ignore[arg-type]
        await say(pilot, "100.64.0.7 answered")
        watch.saw()
        await until(pilot, lambda: _asks(pilot) and "What did you see?" in shown(pilot.app))  # type: ignore[arg-type]
        await say(pilot, "Signed in, project 4711, an answer in 4 s")
        assert "BLOCKED" not in shown(pilot.app), "that nothing is left to sign is good news"  # type: ignore[arg-type]
        assert {each.subject for each in watch.record.all(SignOff)} == {"i.vpn", "i.smoke"}


async def test_what_is_no_line_is_not_waived(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, _):
        await pilot.press("7")
        at(pilot, "run.deploy")
        await pilot.press("w")
        assert "BLOCKED: select a criterion" in shown(pilot.app)  # type: ignore[arg-type]


async def test_a_walk_counts_what_is_open_now_and_says_that_somebody_else_signed_its_line(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        await pilot.press("n")
        assert "2 open" in shown(pilot.app)  # type: ignore[arg-type]
        for subject in ("i.smoke", "i.vpn"):
            watch.record.append(
                SignOff(watch.clock.now(), subject, "ada", "on_call", "seen on another machine", watch.plan.digest)
            )
            watch.saw()
            pilot.app.paint()  # type: ignore[attr-defined]
            await pilot.pause()
            page = shown(pilot.app)  # type: ignore[arg-type]
            assert ("1 open" in page) == (subject == "i.smoke")
        assert "has been signed meanwhile" in page
        assert " open" not in page.splitlines()[6]


async def test_the_key_that_is_next_goes_to_the_line_it_is_about_from_its_own_screen_too(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        watch.record.append(PhaseBegan(watch.clock.now(), Phase.POST_DEPLOY))
        watch.saw(rate=0.01)
        watch.saw(rate=0.5)
        pilot.app.paint()  # type: ignore[attr-defined]
        await pilot.pause()
        assert "NEXT 1  look at 500 error rate" in shown(pilot.app)  # type: ignore[arg-type]
        for key in ("1", "2"):
            await pilot.press("home", key, "1")
            assert pilot.app.screen.grid.cursor == "errors.high"  # type: ignore[attr-defined]


async def test_nobody_signs_for_a_role_they_do_not_hold_until_they_say_who_they_are(tmp_path: Path) -> None:
    async with cockpit(tmp_path, who="bob") as (pilot, watch):
        await pilot.press("2")
        at(pilot, "i.vpn")
        await pilot.press("s")
        await say(pilot, "100.64.0.7 answered")
        assert "needs on-call; bob is backup" in shown(pilot.app)  # type: ignore[arg-type]
        await pilot.press("escape", "i")
        await say(pilot, "eve")
        assert "the plan has no person eve" in shown(pilot.app)  # type: ignore[arg-type]
        await say(pilot, "ada")
        at(pilot, "i.vpn")
        await pilot.press("s")
        await say(pilot, "100.64.0.7 answered")
        assert [each.by for each in watch.record.all(SignOff)] == ["ada"]


async def test_a_vote_a_waiver_and_what_they_need(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        await pilot.press("2", "v")
        await say(pilot, "no-go")
        assert "no-go needs a reason" in shown(pilot.app)  # type: ignore[arg-type]
        await say(pilot, "no-go the pool is too small")
        (vote,) = watch.record.all(Vote)
        assert (vote.choice, vote.why) == ("no-go", "the pool is too small")
        at(pilot, "i.odd")
        await pilot.press("w")
        await say(pilot, "because")
        assert "begin with how long" in shown(pilot.app)  # type: ignore[arg-type]
        await say(pilot, "30m known since Tuesday")
        (waiver,) = watch.record.all(Waiver)
        assert waiver.until - waiver.at == timedelta(minutes=30)


async def test_a_rollback_is_decided_on_its_screen(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        watch.burning()
        await pilot.press("5")
        assert isinstance(pilot.app.screen, RollbackScreen)
        page = shown(pilot.app)  # type: ignore[arg-type]
        for words in ("DECIDE", "ROLL BACK", "DISMISS it", "500 error rate above 5 %", "Go back"):
            assert words in page
        at(pilot, "decide:dismiss")
        await pilot.press("enter")
        assert "until when" in shown(pilot.app)  # type: ignore[arg-type]
        await say(pilot, "a load test, ended by hand")
        assert "begin with until when" in shown(pilot.app)  # type: ignore[arg-type]
        await say(pilot, "clear ok")
        assert "give a reason" in shown(pilot.app)  # type: ignore[arg-type]
        trips = watch.situation.verdict.latch.trips  # type: ignore[union-attr]
        await say(pilot, "clear a load test, ended by hand")
        (decided,) = watch.record.all(Decision)
        assert (decided.choice, decided.advised, decided.by) == ("dismiss", "ROLLBACK", "ada")
        assert (decided.answers, decided.until) == (trips, None)
        watch.saw(rate=0.0)
        assert watch.situation.verdict.word is not Word.ROLLBACK


async def test_what_trips_while_a_decision_is_typed_is_not_answered_by_it(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        watch.burning()
        shown_then = watch.situation.verdict.latch
        await pilot.press("5")
        at(pilot, "decide:execute")
        await pilot.press("enter")
        assert "what trips later asks again" in shown(pilot.app)  # type: ignore[arg-type]
        for rate in (0.0, 0.12):
            for _ in range(6):
                watch.saw(rate=rate)
        await say(pilot, "users see errors")
        (decided,) = watch.record.all(Decision)
        assert shown_then is not None
        assert decided.answers == shown_then.trips
        watch.tick()
        assert watch.situation.verdict.latch is not None, "it has tripped again since"


async def test_a_decision_that_is_under_way_can_be_withdrawn(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        watch.burning()
        await pilot.press("f")
        assert isinstance(pilot.app.screen, ListScreen), "its key decides on its own screen alone"
        await pilot.press("5")
        assert "r roll back" in shown(pilot.app).splitlines()[-1]  # type: ignore[arg-type]
        await pilot.press("r")
        assert "ROLL BACK: why?" in shown(pilot.app)  # type: ignore[arg-type]
        await say(pilot, "users see errors")
        watch.saw(rate=0.12)
        pilot.app.screen.paint()
        page = shown(pilot.app)  # type: ignore[arg-type]
        assert "DECIDED" in page
        assert "[r]" not in page
        assert pilot.app.screen.grid.cursor == watch.situation.rollback_plan[0].id, "enter does the next step"
        await pilot.press("d")
        assert "withdraws" in shown(pilot.app)  # type: ignore[arg-type]
        await say(pilot, "it was the load test")
        watch.saw(rate=0.0)
        assert watch.situation.verdict.word is Word.HOLD


async def test_after_a_decision_to_fix_forward_banner_and_keys_say_what_is_so_now(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        app = pilot.app
        assert isinstance(app, CockpitApp)
        watch.burning()
        await pilot.press("5")
        before = shown(app).splitlines()
        assert [key in before[-1] for key in ("r roll back", "f fix forward", "d dismiss")] == [True] * 3
        await pilot.press("f")
        await say(pilot, "the cache is switched off")
        watch.saw(rate=0.12)
        app.paint()
        await pilot.pause()
        lines = shown(app).splitlines()
        assert "decided: fix forward" in lines[1]
        assert "decide by" not in lines[1]
        assert watch.situation.verdict.cause in before[1], "the cause is not gone because somebody has decided"
        assert watch.situation.verdict.cause[:20] in lines[1]
        assert "fix what tripped: 500 error rate above 5 % for 5 minutes" in lines[2]
        assert [key in lines[-1] for key in ("r roll back", "fix forward", "d withdraw")] == [True, False, True]


async def test_where_one_types_the_last_line_names_the_keys_that_do_something_there_and_no_other(
    tmp_path: Path,
) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        app = pilot.app
        assert isinstance(app, CockpitApp)
        watch.burning()
        for keys in (["5", "f"], ["i"]):
            await pilot.press("escape", *keys)
            *_, line, keys_there = shown(app).splitlines()
            assert keys_there.strip("▌▐ ") == "enter submit  esc back", keys
            assert line.startswith("▌"), "a mark that needs no colour"


async def test_a_rollback_that_has_ended_lets_the_deployment_begin_again(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (_, watch):
        watch.burning()
        desk = Desk(watch, watch._kept, "ada")
        await desk.decide("execute", "users see errors")
        for step in watch.situation.rollback_plan:
            await desk.end_step(step.id, "done", "web:41 serves again")
        for _ in range(200):
            watch.saw(rate=0.0)
        assert watch.situation.verdict.word is Word.ROLLED_BACK
        with pytest.raises(Refused, match="more GO vote"):
            await desk.begin(Phase.POST_DEPLOY, "the fix is in")
        for who in ("ada", "bob"):
            desk.identify(who)
            await desk.vote(watch.plan.gates[0].id, "go")
        await desk.begin(Phase.POST_DEPLOY, "the fix is in")
        watch.saw(rate=0.0)
        assert (str(watch.situation.verdict.word), watch.situation.verdict.phase) == ("HOLD", Phase.POST_DEPLOY)
        watch.burning()
        assert watch.situation.verdict.latch is not None, "a new trip of the new deployment"


async def test_a_waiver_says_that_it_does_not_answer_a_rollback(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        watch.burning()
        (trip,) = watch.situation.verdict.latch.trips  # type: ignore[union-attr]
        pilot.app._desk_keys.do("waive", trip.subject)  # type: ignore[attr-defined]
        await pilot.pause()
        assert "does not answer" in shown(pilot.app)  # type: ignore[arg-type]
        await say(pilot, "30m a load test")
        watch.saw(rate=0.12)
        assert watch.situation.verdict.word is Word.ROLLBACK


async def test_steps_are_read_done_and_told(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        await pilot.press("7")
        assert isinstance(pilot.app.screen, RunbookScreen)
        assert "Deploy [/odd]" in shown(pilot.app)  # type: ignore[arg-type]
        await pilot.press("enter")
        page = shown(pilot.app)  # type: ignore[arg-type]
        assert "make deploy IMAGE=web@sha256:1f" in page
        await say(pilot, "start")
        watch.saw(600)
        pilot.app.screen.paint()
        took = {row.key: row.cell("took").plain for row in pilot.app.screen.grid.rows}
        assert took["run.deploy"] == "10m (30m)"
        at(pilot, "run.deploy")
        await pilot.press("enter")
        await pilot.press("f7")
        await pilot.pause()
        assert "BLOCKED: it is under way" in shown(pilot.app)  # type: ignore[arg-type]
        await say(pilot, "failed: no credentials")
        watch.saw()
        await pilot.press("f7")
        await until(pilot, lambda: len(watch.record.all(StepBegan)) == 2)
        watch.saw()
        await pilot.press("enter")
        await say(pilot, "it never came up")
        assert "choose done or failed" in shown(pilot.app), "a failure is not kept as done for want of a choice"  # type: ignore[arg-type]
        await say(pilot, "done: web:42, both healthy")
        watch.saw()
        await pilot.press("f7")  # one key does not undo what is done
        await until(pilot, lambda: "BLOCKED: it is done" in shown(pilot.app))  # type: ignore[arg-type]
        assert len(watch.record.all(StepBegan)) == 2
        assert [(each.outcome, each.seen) for each in watch.record.all(StepEnded)] == [
            ("failed", "no credentials"),
            ("done", "web:42, both healthy"),
        ]


async def test_the_deployment_begins_by_a_typed_word(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        watch.record.append(PhaseBegan(watch.hand.time, Phase.PRE_DEPLOY))
        watch.tick()
        await pilot.press("f8")
        blocked = "F8 begin   BLOCKED: Go / no-go: needs 2 more GO"
        await until(pilot, lambda: blocked in shown(pilot.app))  # type: ignore[arg-type]
        desk = Desk(watch, watch._kept, "ada")
        for who in ("ada", "bob"):
            desk.identify(who)
            await desk.vote(watch.plan.gates[0].id, "go")
        watch.saw()
        await pilot.press("f8")
        await say(pilot, "no")
        assert "The cockpit advises HOLD" in shown(pilot.app)  # type: ignore[arg-type]
        assert "type deploy and why, against the advice" in shown(pilot.app)  # type: ignore[arg-type]
        await say(pilot, "deploy we must")
        phase = watch.counted().phase()
        assert phase is not None
        assert phase.phase is Phase.POST_DEPLOY


async def test_a_vote_that_lapsed_is_named_beside_the_key_before_anything_is_typed(tmp_path: Path) -> None:
    async with cockpit(tmp_path, size=(140, 30)) as (pilot, watch):
        gate = watch.plan.gates[0]
        watch.plan = replace(
            watch.plan, gates=(replace(gate, poll=replace(gate.poll, valid_for=timedelta(minutes=1))),)
        )
        watch.record.append(PhaseBegan(watch.hand.time, Phase.PRE_DEPLOY))
        desk = Desk(watch, watch._kept, "ada")
        for who in ("ada", "bob"):
            desk.identify(who)
            await desk.vote(gate.id, "go")
        watch.saw(120)
        await pilot.press("f8")
        await until(pilot, lambda: "F8 begin   BLOCKED" in shown(pilot.app))  # type: ignore[arg-type]
        assert "no longer valid" in shown(pilot.app)  # type: ignore[arg-type]
        assert not isinstance(pilot.app.screen, AnswerScreen)


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 60)], ids=str)
async def test_the_answer_can_be_seen_being_typed_at_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with cockpit(tmp_path, size=size) as (pilot, _):
        await pilot.press("2")
        at(pilot, "i.vpn")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.focused, Input))
        await pilot.press(*"seen")
        lines = shown(pilot.app).splitlines()  # type: ignore[arg-type]
        assert "seen" in lines[-2]
        assert "HOLD" in lines[1]


async def test_without_a_record_nothing_can_be_said() -> None:
    app = CockpitApp(Stage())
    async with opened(app, (100, 30), notifications=True) as pilot:
        await pilot.press("2", "s")
        await pilot.pause()
        assert "no record is kept" in shown(app)


async def test_f7_starts_a_step_from_its_list_and_from_its_page(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        await pilot.press("f7")
        await until(pilot, lambda: "F7 start step   BLOCKED: no step is selected" in shown(pilot.app))  # type: ignore[arg-type]
        await pilot.press("7", "enter")
        await until(pilot, lambda: _asks(pilot))
        await pilot.press("enter", "f7")  # a hasty enter starts nothing; the key does
        await until(pilot, lambda: bool(watch.record.all(StepBegan)))
        await until(pilot, lambda: isinstance(pilot.app.screen, RunbookScreen))
        assert [(each.subject, each.by) for each in watch.record.all(StepBegan)] == [("run.deploy", "ada")]
        assert watch.record.all(StepEnded) == []


async def test_lines_of_others_that_are_missing_are_named_and_gone_without_for_a_reason(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        await pilot.press("A")
        assert not _asks(pilot), "nothing waits to be accepted"
        watch.record.append(LinesMissing(START, ("lines of bob are missing",), ("bob",), ("bob/7.jsonl",)))
        watch.tick()
        await pilot.press("A")
        await until(pilot, lambda: _asks(pilot))
        page = shown(pilot.app)  # type: ignore[arg-type]
        assert "bob/7.jsonl" in page
        await say(pilot, "rang bob: he stands by go")
        watch.tick()
        assert watch.situation.withheld.sentences == ()
        (decided,) = watch.record.all(Decision)
        assert (decided.choice, decided.why) == ("go_without", "rang bob: he stands by go (without bob/7.jsonl)")
