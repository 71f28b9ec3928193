"""What probes with a plan's parameters can know at all: how much must be counted first, and what no reading ever has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from cockpit.formatting import duration
from cockpit.plan.model import Criterion, Plan, ProbeSpec
from probes.frozen import frozen
from probes.probe import Least, Params, Probe
from probes.registry import find

ZERO = timedelta(0)


@frozen
class NeededTraffic:
    """How much must happen for a success criterion to be judged: so much within each window, for as long as it asks."""

    criterion: str
    probe: str
    least: Least
    lasts: timedelta

    @property
    def in_all(self) -> int:
        """From the first window to the last."""
        windows = max(1, math.ceil(self.lasts / self.least.within)) if self.least.within else 1
        return math.ceil(self.least.count) * windows

    @property
    def per_minute(self) -> float:
        return self.least.count / (self.least.within / timedelta(minutes=1))

    def __str__(self) -> str:
        least = self.least
        asked = f"{math.ceil(least.count):,} {least.of} in every {duration(least.within)}"
        lasts = f" for {duration(self.lasts)}, {self.in_all:,} in all" if self.lasts > least.within else ""
        return f"{self.criterion} needs {asked}{lasts} ({self.probe}: {self.per_minute:.3g} a minute)"


def needed_traffic(plan: Plan) -> Iterator[NeededTraffic]:
    """For every enforced success criterion that reads what is counted: what GO needs, the most first."""
    found = [need for one in plan.success_criteria if one.enforced for need in _needs(plan, one)]
    yield from sorted(found, key=lambda need: -need.per_minute)


def _needs(plan: Plan, one: Criterion) -> Iterator[NeededTraffic]:
    read = one.condition.paths if one.condition else ()
    for probe in dict.fromkeys(name for name, _ in read):
        kind, params = _probe(plan.probes[probe])
        least = kind.least(params) if params is not None else None
        if least is not None and least.count > 1 and any(name in least.fields for at, name in read if at == probe):
            yield NeededTraffic(one.id, probe, least, one.needs)


def never_known(plan: Plan) -> Mapping[str, str]:
    """By path: why no reading of this plan ever has it, and what to set."""
    found: dict[str, str] = {}
    for name, spec in plan.probes.items():
        kind, params = _probe(spec)
        if params is not None:
            found |= {f"{name}.{field}": why for field, why in kind.never_known(params).items()}
    return found


def _probe(spec: ProbeSpec) -> tuple[type[Probe[Any]], Params | None]:
    """Its kind and parameters; None where those rest on an environment that is not set."""
    kind = find(spec.uses)
    try:
        return kind, kind.params_type.model_validate(dict(spec.params))
    except ValidationError:
        return kind, None
