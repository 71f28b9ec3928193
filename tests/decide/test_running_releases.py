"""What each watched service runs now, and what was noted of it before its deployment."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from decide.scene import CALM, START, Scene, at, probe, reading
from decide.test_occasions import BEFORE, ECS

from cockpit.decide.events import Entry, PhaseBegan, Record
from cockpit.decide.situation import ServiceRelease
from cockpit.plan.model import Phase
from probes.reading import Field, Value

RUNS = replace(
    ECS,
    fields=(
        *ECS.fields,
        Field("digests", tuple, "of its images", ("sha256:1",)),
        Field("created_at", datetime, "when its deployment began", START),
    ),
)


def watched(*noted: Entry) -> Scene:
    record = Record([*noted, PhaseBegan(START, Phase.POST_DEPLOY)])
    return Scene(*CALM, probes=(probe("m"), probe("n"), RUNS), record=record).tick()


def test_a_release_is_all_that_is_seen_of_it_and_all_that_was_noted() -> None:
    scene = watched(BEFORE)
    values: dict[str, Value] = {"task_definition": "a:task-definition/web:42", "digests": ("sha256:2", "sha256:3")}
    scene.board.add("svc", replace(reading(scene.now), values=values | {"created_at": at(-60)}))
    (release,) = scene.tick().situation.releases
    noted = "web:41", ("sha256:1",), START
    assert release == ServiceRelease("c", "web", "web:42", ("sha256:2", "sha256:3"), at(-60), *noted)


def test_of_what_nobody_read_and_nobody_noted_nothing_is_said() -> None:
    assert watched().situation.releases == (ServiceRelease("c", "web", ""),)
