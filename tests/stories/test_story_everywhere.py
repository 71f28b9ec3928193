"""Whatever happens in a story: live, replayed from its record, tested and decided at every step it comes to the same changes."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from cockpit.commands.story_outcome import outcome_of
from cockpit.decide.events import Change, Record
from cockpit.engine.headless import watch_until
from cockpit.engine.recording import recording
from cockpit.plan.load import load_plan
from cockpit.plan.model import VERDICT, Plan
from cockpit.replay.player import play_through as replayed
from cockpit.replay.trace import trace_of
from cockpit.stories.played_watch import STEP
from cockpit.stories.story_clock import BEGINS, StoryClock
from cockpit.stories.story_file import Story, load_story
from cockpit.stories.story_run import play_through, run_with

EXAMPLES = int(os.environ.get("EXAMPLES", "4"))
"""`EXAMPLES=300 pytest tests/stories/test_story_everywhere.py` for a longer look."""
CHECKLISTS = Path(__file__).parents[2] / "checklists"
PLANS = ("minimal", "alarms", "orders", "quiet-night")
LASTS_S = 15 * 60
REASONS = ("THROTTLED", "TIMEOUT", "ACCESS_DENIED", "NO_DATA", "LOW_VOLUME", "UNREACHABLE")


@dataclass(frozen=True)
class Changed:
    """What a change says."""

    subject: str
    before: str
    after: str
    because: str


@cache
def plan_of(name: str) -> Plan:
    return load_plan(CHECKLISTS / f"{name}.yaml", environ={}, require_environment=False)


def deeds_of(plan: Plan) -> st.SearchStrategy[dict[str, Any]]:
    """Anything a story can do to this plan's probes and criteria."""
    minutes = st.integers(1, 6).map(lambda n: f"{n}m")
    probes = st.sampled_from(list(plan.probes))
    lines = [item.id for _, item in plan.items() if item.expect is not None]
    kinds = [
        st.fixed_dictionaries({"trip": st.sampled_from([each.id for each in plan.rollback_triggers])}),
        st.fixed_dictionaries({"fail": st.sampled_from([*(each.id for each in plan.success_criteria), *lines])}),
        st.fixed_dictionaries({"blind": probes, "reason": st.sampled_from(REASONS), "for": minutes}),
        st.fixed_dictionaries({"late": probes, "by": minutes}, optional={"for": minutes}),
        st.fixed_dictionaries({"flap": probes, "every": st.integers(20, 180).map(lambda n: f"{n}s")}),
        st.fixed_dictionaries({"mend": probes}),
    ]
    return st.one_of(kinds)


@st.composite
def stories(draw: st.DrawFn) -> dict[str, Any]:
    """A story as its file holds it: faults, the phase it begins in, and whether its people do anything."""
    name = draw(st.sampled_from(PLANS))
    moments = st.integers(0, LASTS_S)
    happens = draw(st.lists(st.tuples(moments, deeds_of(plan_of(name))), min_size=1, max_size=5))
    file = {
        "story": "v1",
        "plan": str(CHECKLISTS / f"{name}.yaml"),
        "title": "Generated",
        "lasts": f"{LASTS_S}s",
        "people": draw(st.sampled_from(["play", "silent"])),
        "timeline": [deed | {"at": f"{at}s"} for at, deed in sorted(happens, key=itemgetter(0))],
        "expect": [{"by": "1s", "verdict": "GO"}],
    }
    begin = st.integers(1, 400).map(lambda at: {"begin": f"{at}s"})
    return file | draw(st.sampled_from([{}, {"phase": "pre_deploy"}]) | begin)


async def live_and_replayed(story: Story, root: Path) -> tuple[list[Change], list[Change], list[Any]]:
    """The changes of a watch that runs by itself and is recorded; those of its record, played again; where the two differ."""
    clock = StoryClock(BEGINS, speed=1e7)
    async with recording(story.plan, clock, root=root, new=True, rehearsal=True) as kept:
        run = run_with(story, clock, kept.record)
        kept.attach(run.watch)
        run.director.begin()
        await watch_until(run.watch, lambda _: run.elapsed >= story.lasts)
        live = list(run.watch.changes())
    _, again, differences = replayed(trace_of(kept.folder))
    return live, list(again), list(differences)


def at_every_step(story: Story) -> list[Change]:
    run = run_with(story, StoryClock(BEGINS), Record(rehearsal=True), rest=STEP)
    run.director.begin()
    while run.elapsed < story.lasts:
        run.watch.step()
    return list(run.watch.changes())


def by_step(changes: Sequence[Change], lasts: timedelta) -> list[tuple[int, Changed]]:
    """The changes within a story, by the step they came in, and in it by subject."""
    found = [
        ((each.at - BEGINS) // STEP, Changed(each.subject, str(each.before), str(each.after), each.because))
        for each in changes
        if each.at - BEGINS <= lasts
    ]
    return sorted(found, key=lambda one: (one[0], one[1].subject))


LAPSES_ON_A_STEP = {
    "story": "v1",
    "plan": str(CHECKLISTS / "quiet-night.yaml"),
    "title": "What is late lapses in the very moment of a step",
    "lasts": "550s",
    "timeline": [
        {"at": "27s", "flap": "response", "every": "71s"},
        {"at": "222s", "late": "site", "by": "2m", "for": "3m"},
        {"at": "309s", "late": "errors", "by": "4m"},
    ],
    "expect": [{"by": "1s", "verdict": "GO"}],
}


@example(LAPSES_ON_A_STEP)
@settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(stories())
def test_a_story_live_replayed_tested_and_decided_at_every_step_changes_alike(file: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated.yaml"
        path.write_text(json.dumps(file))
        story = load_story(str(path), {})
        tested = play_through(story)
        live, again, differences = asyncio.run(live_and_replayed(story, Path(folder) / "records"))
        shown = outcome_of(str(path), {})
    wanted = by_step(tested.changes, story.lasts)
    assert by_step(live, story.lasts) == wanted
    assert by_step(again, story.lasts) == wanted
    assert differences == []
    assert by_step(at_every_step(story), story.lasts) == wanted
    turns = [(at, one.after, one.because) for at, one in wanted if one.subject == VERDICT]
    assert [(int(at_s // STEP.total_seconds()), word, why) for at_s, word, why in shown.verdicts] == turns
