"""What estimates rest on, and when the night ends, as people read it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from decide.scene import at

from cockpit.decide.counted import Counted
from cockpit.decide.estimates import measured
from cockpit.decide.events import PhaseBegan, StepMeasured
from cockpit.decide.timing import NightEnd
from cockpit.plan.change_window import Opening
from cockpit.plan.model import Phase

WINDOW = Opening(at(0), at(6 * 3600))


@pytest.mark.parametrize(
    ("times", "rehearsed", "shortest", "longest", "told"),
    [
        (1, 0, 600, 600, "done 1 time before, 10m"),
        (3, 0, 600, 1200, "done 3 times before, 10m to 20m"),
        (3, 2, 600, 1200, "done 3 times before, 2 rehearsed, 10m to 20m"),
        (2, 2, 600, 600, "rehearsed 2 times, 10m"),
    ],
)
def test_what_earlier_records_show(times: int, rehearsed: int, shortest: int, longest: int, told: str) -> None:
    assert measured(StepMeasured(at(0), "deploy", times, rehearsed, shortest, 700, longest)) == told


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (NightEnd(at(3600), at(3600), at(3600)), "ends 23:00"),
        (NightEnd(at(3600), at(3600), at(3600), ("Watch",)), "ends 23:00 or later"),
        (NightEnd(at(3000), at(3600), at(4200)), "ends 23:00 (22:50 to 23:10)"),
        (NightEnd(at(3000), at(3600), at(4200), ("Watch",)), "ends 23:00 (22:50 to 23:10 or later)"),
        (NightEnd(at(3600), at(3600), at(3600), ("Watch",), over=True), "ended 23:00"),
        (NightEnd(at(3000), at(3600), at(4200), over=True), "ended 23:00"),
    ],
)
def test_the_end_of_the_night(end: NightEnd, told: str) -> None:
    assert end.line(None) == told
    assert end.line(WINDOW) == f"{told}, 5h before the window ends"


def test_the_deployment_began_when_its_phase_was_first_stated_since_it_was_prepared() -> None:
    phases = [
        PhaseBegan(at(minute * 60), phase)
        for minute, phase in enumerate(
            [Phase.POST_DEPLOY, Phase.PRE_DEPLOY, Phase.POST_DEPLOY, Phase.POST_DEPLOY, Phase.PRE_DEPLOY]
        )
    ]
    began = [Counted(by_kind={PhaseBegan: list(phases[:count])}).deployment_began() for count in range(6)]
    assert began == [None, at(0), None, at(120), at(120), None]
    earlier = PhaseBegan(at(60), Phase.POST_DEPLOY)
    assert Counted(by_kind={PhaseBegan: [phases[2], earlier]}).deployment_began() == at(120) - timedelta(minutes=1)
