"""How long what a probe saw goes on counting: each probe's own limits, unless the plan says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cockpit.plan.model import Criterion, ProbeSpec

ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Limits:
    """For one criterion: its limits by probe, and what a sample of a metric stands for."""

    gap: Mapping[str, timedelta]
    """For how long after its data a reading still carries a window: a longer gap breaks a proof."""
    stale: Mapping[str, timedelta]
    """The age at which a reading no longer counts at all."""
    period: timedelta
    """What each sample covers by itself: the shortest period, where all the probes read metrics; else 0."""
    longest: timedelta
    """The most that one sample adds to a window: the longest period, where any probe reads a metric; else 0 for no limit.
    A period nobody saw is not counted."""

    @property
    def blind(self) -> timedelta:
        """After how long without an answer at all it cannot be seen."""
        return max(self.stale.values(), default=ZERO)


def limits_of(criterion: Criterion, probes: Mapping[str, ProbeSpec], deciding: Sequence[str]) -> Limits:
    """`deciding` are the probes of its condition; `probes` holds those and whatever else it watches."""
    gap, stale = criterion.gap_tolerance, criterion.stale_after
    periods = [probes[name].period for name in deciding]
    return Limits(
        gap={n: spec.stale_after if gap is None else gap + spec.lag for n, spec in probes.items()},
        stale={n: spec.stale_after if stale is None else stale for n, spec in probes.items()},
        period=min(periods, default=ZERO),
        longest=max(periods, default=ZERO),
    )
