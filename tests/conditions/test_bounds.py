"""A number that is not known but lies between two others decides a condition where it comes out alike everywhere between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.conditions.condition import compile_condition
from probes.low_volume import bounds
from probes.reading import Bounds, Reason, Unknown, Value


def truth(source: str, *, low: float, high: float, also: dict[str, Value] | None = None) -> bool | None:
    why = Unknown(Reason.LOW_VOLUME, "8 of 20 requests", bounds=Bounds(low, high))
    return compile_condition(source).evaluate({"m": also or {}}, {"m.rate": why}).truth


@pytest.mark.parametrize(
    ("source", "low", "high", "expected"),
    [
        ("m.rate > 0.05", 0.39, 1.0, True),
        ("m.rate <= 0.05", 0.39, 1.0, False),
        ("m.rate <= 0.5", 0.0, 0.42, True),
        ("m.rate > 0.05", 0.0, 0.42, None),
        ("m.rate > 0.05", 0.05, 0.2, None),
        ("m.rate >= 0.05", 0.05, 0.2, True),
        ("!(m.rate > 0.05)", 0.39, 1.0, False),
        ("0.05 < m.rate && m.ok", 0.39, 1.0, True),
        ("m.rate > 0.05 || m.rate < 0.01", 0.1, 0.2, True),
        ("m.rate > 0.1 || m.rate < 0.2", 0.0, 1.0, True),
        ("m.rate == 0.3", 0.2, 0.4, None),
        ("m.rate != 0.3", 0.31, 0.4, True),
    ],
)
def test_it_decides_where_it_must_come_out_alike(source: str, low: float, high: float, expected: bool | None) -> None:
    assert truth(source, low=low, high=high, also={"ok": True}) is expected


def test_what_else_is_unknown_stays_so() -> None:
    assert truth("m.rate > 0.05 && m.ok", low=0.39, high=1.0) is None
    assert truth("m.rate > 0.05 || m.ok", low=0.39, high=1.0) is True
    assert truth("m.rate > 0.05 && m.ok", low=0.0, high=0.01) is False


@pytest.mark.parametrize("source", ["m.rate * 2.0 > 0.05", "m.rate > m.limit", "m.rate > 0.05 && m.rate > m.limit"])
def test_a_number_used_in_another_way_than_beside_a_limit_stays_unknown(source: str) -> None:
    assert truth(source, low=0.39, high=1.0, also={"limit": 0.01}) is None


def test_an_open_outcome_is_unknown_with_the_numbers() -> None:
    why = Unknown(Reason.LOW_VOLUME, "14 of 20 requests", bounds=bounds(0, 14))
    assert compile_condition("m.rate > 0.05").evaluate({"m": {}}, {"m.rate": why}).unknown == why


def test_bounds_of_a_probe_without_a_reading_decide_nothing() -> None:
    why = Unknown(Reason.LOW_VOLUME, bounds=Bounds(0.39, 1.0))
    assert compile_condition("m.rate > 0.05").evaluate({}, {"m.rate": why}).truth is None


def test_too_many_combinations_stay_unknown() -> None:
    source = " || ".join(f"m.rate{index} > 0.05" for index in range(9))
    why = {f"m.rate{index}": Unknown(Reason.LOW_VOLUME, bounds=Bounds(0.39, 1.0)) for index in range(9)}
    assert compile_condition(source).evaluate({"m": {}}, why).truth is None


SHARES = st.integers(0, 20).map(lambda twentieths: twentieths / 20)
LIMITS = st.builds(
    lambda operator, limit: f"m.rate {operator} {limit}", st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), SHARES
)
CONDITIONS = st.recursive(
    LIMITS,
    lambda inner: (
        st.builds(lambda one, joint, other: f"({one} {joint} {other})", inner, st.sampled_from(["&&", "||"]), inner)
        | inner.map(lambda one: f"!({one})")
    ),
    max_leaves=4,
)


@given(CONDITIONS, SHARES, SHARES)
def test_it_says_exactly_what_every_value_between_the_bounds_says(source: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    condition = compile_condition(source)
    grid = [fortieths / 40 for fortieths in range(41) if low <= fortieths / 40 <= high]
    said = {condition.evaluate({"m": {"rate": rate}}).truth for rate in grid}
    assert truth(source, low=low, high=high) is (said.pop() if len(said) == 1 else None)
