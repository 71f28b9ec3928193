"""How figures are printed: the median of several runs, with the best and the worst beside it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def spread(values: Sequence[float], unit: str, digits: int = 0) -> str:
    """
    >>> spread([3.0, 1.0, 2.0], "s", 1)
    '2.0 s (best 1.0, worst 3.0 of 3)'
    """
    median, best, worst = (f"{each:.{digits}f}" for each in (statistics.median(values), min(values), max(values)))
    return f"{median} {unit} (best {best}, worst {worst} of {len(values)})"


def p95(values: Sequence[float]) -> float:
    """So that nineteen of twenty are no more."""
    return sorted(values)[int(len(values) * 0.95)]
