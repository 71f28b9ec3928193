"""What can be answered is chosen by arrows, with a reason; a refusal stands beside its key and covers nothing."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Input
from tui.seated import Seat, cockpit
from tui.stage import shown, until

from cockpit.decide.events import Vote, Waiver
from cockpit.tui.screens.answer import AnswerScreen


async def page(seat: Seat, key: str) -> AnswerScreen:
    pilot, _ = seat
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, AnswerScreen) and isinstance(pilot.app.focused, Input))
    found = pilot.app.screen
    assert isinstance(found, AnswerScreen)
    return found


async def test_a_vote_is_chosen_and_nothing_is_chosen_at_first(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        form = await page((pilot, watch), "v")
        await pilot.press("enter")
        await until(pilot, lambda: bool(form.problem) and not form.problem.startswith("saving"))
        assert not list(watch.record.all(Vote))
        await pilot.press("down", "down", *"too few", "enter")
        await until(pilot, lambda: any(watch.record.all(Vote)))
        (vote,) = watch.record.all(Vote)
        assert (vote.choice, vote.why) == ("no-go", "too few")


async def test_a_waiver_s_time_is_chosen_from_below_too(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        await page((pilot, watch), "w")
        await pilot.press("up", "up", *"a known batch job", "enter")
        await until(pilot, lambda: any(watch.record.all(Waiver)))
        (waiver,) = watch.record.all(Waiver)
        assert (waiver.until - waiver.at).total_seconds() == 3600
        assert waiver.why == "a known batch job"


async def test_who_one_is_is_a_list(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        form = await page((pilot, watch), "i")
        await until(pilot, lambda: "Bob: backup" in shown(pilot.app))  # type: ignore[arg-type]
        await pilot.press("up", "enter")
        await until(pilot, lambda: pilot.app.screen is not form)
        assert "bob" in shown(pilot.app).splitlines()[0]  # type: ignore[arg-type]


async def test_what_is_refused_stays_beside_its_key_until_another_is_pressed(tmp_path: Path) -> None:
    async with cockpit(tmp_path, size=(80, 24)) as (pilot, _):
        before = shown(pilot.app).splitlines()  # type: ignore[arg-type]
        await pilot.press("f8")
        await until(pilot, lambda: "F8 begin   BLOCKED: the deployment has already begun" in shown(pilot.app))  # type: ignore[arg-type]
        after = shown(pilot.app).splitlines()  # type: ignore[arg-type]
        assert after[1:6] == before[1:6], "the verdict and the first lines are where they were"
        assert after[-1] == before[-1], "and so are the keys"
        await pilot.press("2")
        await until(pilot, lambda: "BLOCKED" not in shown(pilot.app))  # type: ignore[arg-type]
