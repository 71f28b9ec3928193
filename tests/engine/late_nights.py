"""Nights in which a metric is late: a real probe on a CloudWatch that fills up, a compiled plan, and what is decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from types import MappingProxyType
from typing import Any

import yaml
from support.aws.filling import MINUTE, OF_A_BALANCER, START, Filling, Shown

from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import PhaseBegan, Record
from cockpit.decide.settle import settle
from cockpit.decide.situation import CriterionStatus
from cockpit.plan.load import load_text
from cockpit.plan.model import Phase, Plan
from probes.reading import Reading

STEP = timedelta(seconds=30)
"""How far apart it is decided."""


NOTHING: Mapping[str, Any] = MappingProxyType({})


def plan_with(
    uses: str,
    given: Mapping[str, Any],
    good: str,
    bad: str,
    of_both: Mapping[str, Any] = NOTHING,
    of_trigger: Mapping[str, Any] = NOTHING,
) -> Plan:
    """One probe `m`, a success criterion `fine` and a rollback trigger `broken` over it."""
    text = yaml.safe_dump(
        {
            "plan": "v1",
            "name": "late",
            "probes": {"m": {"uses": uses, "with": dict(given)}},
            "success_criteria": [{"id": "fine", "title": "fine", "success_condition": good, **of_both}],
            "rollback_triggers": [
                {"id": "broken", "title": "broken", "failure_condition": bad, **of_both, **of_trigger}
            ],
        }
    )
    return load_text(text, "late.yaml")


@dataclass
class Night:
    """Polled once a minute, `past_s` past it, and decided twice a minute; its phase began at `began`."""

    world: Filling
    plan: Plan
    past_s: float = 4.0
    words: list[str] = field(default_factory=list)
    seen: list[tuple[CriterionStatus, CriterionStatus]] = field(default_factory=list)
    """Of `fine` and `broken`, at each decision."""
    readings: list[Reading] = field(default_factory=list)
    record: Record = field(default_factory=Record)
    now: datetime = START
    began: datetime = START - 60 * MINUTE

    async def live(self, minutes: int) -> None:
        """So much longer, with a probe and a board of its own: as a cockpit that has just been opened."""
        board = Board(self.plan, self.now)
        if not self.record.all(PhaseBegan):
            self.record.append(PhaseBegan(self.began, Phase.POST_DEPLOY))
        situation = decide(self.plan, board, self.record, self.now)
        for _ in range(minutes):
            polled = START + MINUTE * round((self.now - START) / MINUTE) + timedelta(seconds=self.past_s)
            reading = await self.world.read_at(polled)
            self.readings.append(reading)
            board.add("m", reading)
            for step in range(2):
                at = polled + step * STEP
                situation, _ = settle(self.plan, board, self.record, situation, at)
                self.words.append(str(situation.verdict.word))
                self.seen.append((situation.criterion("fine"), situation.criterion("broken")))
            self.now += MINUTE

    def states(self, which: int) -> list[str]:
        """Each state once, in order: of `fine` (0) or `broken` (1)."""
        return [word for word, _ in groupby(str(each[which].state) for each in self.seen)]

    def whys(self, which: int) -> Iterator[str]:
        for each in self.seen:
            if (why := each[which].unknown) is not None:
                yield f"{why.reason}: {why.detail}: {why.hint}"


def errors_of(shown: Mapping[str, Shown], past_s: float, limit: str, of_both: Mapping[str, Any] = NOTHING) -> Night:
    """The share of failed requests, against a limit."""
    plan = plan_with("cloudwatch.ratio", OF_A_BALANCER, f"m.rate <= {limit}", f"m.rate > {limit}", of_both)
    return Night(Filling(shown), plan, past_s)
