"""Whether what a probe says can count as fresh until the next of it comes: a metric's newest period, or a reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from cockpit.formatting import duration
from cockpit.plan.model import Plan, ProbeSpec


def never_fresh(limit: timedelta | None, specs: Iterable[ProbeSpec]) -> str | None:
    """Why data is older than `limit` before the next of it can come, with the numbers; None where it is not."""
    for spec in specs:
        if limit is not None and spec.period and limit < spec.oldest_fresh:
            return (
                f"stale_after is {duration(limit)}, and the newest period of {spec.name} is up to "
                f"{duration(spec.oldest_fresh)} old: period {duration(spec.period)}, settle {duration(spec.settle)}, "
                f"read every {duration(spec.interval)}"
            )
    return None


def never_long_enough(limit: timedelta | None, specs: Iterable[ProbeSpec], dwell: timedelta) -> str | None:
    """Why readings are stale before the next one, and fresh for less than GO has to hold; None where they are not."""
    for spec in specs:
        if limit is not None and not spec.period and limit < min(spec.interval, dwell):
            return (
                f"stale_after is {duration(limit)}, and {spec.name} is read every {duration(spec.interval)}; "
                "leave stale_after out, or read the probe more often (interval)"
            )
    return None


def all_never_fresh(plan: Plan) -> Iterator[tuple[str, str]]:
    """The same for everything a plan judges: its id, and the whole sentence."""
    judged = [(each.id, each.condition, each.stale_after) for each in plan.criteria()]
    judged += [(item.id, item.expect, item.stale_after) for section in plan.checklist for item in section.items]
    for id_, condition, limit in judged:
        specs = [plan.probes[name] for name in condition.probes] if condition else []
        if (why := never_fresh(limit, specs)) is not None:
            yield id_, f"{id_} is UNKNOWN for good: {why}"
        elif (why := never_long_enough(limit, specs, plan.verdict_dwell)) is not None:
            yield id_, f"{id_} is UNKNOWN before each reading: {why}"
