"""What is seen of the release before running again, service by service, while a rollback is under way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from decide.scene import CALM, HERE, START, Scene, probe, reading, seconds, success, trigger
from decide.test_occasions import BEFORE, ECS, say

from cockpit.decide.events import PhaseBegan, Record, StepEnded
from cockpit.decide.states import Word
from cockpit.plan.model import Phase, Step
from probes.reading import Value

API = replace(ECS, name="api", params={"cluster": "c", "service": "api"})


def rolling_back() -> Scene:
    """Two services; a rollback was decided at the scene's time."""
    scene = Scene(
        success("fine", "m.ok"),
        trigger("errors", "m.rate > 0.05", clear_for=30),
        probes=(probe("m"), ECS, API),
        record=Record([BEFORE, replace(BEFORE, service="api"), PhaseBegan(START, Phase.POST_DEPLOY)]),
    )
    return say(scene.feed("0.2"), "execute")


def runs(scene: Scene, name: str, **values: Value) -> Scene:
    scene.board.add(name, replace(reading(scene.now), values=values))
    return scene


BACK: dict[str, Value] = {"task_definition": "web:41", "stable": True}


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        (BACK | {"task_definition": "web:42"}, ["c/web runs web:42; before: web:41"]),
        (BACK | {"stable": False}, ["c/web runs web:41, not stable yet; before: web:41"]),
        ({}, ["c/web runs what cannot be read, not stable yet; before: web:41"]),
        (None, ["c/web: not read since the decision"]),
        (BACK, []),
    ],
)
def test_each_service_that_is_not_back_is_said_by_what_it_runs(
    values: dict[str, Value] | None, missing: list[str]
) -> None:
    scene = runs(rolling_back(), "api", **BACK | {"task_definition": "web:42"})
    if values is not None:
        runs(scene, "svc", **values)
    lines = [line for line in scene.tick().situation.verdict.reasons if line.startswith("c/")]
    assert lines == [*missing, "c/api runs web:42; before: web:41"]


@pytest.mark.parametrize(("late", "word"), [(0, Word.ROLLED_BACK), (0.001, Word.ROLLBACK)])
def test_what_a_service_was_seen_to_run_counts_for_as_long_as_its_data(late: float, word: Word) -> None:
    scene = rolling_back()
    for name in ("svc", "api"):
        runs(scene, name, **BACK)
    seen_at = scene.now
    for after in (20, 35, 50 + late):
        scene.now = seen_at + seconds(after)
        scene.give()
    assert ECS.stale_after == seconds(50)
    assert scene.word is word


def test_where_no_service_is_watched_the_first_step_that_is_not_over_is_said() -> None:
    steps = tuple(Step(title.lower(), title, HERE) for title in ("Switch", "Look"))
    scene = Scene(*CALM, trigger("errors", "m.rate > 0.05"), rollback_plan=steps).feed("0.2")
    say(scene, "execute").feed("0")
    for step in steps:
        assert f"to end: {step.title}" in scene.situation.verdict.reasons
        scene.say(StepEnded(scene.now, step.id, "primary", "done", "seen", "on_call", "d1"))
    assert scene.word is Word.ROLLED_BACK
    assert "every step of the rollback plan has ended" in scene.situation.verdict.reasons
    nothing = say(Scene(*CALM, trigger("errors", "m.rate > 0.05")).feed("0.2"), "execute").feed("0")
    assert "to end: the plan has no rollback step" in nothing.situation.verdict.reasons
