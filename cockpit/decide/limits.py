"""How long what a probe saw goes on counting: each probe's own limits, unless the plan says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from cockpit.plan.model import Criterion, ProbeSpec
from probes.frozen import frozen
from probes.reading import Reading

ZERO = timedelta(0)


@frozen
class Limit:
    """How old what one probe saw may be."""

    age: timedelta
    settle: timedelta | None = None
    """What `age` allows a metric for filling up: one that was measured to be later may be older by the difference.
    None where the plan wrote the age itself."""

    def of(self, reading: Reading) -> timedelta:
        """How old this reading may be."""
        return self.age if self.settle is None else self.age + max(reading.lateness - self.settle, ZERO)


def own_limit(spec: ProbeSpec) -> Limit:
    """The limit of a probe for which nothing else is written."""
    return Limit(spec.stale_after, spec.settle if spec.period else ZERO)


@frozen
class Limits:
    """For one criterion: its limits by probe, and what a sample of a metric stands for."""

    gap: Mapping[str, Limit]
    """For how long after its data a reading still carries a window: a longer gap breaks a proof."""
    stale: Mapping[str, Limit]
    """The age at which a reading no longer counts at all."""
    period: timedelta
    """What each sample covers by itself: the shortest period, where all the probes read metrics; else 0."""
    longest: timedelta
    """The most that one sample adds to a window: the longest period, where any probe reads a metric; else 0 for no limit.
    A period nobody saw is not counted."""

    @property
    def blind(self) -> timedelta:
        """After how long without an answer at all it cannot be seen, where nothing is later than its settle."""
        return max((limit.age for limit in self.stale.values()), default=ZERO)


def limits_of(criterion: Criterion, probes: Mapping[str, ProbeSpec], deciding: Sequence[str]) -> Limits:
    """`deciding` are the probes of its condition; `probes` holds those and whatever else it watches."""
    gap, stale = criterion.gap_tolerance, criterion.stale_after
    periods = [probes[name].period for name in deciding]
    return Limits(
        gap={n: own_limit(s) if gap is None else replace(own_limit(s), age=gap + s.lag) for n, s in probes.items()},
        stale={n: own_limit(s) if stale is None else Limit(stale) for n, s in probes.items()},
        period=min(periods, default=ZERO),
        longest=max(periods, default=ZERO),
    )
