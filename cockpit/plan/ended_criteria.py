"""What a plan still watches once a criterion with `until` has ended: said before the night, when it can still be changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cockpit.formatting import duration
from cockpit.plan.model import Criterion, Plan
from probes.frozen import frozen


@frozen
class Ended:
    """A criterion that decides until `until` after the deployment began, and what judges the same fields from then on."""

    criterion: Criterion
    until: timedelta
    still: tuple[str, ...]
    """Ids of those that decide and go on reading at least one of its fields."""
    unwatched: tuple[str, ...]
    """Its fields that nothing which decides reads from then on, as probe.field."""

    def __str__(self) -> str:
        """What holds then, in one line."""
        text = f"{self.criterion.id} is judged until {duration(self.until)} after the deployment began"
        if self.still:
            text += f"; {', '.join(self.still)} still {'reads' if len(self.still) == 1 else 'read'} what it read"
        if self.unwatched:
            text += f"; nothing that decides reads {', '.join(self.unwatched)} then"
        return text


def ended_criteria(plan: Plan) -> Iterator[Ended]:
    """Each criterion that decides and has an `until`, in the order of the plan."""
    deciding = [one for one in plan.criteria() if one.decides and one.condition is not None]
    for one in deciding:
        if one.until is None or one.condition is None:
            continue
        own = set(one.condition.paths)
        later = [each for each in deciding if each is not one and (each.until is None or each.until > one.until)]
        reads = {each.id: own & {*each.condition.paths} for each in later if each.condition is not None}
        unread = own - {path for found in reads.values() for path in found}
        still = tuple(name for name, found in reads.items() if found)
        yield Ended(one, one.until, still, tuple(sorted(map(".".join, unread))))
