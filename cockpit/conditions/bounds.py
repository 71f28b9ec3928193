"""What a condition says of a number that is only known to lie between two others. Pure.

Where a number is compared with limits alone, the outcome changes at a limit and nowhere else. So a few values stand for all
there are: both bounds, each limit between them, and one in each stretch between those.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise, product
from typing import Any

from probes.reading import Bounds

MOST_CASES = 256
"""More combinations than these are not tried: the condition then stays unknown."""


def points(within: Bounds, limits: tuple[float, ...]) -> tuple[float, ...]:
    """Values that stand for all between the bounds.

    >>> points(Bounds(0.25, 1.0), (0.05, 0.5))
    (0.25, 0.375, 0.5, 0.75, 1.0)
    """
    ends = sorted({within.low, within.high, *(limit for limit in limits if within.low < limit < within.high)})
    return tuple(sorted({*ends, *((one + other) / 2 for one, other in pairwise(ends))}))


def everywhere(
    plain: Mapping[str, Mapping[str, Any]], within: Mapping[tuple[str, str], tuple[float, ...]]
) -> Iterator[dict[str, dict[str, Any]]]:
    """The context with each combination of values filled in; none where there are too many."""
    if math.prod(map(len, within.values())) > MOST_CASES:
        return
    for values in product(*within.values()):
        filled = {probe: dict(held) for probe, held in plain.items()}
        for (probe, name), value in zip(within, values, strict=True):
            filled[probe][name] = value
        yield filled
