"""decide() for 40 and 1,000 criteria, each with ten minutes of history. Budget: 1,000 criteria under 20 ms of the processor."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime, timedelta

from bench.spread import spread

from cockpit.conditions.condition import compile_condition
from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import Record
from cockpit.plan.model import Criterion, Kind, Plan, ProbeSpec
from cockpit.plan.position import Position
from probes.reading import Field, Reading

START = datetime(2026, 1, 1, tzinfo=UTC)
HERE = Position("bench.yaml", 1)
FIELDS = (Field("rate", float, "share of failed requests", 0.01, "ratio"), Field("running", int, "tasks", 2, "count"))


def plan_of(criteria: int) -> Plan:
    probes = {
        f"p{n}": ProbeSpec(f"p{n}", "bench", {}, timedelta(seconds=15), timedelta(seconds=5), HERE, fields=FIELDS)
        for n in range(max(1, criteria // 10))
    }
    names = list(probes)
    made = [
        Criterion(
            f"c{n}",
            f"criterion {n}",
            Kind.TRIGGER if n % 2 else Kind.SUCCESS,
            compile_condition(f"{names[n % len(names)]}.rate {'>' if n % 2 else '<='} 0.{n % 90 + 10}"),
            HERE,
            hold_for=timedelta(minutes=5),
            min_samples=3,
        )
        for n in range(criteria)
    ]
    return Plan(
        name="bench",
        title="bench",
        environment="bench",
        path="bench.yaml",
        digest="0" * 64,
        probes=probes,
        success_criteria=tuple(c for c in made if c.kind is Kind.SUCCESS),
        rollback_triggers=tuple(c for c in made if c.kind is Kind.TRIGGER),
    )


def fill(board: Board, seconds: int) -> datetime:
    now = START
    for second in range(0, seconds, 15):
        now = START + timedelta(seconds=second)
        for name in board.plan.probes:
            board.add(name, Reading(now, now, {"rate": (second % 100) / 1000, "running": 2}))
    return now


def spent_ms(criteria: int, rounds: int = 15) -> list[float]:
    plan = plan_of(criteria)
    board = Board(plan, START)
    decide(plan, board, Record(), START)
    now = fill(board, 600)
    spent = []
    for n in range(rounds):
        now += timedelta(seconds=1)
        board.add("p0", Reading(now, now, {"rate": 0.01 * n, "running": 2}))
        began = time.process_time()
        decide(plan, board, Record(), now)
        spent.append((time.process_time() - began) * 1000)
    return spent


def main() -> None:
    small, large = spent_ms(40), spent_ms(1000)
    print(f"decide(): 40 criteria {spread(small, 'ms', 2)}; 1,000 criteria {spread(large, 'ms', 2)} (budget 20 ms)")
    ratio = statistics.median(large) / statistics.median(small)
    print(f"ratio 1,000 / 40: {ratio:.1f} for 25 times the criteria")


if __name__ == "__main__":
    main()
