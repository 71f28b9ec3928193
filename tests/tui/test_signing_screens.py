"""Signing, voting and waiving by keys, on a real record."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from textual.widgets import Input
from tui.seated import asks, at, cockpit, say
from tui.stage import START, Stage, listens, opened, shown, until

from cockpit.decide.events import Decision, LinesMissing, PhaseBegan, SignOff, Vote, Waiver
from cockpit.plan.model import Phase
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.lists import ChecklistScreen, TimelineScreen


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
        await until(pilot, lambda: asks(pilot) and "What did you see?" in shown(pilot.app))  # type: ignore[arg-type]
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


async def test_lines_of_others_that_are_missing_are_named_and_gone_without_for_a_reason(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as (pilot, watch):
        await pilot.press("A")
        assert not asks(pilot), "nothing waits to be accepted"
        watch.record.append(LinesMissing(START, ("lines of bob are missing",), ("bob",), ("bob/7.jsonl",)))
        watch.tick()
        await pilot.press("A")
        await until(pilot, lambda: asks(pilot))
        page = shown(pilot.app)  # type: ignore[arg-type]
        assert "bob/7.jsonl" in page
        await say(pilot, "rang bob: he stands by go")
        watch.tick()
        assert watch.situation.withheld.sentences == ()
        (decided,) = watch.record.all(Decision)
        assert (decided.choice, decided.why) == ("go_without", "rang bob: he stands by go (without bob/7.jsonl)")
