"""Beginning the deployment and walking the steps by keys, on a real record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tui.seated import asks, at, cockpit, say
from tui.stage import shown, until

from cockpit.decide.events import PhaseBegan, StepBegan, StepEnded
from cockpit.engine.operator_desk import Desk
from cockpit.plan.model import Phase
from cockpit.tui.screens.answer import AnswerScreen
from cockpit.tui.screens.steps import RunbookScreen


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


async def test_f7_starts_a_step_from_its_list_and_from_its_page(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        await pilot.press("f7")
        await until(pilot, lambda: "F7 start step   BLOCKED: no step is selected" in shown(pilot.app))  # type: ignore[arg-type]
        await pilot.press("7", "enter")
        await until(pilot, lambda: asks(pilot))
        await pilot.press("enter", "f7")  # a hasty enter starts nothing; the key does
        await until(pilot, lambda: bool(watch.record.all(StepBegan)))
        await until(pilot, lambda: isinstance(pilot.app.screen, RunbookScreen))
        assert [(each.subject, each.by) for each in watch.record.all(StepBegan)] == [("run.deploy", "ada")]
        assert watch.record.all(StepEnded) == []
