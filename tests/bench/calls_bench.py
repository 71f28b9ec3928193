"""Calls of AWS per reading and per minute, by probe of the complete plan, for an account with 1,000 of everything.

Every list that AWS gives in pages has 1,000 entries here, unless they are asked for by name; answers are made from botocore's own
models. So the figures are budgets, not times: a reading must cost a handful of calls whatever the size of the account.
"""

from __future__ import annotations

import asyncio
import collections
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import botocore.session
from botocore.model import ListShape, OperationModel, Shape, StructureShape
from support.aws.modelled import NOW, ModelledAws
from support.aws.probe_calls import MODULES, calls

from cockpit.commands.simulated_plans import shipped
from cockpit.plan.load import load_plan
from probes.demand import AWS_ALONE
from probes.registry import find

EVERYTHING = 1000
TOKENS = ("NextToken", "nextToken", "Marker", "NextMarker")
PAGE = {
    "LookupEvents": 50,
    "DescribeLogGroups": 50,
    "DescribeMetricFilters": 50,
    "GetMetricData": 500,
    "ListMetrics": 500,
}
"""What one page holds where it is not 100 and nobody asks for a number."""
PREFERRED = ("ACTIVE", "available", "COMPLETED", "Complete", "OK", "ISSUED", "healthy", "RUNNING")
DEEPEST = 6
READINGS = 4


class Crowd(dict[str, Any]):
    """What an account with 1,000 of everything answers to any operation the probes ask."""

    def __init__(self) -> None:
        super().__init__()
        session = botocore.session.get_session()
        self._models: dict[str, OperationModel] = {}
        for service in {service for module in MODULES for service, _, _ in calls(module)} | {"ecr", "s3"}:
            model = session.get_service_model(service)
            self._models.update({name: model.operation_model(name) for name in model.operation_names})

    def __missing__(self, operation: str) -> Any:
        return lambda asked: answer(self._models[operation], asked)


def answer(model: OperationModel, asked: Mapping[str, Any]) -> dict[str, Any]:
    shape = model.output_shape
    if shape is None:
        return {}
    told = next((name for name in TOKENS if name in shape.members), "")
    sent = next((name for name in TOKENS if name in model.input_shape.members), "")
    lists = [name for name, member in shape.members.items() if member.type_name == "list"]
    size = int(asked.get("MaxResults") or asked.get("MaxRecords") or PAGE.get(model.name, 100))
    page = int(asked.get(sent) or 0)
    named = [len(value) for name, value in asked.items() if name.endswith(("Ids", "Names", "Arns"))]
    there = min([_since(asked), *named])
    made = {}
    for name, member in shape.members.items():
        if name in TOKENS:
            continue
        listed = told and sent and name in lists[:1]
        numbers = range(page * size, min((page + 1) * size, there)) if listed else range(1)
        made[name] = sample(member, name, asked, numbers=numbers)
    if told and sent and page + 1 < math.ceil(there / size):
        made[told] = str(page + 1)
    return made


def _since(asked: Mapping[str, Any]) -> int:
    """How many there are of what AWS filters by time itself: what happens happens once an hour."""
    after = (asked.get("createdAt") or {}).get("after")
    return EVERYTHING if after is None else min(EVERYTHING, math.ceil((NOW - after) / timedelta(hours=1)))


def sample(shape: Shape, name: str, asked: Mapping[str, Any], *, numbers: range = range(1), depth: int = 0) -> Any:
    if isinstance(shape, StructureShape) and depth < DEEPEST:
        return {key: sample(each, key, asked, depth=depth + 1) for key, each in shape.members.items()}
    if isinstance(shape, ListShape) and depth < DEEPEST:
        return [sample(shape.member, name, asked, numbers=range(at, at + 1), depth=depth + 1) for at in numbers]
    match shape.type_name:
        case "structure" | "map":
            return {}
        case "list":
            return []
        case "timestamp":
            return NOW - timedelta(minutes=5)
        case "boolean":
            return True
        case "integer" | "long":
            return 1
        case "float" | "double":
            return 1.0
        case "blob":
            return b""
    if enum := getattr(shape, "enum", None):
        return next((word for word in PREFERRED if word in enum), enum[0])
    given = next((value for key, value in asked.items() if key.lower() == name.lower()), None)
    return given if isinstance(given, str) else f"{name}-{numbers.start}"


async def measure() -> list[tuple[str, str, timedelta, int, float]]:
    """Of each probe of AWS alone: name, kind, interval, calls of the first reading, and of each later one on average."""
    plan = load_plan(shipped("checklists/transparent-trust.yaml"), environ={}, require_environment=False)
    found = []
    aws = ModelledAws()
    aws.on = Crowd()
    for spec in plan.probes.values():
        kind = find(spec.uses)
        if kind.demands != AWS_ALONE or not kind.iam:
            continue
        probe = kind(kind.params_type.model_validate(spec.params), aws.clients)
        counts = []
        for number in range(READINGS):
            before = len(aws.asked)
            await probe.read(NOW + number * spec.interval)
            counts.append(len(aws.asked) - before)
        await probe.close()
        found.append((spec.name, spec.uses, spec.interval, counts[0], sum(counts[1:]) / (READINGS - 1)))
    await aws.clients.close()
    return found


def main() -> None:
    measured = asyncio.run(measure())
    print(f"An account with {EVERYTHING:,} of everything: calls of AWS by probe")
    print(f"{'probe':18} {'kind':22} {'every':>6} {'first':>6} {'later':>6} {'a minute':>9}")
    total, by_kind = 0.0, collections.Counter[str]()
    for name, uses, interval, first, later in sorted(measured, key=lambda row: -row[4] / row[2].total_seconds()):
        rate = later * 60 / interval.total_seconds()
        total += rate
        by_kind[uses] += 1
        print(f"{name:18} {uses:22} {interval.total_seconds():>5.0f}s {first:>6} {later:>6.1f} {rate:>9.1f}")
    print(f"{len(measured)} probes of {len(by_kind)} kinds: {total:.0f} calls a minute in all")


if __name__ == "__main__":
    main()
