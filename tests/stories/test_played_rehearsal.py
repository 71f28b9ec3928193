"""Any plan is rehearsed, headless and in the terminal: to GO, with a fault to ROLLBACK; the exit code is of what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.plans.shipped_plan import shipped_plan
from support.waiting import until

from cockpit.commands import simulated_plans
from cockpit.commands.rehearse_played import PlayedDrill, PlayedOptions, rehearse_played, story_for
from cockpit.decide.events import Record
from cockpit.exit_codes import GO, NOT_AS_EXPECTED, ROLLBACK
from cockpit.journal.record_folder import list_records
from cockpit.rehearsal.script.fault_catalogue import UnknownFault
from cockpit.rehearsal.script.scenario import ScenarioError, load_scenario
from cockpit.replay.player import play_through
from cockpit.replay.trace import trace_of
from cockpit.stories.played_faults import PlayedFaults, UnknownPlayedFault, calls_for_rollback
from cockpit.stories.story_clock import BEGINS, StoryClock
from cockpit.stories.story_run import run_with
from cockpit.tui.app import CockpitApp
from probes.reading import Reason

CHECKLISTS = Path(__file__).parents[2] / "checklists"
MINIMAL = str(CHECKLISTS / "minimal.yaml")


def options(*faults: str, ends: str = "") -> PlayedOptions:
    return PlayedOptions(600.0, headless=True, plays_crew=True, keep="", faults=faults, ends=ends)


@pytest.mark.parametrize(
    ("faults", "ends", "code"),
    [
        ((), "", GO),
        (("trip:site.down@1m",), "", ROLLBACK),
        pytest.param(("trip:site.down@1m",), "GO", NOT_AS_EXPECTED, marks=pytest.mark.long),
    ],
    ids=["go", "rollback", "not-as-expected"],
)
async def test_the_exit_code_is_the_verdicts_where_it_ends_as_expected(
    faults: tuple[str, ...], ends: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await rehearse_played(story_for(MINIMAL, "", {}), options(*faults, ends=ends), ()) == code
    assert ("NOT as expected" in capsys.readouterr().out) is (code == NOT_AS_EXPECTED)


async def test_a_story_is_rehearsed_to_its_end_and_judged_by_what_it_expects() -> None:
    story = simulated_plans.story_file("site-down", MINIMAL)
    assert await rehearse_played(story_for(MINIMAL, story, {}), options(), ()) == ROLLBACK


def drill() -> PlayedDrill:
    story = story_for(MINIMAL, "", {})
    run = run_with(story, StoryClock(BEGINS, speed=2_000.0), Record(rehearsal=True))
    run.director.begin()
    return PlayedDrill(run, PlayedFaults(story.plan, run.director.world))


def test_every_trigger_criterion_and_probe_has_its_faults() -> None:
    ids = {fault.id for fault in drill().faults()}
    assert {"trip:site.down", "trip:tasks.dying", "fail:site.healthy", "late:service", "flap:deployment"} <= ids
    assert {f"blind:site:{reason}" for reason in (Reason.TIMEOUT, Reason.ACCESS_DENIED, Reason.LOW_VOLUME)} <= ids


def test_what_a_fault_changed_is_as_before_when_it_is_repaired() -> None:
    playing = drill()
    world, at = playing.run.director.world, BEGINS
    for fault in ("trip:tasks.dying", "flap:site", "blind:site:TIMEOUT", "late:site"):
        before = [world.reading(probe, at, None) for probe in world.plan.probes]
        playing.toggle(fault)
        assert [each.id for each in playing.faults() if each.active] == [fault]
        assert [world.reading(probe, at, None) for probe in world.plan.probes] != before, fault
        playing.toggle(fault)
        assert [world.reading(probe, at, None) for probe in world.plan.probes] == before, fault


def test_a_fault_nobody_knows_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownPlayedFault, match=r"did you mean 'trip:site\.down'\?"):
        drill().toggle("trip:site.dwn")
    with pytest.raises(UnknownFault, match=r"did you mean 'app\.errors'\?"):
        simulated_plans.with_faults(load_scenario("smooth"), ["app.error@3m"], "")


def test_one_major_trigger_alone_calls_for_nothing() -> None:
    plan = shipped_plan()
    assert not calls_for_rollback(plan, ["trip:llm.failing"])
    assert calls_for_rollback(plan, ["trip:errors.high"])


async def test_in_the_terminal_a_fault_of_the_panel_leads_to_rollback() -> None:
    playing = drill()
    watch = playing.run.watch
    app = CockpitApp(watch, environment_label="REHEARSAL", drill=playing, background=watch.run)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: str(watch.situation.verdict.word) == "GO")
        playing.toggle("trip:site.down")
        await until(lambda: str(watch.situation.verdict.word) == "ROLLBACK")
        await pilot.pause()


def test_a_plan_the_simulated_environment_has_is_watched_there_and_any_other_is_played() -> None:
    assert simulated_plans.not_simulated(str(CHECKLISTS / "transparent-trust.yaml"), {}) == ()
    assert simulated_plans.not_simulated(str(CHECKLISTS / "alarms.yaml"), {}) == ()
    (lacking, _) = simulated_plans.not_simulated(MINIMAL, {})
    assert "service (ecs.service)" in lacking


def test_a_name_that_is_no_story_and_no_scenario_is_answered_with_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'site-down'"):
        simulated_plans.story_file("site-dwon", MINIMAL)
    assert simulated_plans.story_file("smooth", MINIMAL) == ""


async def test_a_kept_rehearsal_is_replayed_with_the_vars_it_was_given(tmp_path: Path) -> None:
    story = story_for(MINIMAL, "", {"cluster": "green"})
    kept = PlayedOptions(600.0, headless=True, plays_crew=True, keep=str(tmp_path))
    assert await rehearse_played(story, kept, ()) == GO
    (folder,) = list_records(tmp_path)
    trace = trace_of(folder)
    assert trace.plan.probes["service"].params["cluster"] == "green"
    situation, _, differences = play_through(trace)
    assert (differences, str(situation.verdict.word)) == ([], "GO")


async def test_a_plan_with_a_window_is_rehearsed_in_it_so_that_its_last_safe_moment_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path(MINIMAL).read_text(encoding="utf-8")
    window = 'window: {from: "2031-03-08T22:00", to: "2031-03-09T04:00", time_zone: America/New_York}\n'
    written = tmp_path / "minimal.yaml"
    written.write_text(
        text.replace("rollback_plan:", f"{window}rollback_plan:") + "    expected: 10m\n", encoding="utf-8"
    )
    assert await rehearse_played(story_for(str(written), "", {}), options(), ()) == GO
    shown = capsys.readouterr().out
    assert "decide by 07:50" in shown, "04:00 in New York is 08:00 in UTC after the clocks were put forward that night"
