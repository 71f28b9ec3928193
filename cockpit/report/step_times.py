"""The night as it stood when the record ended: the schedule, and what to expect of each step next time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from cockpit.decide.counted import Counted
from cockpit.decide.gate import gates
from cockpit.decide.readings import Readings
from cockpit.decide.schedule import Seen, schedule
from cockpit.decide.situation import Verdict
from cockpit.decide.states import Word
from cockpit.decide.steps import steps
from cockpit.decide.timing import Schedule
from cockpit.plan.model import Phase, Plan
from cockpit.plan.step_graph import StepGraphs
from cockpit.report.model import NightAccount, StateChange

OFF = 0.1
"""By how much of what was planned a step may be off before another duration is suggested."""
_ROUND = timedelta(minutes=5)


def at_the_end(plan: Plan, record: Counted, now: datetime, word: str) -> Schedule | None:
    """The schedule by the record alone, without what was read: nothing is under way any more."""
    began = record.phase()
    phase = began.phase if began else Phase.POST_DEPLOY
    verdict = Verdict(Word(word) if word in set(Word) else Word.HOLD, now, phase, ())
    there, back = (steps(listed, record, now) for listed in (plan.runbook, plan.rollback_plan))
    seen = Seen(there, back, gates(plan, record, now), verdict, ())
    return schedule(plan, StepGraphs.of(plan), record, Readings(plan.probes), seen, now)


def night_account(found: Schedule | None, turns: Sequence[StateChange]) -> NightAccount | None:
    """The window and the way back; None without a window."""
    if found is None or found.window is None:
        return None
    back = found.back
    return NightAccount(
        found.window.begins,
        found.window.ends,
        found.time_zone,
        back.moment if back else None,
        back.takes if back else None,
        back.reserve if back else timedelta(0),
        str(back.fit) if back else "",
        tuple(turns),
    )


def expect_next(planned: timedelta | None, took: timedelta | None) -> timedelta | None:
    """What to write as `expected`, in whole five minutes once it is that long; None where what the plan says was right.

    >>> minute = timedelta(minutes=1)
    >>> [str(expect_next(30 * minute, took * minute)) for took in (32, 52, 4)]
    ['None', '0:55:00', '0:04:00']
    """
    if took is None or took <= timedelta(0):
        return None
    if planned is not None and abs(took - planned) <= max(OFF * planned, timedelta(minutes=1)):
        return None
    unit = _ROUND if took >= _ROUND else timedelta(minutes=1)
    return math.ceil(took / unit) * unit
