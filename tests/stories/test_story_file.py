"""A story is read strictly: everything wrong with it at once, each with its place and what to write instead."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from cockpit.plan.load import PlanError
from cockpit.stories.story_file import Story, is_story, story_of
from cockpit.stories.story_schema import path, story_schema

CHECKLISTS = Path(__file__).parents[2] / "checklists"
HEAD = "story: v1\nplan: ../minimal.yaml\ntitle: T\n"
EXPECT = "expect: [{never: ROLLBACK}]\n"


def read(text: str) -> Story:
    return story_of(text, str(CHECKLISTS / "stories" / "s.yaml"))


def problems(text: str) -> list[str]:
    with pytest.raises(PlanError) as caught:
        read(text)
    return [f"{each.position.line}:{each.position.column} {each.path} {each.message}" for each in caught.value.problems]


def test_what_is_written_is_what_happens() -> None:
    story = read(
        HEAD
        + "begin: 2m\nhealthy: {site.latency_ms: 40}\ntimeline:\n"
        + "  - {at: 1m, blind: site.ok, reason: TIMEOUT, for: 30s}\n  - {at: 90s, late: service, by: 6m}\n"
        + "  - {at: 3m, flap: site.ok, to: false}\n"
        + "expect: [{by: 10m, verdict: ROLLBACK, because: site.down}]\n"
    )
    assert story.pinned == {"site.latency_ms": 40.0}
    blind, late, flap = story.timeline
    assert (blind.kind, blind.target, blind.reason, blind.lasts) == (
        "blind",
        "site.ok",
        "TIMEOUT",
        timedelta(seconds=30),
    )
    assert (late.by, flap.values) == (timedelta(minutes=6), {"site.ok": False})
    assert (story.first_phase, story.lasts) == ("pre_deploy", timedelta(minutes=11))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "timeline: [{at: 1m, trip: site.dwon}]\n",
            ["4:27 timeline[0].trip there is no 'site.dwon' in the plan; did you mean"],
        ),
        ("timeline: [{at: 1m, set: {site.okay: true}}]\n", ["probe 'site' has no field 'okay'; did you mean 'ok'?"]),
        (
            "timeline: [{at: 1m, set: {sight.ok: true}}]\n",
            ["there is no probe 'sight' in the plan; did you mean 'site'?"],
        ),
        ("timeline: [{at: 1m, set: {site.ok: 1}}]\n", ["4:36 timeline[0].set.site.ok must be true or false"]),
        ("timeline: [{at: 1m, set: {site.latency_ms: -4}}]\n", ["can never be: latency_ms lies between 0 and 5000"]),
        ("timeline: [{at: 1m, set: {service.running: 1.5}}]\n", ["must be a whole number"]),
        (
            "timeline: [{at: 1m, blind: site, reason: THROTTELD}]\n",
            ["is none of the known words; did you mean 'THROTTLED'?"],
        ),
        ("timeline: [{at: 1m, blind: site, late: site}]\n", ["exactly one thing happens in a line"]),
        ("timeline: [{at: 1m}]\n", ["exactly one thing happens in a line"]),
        ("timeline: [{at: 1m, late: site}]\n", ["late needs by"]),
        ("timeline: [{at: 1m, set: {site.ok: true}, by: 3m}]\n", ["'by' goes with late, not with set"]),
        ("timeline: [{at: 2m, mend: site}, {at: 1m, mend: site}]\n", ["is earlier than the line before"]),
        ("timeline: [{at: 1, mend: site}]\n", ["is not a duration"]),
        ("timeline: [{at: 1m, bind: site}]\n", ["there is no 'bind' here; did you mean 'blind'?"]),
        ("timline: []\n", ["there is no 'timline' here; did you mean 'timeline'?"]),
        ("begin: 2m\nphase: pre_deploy\n", ["begins the deployment, and phase is pre_deploy"]),
    ],
)
def test_what_is_wrong_has_its_place_and_a_hint(text: str, said: list[str]) -> None:
    found = problems(HEAD + text + EXPECT)
    assert len(found) == len(said)
    assert all(each in one for each, one in zip(said, found, strict=True)), found


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("{at: 1m}", "has no verdict, and no subject"),
        ("{verdict: GO}", "exactly one of at, by and never"),
        ("{by: 1m, verdict: GOO}", "did you mean 'GO'?"),
        ("{by: 1m, verdict: HOLD, because: site.heathy}", "did you mean 'site.healthy'?"),
        ("{by: 1m, subject: site.down, state: TRIPED}", "did you mean 'TRIPPED'?"),
        ("{by: 1m, subject: site.down}", "subject and state go together"),
        ("{never: GO, verdict: GO}", "never takes the verdict itself"),
    ],
)
def test_an_expectation_says_what_and_when(expect: str, said: str) -> None:
    (found,) = problems(HEAD + f"expect: [{expect}]\n")
    assert said in found


def test_everything_wrong_is_said_at_once() -> None:
    timeline = "timeline: [{at: 1m, trip: nix}, {at: 2m, mend: nope}]\n"
    assert len(problems(HEAD + timeline + "expect: [{by: 1m, verdict: GO, because: nobody}]\n")) == 3


def test_a_plan_that_is_not_there_or_not_valid_is_said(tmp_path: Path) -> None:
    assert "there is no file" in problems(HEAD.replace("minimal", "minmal") + EXPECT)[0]
    (tmp_path / "p.yaml").write_text("plan: v1\nname: p\n")
    with pytest.raises(PlanError) as caught:
        story_of("story: v1\nplan: p.yaml\ntitle: T\n" + EXPECT, str(tmp_path / "s.yaml"))
    assert str(tmp_path / "p.yaml") in str(caught.value)


def test_the_schema_beside_the_plans_is_current() -> None:
    assert path().read_text(encoding="utf-8") == story_schema(), "run `make schema`"
    assert {"plan", "timeline", "expect"} <= json.loads(story_schema())["properties"].keys()


def test_what_has_no_end_in_the_place_of_a_story_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zeros.yaml").symlink_to("/dev/zero")
    assert not any(is_story(tmp_path / name) for name in ("pipe.yaml", "zeros.yaml", "nothing.yaml"))
