"""Whether what a metric says can ever count as fresh: its newest period has closed, settled and waited to be read."""

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


def all_never_fresh(plan: Plan) -> Iterator[tuple[str, str]]:
    """The same for everything a plan judges: its id, and the whole sentence."""
    judged = [(each.id, each.condition, each.stale_after) for each in plan.criteria()]
    judged += [(item.id, item.expect, item.stale_after) for section in plan.checklist for item in section.items]
    for id_, condition, limit in judged:
        specs = [plan.probes[name] for name in condition.probes] if condition else []
        if (why := never_fresh(limit, specs)) is not None:
            yield id_, f"{id_} is UNKNOWN for good: {why}"
