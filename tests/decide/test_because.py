"""The words of one value, of how far a window is, and of what is against: as every screen and the report show them."""

from __future__ import annotations

import pytest
from decide.scene import CALM, START, Scene, item, seconds, success, trigger

from cockpit.decide.because import Explanation, Observed, Progress
from cockpit.decide.events import PhaseBegan, Record
from cockpit.decide.states import Check
from cockpit.plan.model import Criterion, Phase

PREPARED = PhaseBegan(START, Phase.PRE_DEPLOY)
RATE = Observed("errors.rate", 0.12, "12.0 %", limit="limit 5.0 %", against=True)
STABLE = Observed("service.is_stable", value=True, text="yes")
UNSTABLE = Observed("service.is_stable", value=False, text="no", limit="want yes", against=True)


@pytest.mark.parametrize(
    ("observed", "label", "shown"),
    [
        (RATE, "errors rate", "errors rate 12.0 % (limit 5.0 %)"),
        (STABLE, "service is stable", "service is stable"),
        (UNSTABLE, "service is stable", "service is stable no (want yes)"),
        (Observed("queue_depth.value", 7, "7"), "queue depth", "queue depth 7"),
        (Observed("m.rate", None, "unknown: THROTTLED"), "m rate", "m rate unknown: THROTTLED"),
    ],
)
def test_a_value_is_shown_by_its_probe_and_field_with_its_limit(observed: Observed, label: str, shown: str) -> None:
    assert (observed.label, observed.shown) == (label, shown)


def test_a_value_under_another_name_has_no_limit_and_what_is_simply_so_no_value() -> None:
    assert [each.named("x") for each in (RATE, STABLE, UNSTABLE)] == ["x 12.0 %", "x", "x no"]


@pytest.mark.parametrize(
    ("have", "need", "samples", "ratio"),
    [(150, 300, 5, 0.5), (600, 300, 9, 1.0), (0, 300, 0, 0.0), (0, 0, 3, 1.0), (0, 0, 2, 0.0)],
)
def test_a_window_is_as_far_as_what_it_has_of_what_it_needs(
    have: float, need: float, samples: int, ratio: float
) -> None:
    kind = "proven"
    assert Progress(kind, seconds(have), seconds(need), samples, min_samples=3).ratio == ratio


def test_of_an_explanation_what_is_against_is_shown_and_the_how_many_th_time_it_is() -> None:
    why = Explanation("errors high", observed=(RATE, STABLE, UNSTABLE), times=2)
    assert why.against == "errors rate 12.0 % (limit 5.0 %), service is stable no (want yes)"
    assert why.again == "second time"
    assert (Explanation("x").against, Explanation("x", times=1).again, Explanation("x").again) == ("", "", "")


def test_what_fails_over_a_list_comes_first_and_not_what_is_fine() -> None:
    scene = Scene(success("release", "m.running == 2 && m.tags.all(each, each == 'green')", hold_for=60))
    scene.feed("0.0x3")
    why = scene.situation.criteria[0].because
    assert why.against == "m tags blue"
    assert why.line.startswith("m tags blue, m running 2")


@pytest.mark.parametrize(
    ("window", "told"),
    [
        ({"min_samples": 2}, ", 1 of 2 samples"),
        ({"hold_for": 60, "min_samples": 1}, "; breached 0s of 1m"),
        ({"hold_for": 60}, "; breached 0s of 1m, 1 of 3 samples"),
    ],
)
def test_how_far_a_window_is_is_said_by_what_it_asks_for(window: dict[str, float], told: str) -> None:
    scene = Scene(*CALM, trigger("errors", "m.rate > 0.05", **window)).feed("0.2")
    assert scene.of("errors").because.line == f"m rate 20.0 % (limit 5.0 %){told}"


@pytest.mark.parametrize(
    ("made", "limit"),
    [
        (trigger("line", "m.rate > 0.05"), "limit 5.0 %"),
        (trigger("line", "m.rate >= 0.05"), "limit 5.0 %"),
        (trigger("line", "m.rate < 0.05"), "trips < 5.0 %"),
        (success("line", "m.rate < 0.05"), "limit 5.0 %"),
        (success("line", "m.rate <= 0.05"), "limit 5.0 %"),
        (success("line", "m.rate >= 0.05"), "want >= 5.0 %"),
        (trigger("line", "m.rate > 0.5 || (m.rate > 0.05 && !m.ok)"), "limit 50.0 %, limit 5.0 %"),
    ],
)
def test_a_value_has_each_of_its_limits_beside_it_as_what_it_is_not_to_pass_or_what_it_is_to_be(
    made: Criterion, limit: str
) -> None:
    why = Scene(*CALM, made).feed("0.01").of("line").because
    assert f"m rate 1.0 % ({limit})" in why.line
    assert why.observed[0].meaning == "share of failed requests"


def test_a_condition_that_is_written_on_several_lines_is_shown_on_one() -> None:
    scene = Scene(*CALM, trigger("errors", "m.rate > 0.05\n|| m.running < 1")).feed("0")
    assert scene.of("errors").because.condition == "m.rate > 0.05 || m.running < 1"


def test_a_checklist_item_says_what_it_needs_as_a_success_criterion_does() -> None:
    scene = Scene(
        *CALM, items=(item("few", "m.rate < 0.05"), item("tasks", "m.running >= 3")), record=Record([PREPARED])
    )
    scene.feed("0.2")
    assert scene.item("few").because.line == "m rate 20.0 % (limit 5.0 %)"
    assert scene.item("few").check is Check.FAIL
    assert scene.item("tasks").because.line == "m running 2 (want >= 3)"
