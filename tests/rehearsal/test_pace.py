"""A slow read slows the rehearsal's clock; it never makes what is read look late."""

from __future__ import annotations

import pytest

from cockpit.rehearsal.process.pace import PATIENCE, Pace

STEP = 0.001


@pytest.mark.parametrize("asked", [1.0, 10.0, 30.0, 60.0, 90.0])
def test_a_read_costs_the_cutover_no_more_than_patience_and_its_own_time(asked: float) -> None:
    waited = [0.0]
    pace = Pace(None, asked, lambda: waited[0])  # type: ignore[arg-type]  # the clock is not driven here
    spent = 0.0
    for _ in range(20_000):
        spent += pace.speed() * STEP
        waited[0] += STEP
        assert spent <= PATIENCE + waited[0] + asked * STEP
    assert pace.speed() == 1.0


@pytest.mark.parametrize("asked", [10.0, 30.0, 90.0])
def test_reads_that_are_quick_enough_cost_no_speed(asked: float) -> None:
    assert Pace(None, asked, lambda: PATIENCE / 2 / asked).speed() == asked  # type: ignore[arg-type]
