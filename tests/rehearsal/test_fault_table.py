"""One fault at a time in a world where all is well: exactly what has to turn turns. What is seen is kept in docs/faults.md.

Write the table again after a change: `make faults`.
"""

from __future__ import annotations

import asyncio
import operator
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import faults_of_aws
import faults_of_others
import pytest
import pytest_asyncio
from fault_world import FAULTS, Fault, World
from one_round import Rounds, rounds

from cockpit.conditions.condition import Comparison, Condition, Outcome
from probes.reading import Reading, Reason, Value

pytestmark = [pytest.mark.world, pytest.mark.asyncio(loop_scope="module")]
TABLE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
LIVED = timedelta(minutes=9)
PAST = ("logs.query", "cloudwatch.ratio", "cloudwatch.percentile", "s3.uploads")
"""Probes of minutes gone by: while the world's time stands still they say the same, unless a fault is about them."""
_GOOD = {"item": True, "success": True, "trigger": False, "guard": False}
_WORDS = {"item": "FAIL", "success": "NOT MET", "trigger": "TRIPS", "guard": "PAUSES"}
_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
HEAD = """\
# What turns when one thing is wrong

Each line is one fault made in the rehearsed world (simulated AWS, real PostgreSQL, real files, certificates and endpoints) while
everything else is well, and what the shipped plan's probes then say, read once. An item FAILs, a success criterion is NOT MET, a
rollback trigger TRIPS once its time has passed, a guard PAUSES the file migration; UNKNOWN is never healthy. Nothing else turns.
Written by a test; `make faults` writes it again.

| Fault | What turns | State | Because |
|---|---|---|---|
"""
__all__ = ["faults_of_aws", "faults_of_others"]


@dataclass(frozen=True, slots=True)
class Turned:
    """One item, criterion or guard that is not as it was."""

    id: str
    state: str
    because: str


@dataclass(frozen=True, slots=True)
class Well:
    """Everything judged while all is well."""

    kinds: Mapping[str, str]
    conditions: Mapping[str, Condition]
    readings: Mapping[str, Reading]


class Table:
    """The world in which one fault after the other is made, and what each turned. It starts once, for all of them."""

    def __init__(self, round_: Rounds) -> None:
        self._round = round_
        self._world = World(round_.house, os.environ["AWS_ENDPOINT_URL"], round_.clock.now())
        self.well = Well(
            {id_: kind for kind, id_, _ in round_.judged()},
            {id_: condition for _, id_, condition in round_.judged()},
            dict(round_.readings),
        )
        self._seen: dict[str, list[Turned]] = {}

    async def turned(self, fault: Fault) -> list[Turned]:
        """What it turns; each fault is made once."""
        if fault.title not in self._seen:
            self._seen[fault.title] = await turned(fault, self._world, self._round, self.well)
        return self._seen[fault.title]

    async def bad_now(self) -> dict[str, Outcome]:
        """What is not as it should be, whatever was made and mended before."""
        await self._round.look()
        return bad(self.well, self._round.outcomes())

    async def text(self) -> str:
        return table([(fault, await self.turned(fault)) for fault in FAULTS])

    def close(self) -> None:
        self._world.close()


@asynccontextmanager
async def living(folder: Path) -> AsyncIterator[Table]:
    """A table over a world of its own, in which all is well."""
    with mock.patch.dict(os.environ):
        async with rounds(folder) as round_:
            await round_.live(LIVED, speed=150.0)
            await round_.look()
            made = Table(round_)
            try:
                assert bad(made.well, round_.outcomes()) == {}
                yield made
            finally:
                made.close()


async def turned(fault: Fault, world: World, round_: Rounds, well: Well) -> list[Turned]:
    past = [name for name, spec in round_.plan.probes.items() if spec.uses in PAST]
    async with fault.made(world):
        await round_.look(None if fault.past else [name for name in round_.plan.probes if name not in past])
    values = dict(round_.readings)
    told = [
        Turned(id_, state(well.kinds[id_], outcome), "; ".join(why(well.conditions[id_], well.readings, values)))
        for id_, outcome in bad(well, round_.outcomes()).items()
    ]
    if fault.past:
        await round_.look(past)
    return told


def bad(well: Well, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    return {id_: outcome for id_, outcome in outcomes.items() if outcome.truth is not _GOOD[well.kinds[id_]]}


def state(kind: str, outcome: Outcome) -> str:
    return "UNKNOWN" if outcome.truth is None else _WORDS[kind]


def why(condition: Condition, before: Mapping[str, Reading], now: Mapping[str, Reading]) -> Iterator[str]:
    """The fields that are not as they were, in words that are the same in every run."""
    compared = {each.path: each for each in condition.comparisons}
    for probe, name in condition.paths:
        path, old, new = f"{probe}.{name}", before[probe].values.get(name), now[probe].values.get(name)
        if name in now[probe].unknown:
            reason = now[probe].unknown[name].reason
            if name not in before[probe].unknown and reason is not Reason.NO_DATA:
                yield f"{path} is unknown: {reason}"
        elif path in compared:
            if holds(compared[path], old) is not holds(compared[path], new):
                number = f" ({new})" if isinstance(new, int) else ""
                yield f"{path} {'is' if holds(compared[path], new) else 'is not'} {said(compared[path])}{number}"
        elif new != old:
            yield f"{path} is {'yes' if new is True else 'no' if new is False else new}"


def holds(comparison: Comparison, value: Value | None) -> bool:
    return bool(_TESTS[comparison.operator](value, comparison.literal))


def said(comparison: Comparison) -> str:
    literal = comparison.literal
    return f"{comparison.operator} {literal:g}" if isinstance(literal, float) else f"{comparison.operator} {literal!r}"


def table(seen: list[tuple[Fault, list[Turned]]]) -> str:
    lines = [
        f"| {fault.title if first else ''} | `{one.id}` | {one.state} | {one.because} |"
        for fault, all_ in seen
        for first, one in zip([True] + [False] * len(all_), all_, strict=False)
    ]
    return HEAD + "\n".join(lines) + "\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def faults(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Table]:
    async with living(tmp_path_factory.mktemp("world") / "w") as made:
        yield made


async def test_there_are_faults_enough_and_each_has_a_name_of_its_own() -> None:
    assert len(FAULTS) >= 40
    assert len({fault.title for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title)
async def test_a_fault_turns_exactly_what_it_should(faults: Table, fault: Fault) -> None:
    assert {one.id for one in await faults.turned(fault)} == set(fault.turns)


async def test_the_kept_table_is_what_is_seen(faults: Table) -> None:
    assert TABLE.read_text(encoding="utf-8") == await faults.text(), f"write it again: {__doc__}"


async def test_every_fault_is_mended_without_a_trace(faults: Table) -> None:
    await faults.text()
    assert await faults.bad_now() == {}


async def written() -> str:
    with tempfile.TemporaryDirectory() as place:
        async with living(Path(place) / "w") as made:
            return await made.text()


if __name__ == "__main__":
    TABLE.write_text(asyncio.run(written()), encoding="utf-8")
