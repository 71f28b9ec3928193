"""A Situation printed, and as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from cockpit.conditions.condition import compile_condition
from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import Record
from cockpit.plan.model import Criterion, Kind, Plan, ProbeSpec
from cockpit.plan.position import Position
from cockpit.report.formats.situation_json import situation_json
from cockpit.report.formats.situation_text import situation_text
from probes.reading import Field, Reading

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HERE = Position("plan.yaml", 1)
PROBE = ProbeSpec(
    "errors",
    "http.health",
    {},
    timedelta(seconds=15),
    timedelta(seconds=5),
    HERE,
    fields=(Field("rate", float, "", 0.1, "ratio"),),
)


def plan() -> Plan:
    def criterion(name: str, kind: Kind, condition: str) -> Criterion:
        return Criterion(name, name, kind, compile_condition(condition), HERE)

    return Plan(
        name="p",
        title="p",
        environment="staging",
        path="plan.yaml",
        digest="0" * 64,
        probes={"errors": PROBE},
        success_criteria=(criterion("quiet", Kind.SUCCESS, "errors.rate <= 0.05"),),
        rollback_triggers=(criterion("loud", Kind.TRIGGER, "errors.rate > 0.05"),),
    )


def test_text_names_the_verdict_the_value_and_the_limit() -> None:
    board = Board(plan(), NOW)
    decide(board.plan, board, Record(), NOW)
    board.add("errors", Reading(NOW, NOW, {"rate": 0.12}))
    text = situation_text(decide(board.plan, board, Record(), NOW))
    assert text.startswith("✗ ROLLBACK")
    assert "errors rate 12.0 % (limit 5.0 %)" in text


def test_json_carries_the_verdict_its_exit_code_and_every_criterion() -> None:
    board = Board(plan(), NOW)
    found = json.loads(situation_json(decide(board.plan, board, Record(), NOW)))
    assert found["verdict"]["word"] == "HOLD"
    assert found["verdict"]["exit_code"] == 3
    assert [c["id"] for c in found["criteria"]] == ["quiet", "loud"]
    assert found["criteria"][0]["unknown"]["reason"] == "WARMING"
