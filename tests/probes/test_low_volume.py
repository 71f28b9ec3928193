"""Little evidence: said with its numbers, and never surer than it is."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

import probes
from probes.low_volume import CONFIDENCE, bounds, ratio
from probes.reading import Reason, Unknown
from probes.registry import find, names


def tail(part: int, total: int, share: float) -> float:
    """How likely at least `part` of `total` are when each is one with the likelihood `share`."""
    return sum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(part, total + 1))


def test_from_the_floor_on_the_ratio_is_known() -> None:
    assert ratio(1, 20, 20, "requests", "") == 0.05


def test_below_it_the_numbers_are_said() -> None:
    why = ratio(0, 14, 20, "requests", "wait for traffic")
    assert isinstance(why, Unknown)
    assert (why.reason, why.hint) == (Reason.LOW_VOLUME, "wait for traffic")
    assert why.detail == "14 of 20 requests; 0 of 14 is 0.0% to 41.9%, at 99.9% confidence"


@pytest.mark.parametrize(("part", "total"), [(0, 0), (3.0, 2.0), (1.5, 2), (1, 2.5)])
def test_what_is_no_share_of_whole_trials_has_no_bounds(part: float, total: float) -> None:
    why = ratio(part, total, 20, "requests", "")
    assert isinstance(why, Unknown)
    assert why.bounds is None


@pytest.mark.parametrize("total", [1, 2, 3, 8, 20, 150, 900])
def test_both_bounds_are_as_sure_as_is_said(total: int) -> None:
    """Against the exact binomial: had the share been outside, what was seen were less likely than is allowed."""
    allowed = (1 - CONFIDENCE) / 2 * (1 + 1e-9)
    ends = (*range(10), *range(total - 9, total + 1), *range(0, total, max(1, total // 20)))
    for part in {part for part in ends if 0 <= part <= total}:
        within = bounds(part, total)
        assert 0.0 <= within.low <= part / total <= within.high <= 1.0
        if part:
            assert tail(part, total, within.low) <= allowed
        if part < total:
            assert tail(total - part, total, 1 - within.high) <= allowed


def test_where_all_or_none_failed_they_are_exact() -> None:
    assert tail(8, 8, bounds(8, 8).low) == pytest.approx((1 - CONFIDENCE) / 2)
    assert bounds(0, 8).high == pytest.approx(1 - bounds(8, 8).low)


def test_one_failure_of_one_is_not_surely_above_a_twentieth() -> None:
    assert bounds(1, 1).low < 0.05 < bounds(8, 8).low


def test_low_volume_is_made_in_one_place() -> None:
    made = [
        path.name
        for path in Path(probes.__file__).parent.rglob("*.py")
        if re.search(r"Reason\.LOW_VOLUME", path.read_text())
    ]
    assert made == ["low_volume.py"]


MEASURED = {
    "postgres.pool": {"utilization"},
    "cutover.migration": {"copied_share", "verified_share"},
    "ecs.deployment": {"traffic_share"},
    "rds.proxy": {"utilization"},
    "rds.cluster": {"serverless_utilization"},
    "lambda.function": {"additional_share"},
    "elasticache.replication_group": {"engine_cpu", "memory_used"},
}
"""Ratios of what is counted whole (slots, files, weights, connections, capacity), not of a sample of trials."""


def test_every_ratio_of_a_sample_is_made_in_that_place() -> None:
    for name, kind in ((name, find(name)) for name in names()):
        sampled = {field.name for field in kind.fields if field.unit == "ratio"} - MEASURED.get(name, set())
        module = Path(str(__import__(kind.__module__, fromlist=["_"]).__file__)).read_text()
        assert not sampled or "from probes.low_volume import" in module, f"{name}: {sampled}"
