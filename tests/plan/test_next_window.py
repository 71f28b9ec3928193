"""When the change window is open next, said before the night: by its own clocks, and that it is over where it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from support.plans.written_plan import own_probes, plan

from cockpit.plan.summary import next_window

__all__ = ["own_probes"]
JUDGED = """\
success_criteria: [{id: s, title: S, success_condition: live.running > 0, for: 5m}]
rollback_triggers: [{id: t, title: T, failure_condition: live.running < 1}]
"""
ONCE = 'window: {from: "2026-03-07T22:00", to: "2026-03-08T04:00", time_zone: America/New_York}\n'
WEEKLY = 'window: {days: [sat], from: "22:00", to: "04:00", time_zone: UTC}\n'


def said(window: str, now: datetime) -> str:
    return " ".join(" ".join(next_window(plan(JUDGED + window), now)).split())


@pytest.mark.parametrize(
    ("window", "now", "line"),
    [
        (
            ONCE,
            datetime(2026, 3, 5, 3, tzinfo=UTC),
            "window opens in 3d: Sat 2026-03-07 22:00 to 04:00 America/New_York",
        ),
        (
            ONCE,
            datetime(2026, 3, 8, 3, tzinfo=UTC),
            "window is open now: Sat 2026-03-07 22:00 to 04:00 America/New_York",
        ),
        (
            ONCE,
            datetime(2026, 3, 10, 8, tzinfo=UTC),
            "window over it ended 2d ago, and is not open again: Sat 2026-03-07 22:00 to 04:00 America/New_York",
        ),
        (WEEKLY, datetime(2026, 3, 8, 4, tzinfo=UTC), "window opens in 6d18h: Sat 2026-03-14 22:00 to 04:00 UTC"),
        ("", datetime(2026, 3, 8, 4, tzinfo=UTC), ""),
    ],
)
def test_it_is_said_by_the_clocks_of_the_window(window: str, now: datetime, line: str) -> None:
    assert said(window, now) == line
