"""When a rollback will be called for, if nothing changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from decide.scene import CALM, Scene, at, reading, seconds, trigger

from cockpit.decide.events import PhaseBegan, Record, Waiver
from cockpit.decide.states import Word
from cockpit.plan.model import Criterion, Mode, Phase, Severity

BAD = "m.rate > 0.05"
CRITICAL = trigger("errors", BAD, hold_for=60)
MAJOR = trigger("major", BAD, hold_for=60, severity=Severity.MAJOR)
LATER = trigger("later", BAD, hold_for=90, severity=Severity.MAJOR)
TRIPPED = trigger("tripped", BAD, severity=Severity.MAJOR)
SHADOW = trigger("shadow", BAD, hold_for=60, mode=Mode.SHADOW)


@pytest.mark.parametrize(
    ("triggers", "turns_in"),
    [
        ((CRITICAL,), 45),
        ((CRITICAL, MAJOR, LATER), 45),
        ((MAJOR,), None),
        ((MAJOR, TRIPPED), 45),
        ((LATER, MAJOR), 75),
        ((SHADOW,), None),
        ((), None),
    ],
)
def test_one_critical_trigger_calls_or_the_second_of_two_major_ones(
    triggers: tuple[Criterion, ...], turns_in: float | None
) -> None:
    scene = Scene(*CALM, *triggers).feed("0.2x2")
    assert turning(scene) == (seconds(turns_in) if turns_in else None, Word.ROLLBACK if turns_in else None)


def test_what_is_waived_or_was_there_before_calls_for_none() -> None:
    waived = Scene(*CALM, CRITICAL).feed("0.2")
    waived.say(Waiver(waived.now, "errors", "ann", "known", at(900), "on_call", "d1"))
    assert turning(waived.feed("0.2")) == (None, None)
    old = Scene(*CALM, CRITICAL)
    old.board.add("m", reading(at(-15), {"rate": 0.2}))
    assert turning(old.feed("0.2x2")) == (None, None)


def test_before_the_deployment_there_is_nothing_to_roll_back() -> None:
    before = Record([PhaseBegan(at(0), Phase.PRE_DEPLOY)])
    assert turning(Scene(*CALM, CRITICAL, record=before).feed("0.2x2")) == (None, None)


def turning(scene: Scene) -> tuple[timedelta | None, Word | None]:
    verdict = scene.situation.verdict
    assert verdict.word is Word.HOLD
    return verdict.turns_in, verdict.turns_to
