"""Little evidence, said with its numbers: how much was counted, how much is needed, and what it proves already.

The only place where LOW_VOLUME is made. A ratio of counts is known from its floor on. Below it, the share behind the
counts lies within bounds, and a condition whose limit lies outside them is decided all the same (`Unknown.bounds`).
"""

from __future__ import annotations

import math
from functools import lru_cache

from probes.reading import Bounds, Reason, Unknown

CONFIDENCE = 0.999
"""How sure both bounds are together. Each is wrong at most once in 2,000 looks at independent trials: Chernoff's bound, which
holds for every total. (Wilson's interval does not for few: by it one failure of one is surely above 5 %.)"""
_MOST_LIKELY = math.log(2 / (1 - CONFIDENCE))


def ratio(part: float, total: float, needed: float, of: str, hint: str) -> float | Unknown:
    """`part / total`, or LOW_VOLUME with what it must lie between while `total` is below `needed` (at least 1).

    `of` is what is counted: "requests". A share of anything but whole, independent trials has no bounds.
    """
    if total >= needed and total > 0:
        return min(1.0, part / total)
    if not (float(part).is_integer() and float(total).is_integer() and 0 <= part <= total and total > 0):
        return too_few(total, needed, of, hint)
    within = bounds(int(part), int(total))
    seen = f"; {part:g} of {total:g} is {within.low:.1%} to {within.high:.1%}, at {CONFIDENCE:.1%} confidence"
    return too_few(total, needed, of, hint, seen, within)


def too_few(seen: float, needed: float, of: str, hint: str, proves: str = "", within: Bounds | None = None) -> Unknown:
    """LOW_VOLUME as a statement with numbers: "14 of 20 requests"."""
    return Unknown(Reason.LOW_VOLUME, f"{seen:g} of {max(needed, 1):g} {of}{proves}", hint, within)


@lru_cache(maxsize=4096)
def bounds(part: int, total: int) -> Bounds:
    """Between what the share of which `part` of `total` trials are a sample must lie, at CONFIDENCE.

    >>> [round(end, 3) for end in (bounds(8, 8).low, bounds(8, 8).high, bounds(0, 14).high, bounds(1, 1).low)]
    [0.387, 1.0, 0.419, 0.001]
    """
    seen = part / total
    return Bounds(_farthest(seen, 0.0, total) if part else 0.0, _farthest(seen, 1.0, total) if part < total else 1.0)


def _farthest(seen: float, end: float, total: int) -> float:
    """The share nearest to `end` under which what was seen is still likely enough; rounded toward `end`."""
    likely, unlikely = seen, end
    for _ in range(60):
        middle = (likely + unlikely) / 2
        if total * _divergence(seen, middle) <= _MOST_LIKELY:
            likely = middle
        else:
            unlikely = middle
    return unlikely


def _divergence(seen: float, share: float) -> float:
    """Kullback-Leibler: by how much what was seen speaks against `share`, per trial."""
    if share in (0.0, 1.0):
        return 0.0 if seen == share else math.inf
    for_part = seen * math.log(seen / share) if seen else 0.0
    return for_part + ((1 - seen) * math.log((1 - seen) / (1 - share)) if seen < 1 else 0.0)
