"""Whose time cannot be: what only keeps something from going on counts all the same, and clocks may differ a little."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from decide.scene import START, at

from cockpit.decide.events import (
    Acknowledgement,
    Decision,
    Entry,
    Occurrence,
    PhaseBegan,
    Proof,
    SignOff,
    StepBegan,
    StepEnded,
    Vote,
    Waiver,
)
from cockpit.decide.time_doubt import CLOCKS_DIFFER, holds_back, time_doubt
from cockpit.plan.model import Phase

TRIPS = (Occurrence(START, "errors"),)


@pytest.mark.parametrize(
    ("entry", "holds"),
    [
        (Vote(START, "gate", "ann", "on_call", "go"), False),
        (Vote(START, "gate", "ann", "on_call", "no-go"), True),
        (Vote(START, "gate", "ann", "on_call", "hold"), True),
        (SignOff(START, "vpn", "ann", "on_call", "seen", "d1"), False),
        (SignOff(START, "vpn", "ann", "on_call", "seen", "d1", retracted=True), True),
        (Waiver(START, "errors", "ann", "known", at(1)), False),
        (Waiver(START, "errors", "ann", "taken back", START), True),
        (Waiver(START, "errors", "ann", "taken back", at(-1)), True),
        (StepBegan(START, "run", "ann"), True),
        (StepEnded(START, "run", "ann", "open"), True),
        (StepEnded(START, "run", "ann", "failed"), True),
        (StepEnded(START, "run", "ann", "done"), False),
        (Decision(START, "execute", "ann", "by hand", answers=()), True),
        (Decision(START, "execute", "ann", "errors", answers=TRIPS), False),
        (Decision(START, "execute", "ann", "as earlier versions wrote it"), False),
        (Decision(START, "dismiss", "ann", "known", answers=()), False),
        (Acknowledgement(START, "errors", "ann", "known"), False),
        (PhaseBegan(START, Phase.POST_DEPLOY, "ann"), False),
    ],
)
def test_what_holds_back_and_what_lets_go_on(entry: Entry, holds: bool) -> None:
    assert holds_back(entry) is holds


@pytest.mark.parametrize("received", [None, START])
def test_nothing_is_of_the_future_by_more_than_clocks_differ(received: object) -> None:
    ahead = Vote(START + CLOCKS_DIFFER, "gate", "ann", "on_call", "go", proof=Proof(received=received))  # type: ignore[arg-type]
    later = START if received is None else START + timedelta(days=1)
    assert time_doubt(ahead, later) == ""
    doubt = time_doubt(replace(ahead, at=ahead.at + timedelta(seconds=1)), later)
    assert doubt == "it is dated in the future: 22:01:01"
