"""Readings kept from rehearsed nights (`nights.json`): a calm one whole, of each other what was not as in the calm one.

Read out of the records of `cockpit rehearse NAME --headless --keep FOLDER` at the moment the word turned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import PhaseBegan, Record, ReleaseSeen
from cockpit.decide.situation import Situation
from cockpit.plan.load import load_plan
from cockpit.plan.model import Phase, Plan
from probes.reading import Evidence, Reading, Reason, Unknown, Value

KEPT = json.loads(Path(__file__).with_name("nights.json").read_text(encoding="utf-8"))
NIGHTS: Mapping[str, Mapping[str, Any]] = KEPT["nights"]
OTHER_PLANS = {"alarm-before-start": "alarms"}
BEFORE = frozenset({"secrets-missing"})
"""Nights that are lost before the deployment begins."""
START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
CALM_FOR, LASTS = timedelta(minutes=1), timedelta(minutes=7)
PAUSE = timedelta(minutes=10)
POLL = timedelta(seconds=30)


@cache
def plan_of(name: str) -> Plan:
    path = Path(__file__).resolve().parents[2] / "checklists" / f"{name}.yaml"
    plan = load_plan(path, environ={}, require_environment=False)
    # As once its people have signed everything: what is left is what the probes see.
    sections = (
        replace(section, items=tuple(replace(item, sign_off=None) for item in section.items if item.expect is not None))
        for section in plan.checklist
    )
    return replace(plan, checklist=tuple(sections))


def situation_of(night: str, lasts: timedelta = LASTS, *, times: int = 1) -> Situation:
    """What the cockpit decides once the fault of a night has lasted so long, for the how-many-th time."""
    plan, now = plan_of(OTHER_PLANS.get(night, "transparent-trust")), START
    board, record = Board(plan, START), Record()
    record.append(
        ReleaseSeen(START, "transparent-trust-prod", "transparent-trust-web", "x/transparent-trust-web:1", "", "")
    )
    record.append(PhaseBegan(START, Phase.PRE_DEPLOY if night in BEFORE else Phase.POST_DEPLOY))
    faulty = NIGHTS[night]
    for number in range(times):
        pause = PAUSE if number else CALM_FOR
        if not any("hours" in kept for kept in faulty.values()):
            _feed(board, KEPT["calm"], now, pause, only=faulty)
        now += pause
        _feed(board, faulty, now, lasts, only=faulty)
        now += lasts
    for probe, kept in KEPT["calm"].items():
        if probe not in faulty and probe in plan.probes:
            board.add(probe, _reading(plan, probe, kept, now))
    return decide(plan, board, record, now)


def _feed(board: Board, kept: Mapping[str, Any], since: datetime, lasts: timedelta, only: Mapping[str, Any]) -> None:
    for poll in range(1, int(lasts / POLL) + 1):
        for probe in only:
            board.add(probe, _reading(board.plan, probe, kept[probe], since + poll * POLL))


def _reading(plan: Plan, probe: str, kept: Mapping[str, Any], at: datetime) -> Reading:
    spec = plan.probes[probe]
    data_at = at - timedelta(seconds=at.timestamp() % spec.period.total_seconds()) if spec.period else at
    values = {name: _value(held) for name, held in kept.get("values", {}).items()}
    reason, detail, hint = kept.get("blind", ("NO_DATA", "nothing there", ""))
    missing = {each.name for each in spec.fields} - values.keys()
    unknown = dict.fromkeys(missing, Unknown(Reason(reason), detail, hint))
    since = START - timedelta(hours=kept["hours"]) if "hours" in kept else None
    evidence = Evidence(lines=tuple(kept.get("lines", ())))
    return Reading(at, data_at, values, unknown, evidence, state_since=since)


def _value(held: Any) -> Value:
    if isinstance(held, list):
        return tuple(held)
    return datetime.fromisoformat(held["t"]) if isinstance(held, dict) else held
