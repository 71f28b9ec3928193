"""Deciding on a rollback by keys, on a real record."""

from __future__ import annotations

from pathlib import Path

import pytest
from tui.seated import at, cockpit, say
from tui.stage import shown

from cockpit.decide.events import Decision
from cockpit.decide.states import Word
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.plan.model import Phase
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.lists import ListScreen
from cockpit.tui.screens.steps import RollbackScreen


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
