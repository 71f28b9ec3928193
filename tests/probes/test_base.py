"""The contract every probe keeps: each declared field is known, or says why not; nothing hollow passes for a value."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from probes.clients.clients import AwsOptions, Clients
from probes.demand import AWS_ALONE
from probes.probe import LONGEST_LINE, Moment, Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
EXAMPLES: dict[type, Any] = {bool: True, int: 2, float: 0.5, str: "x", datetime: NOW, tuple: ("a",)}


class NoParams(Params):
    since: Moment | None = None


class Thing(Probe[NoParams]):
    """Reads nothing."""

    name = "test.thing"
    params_type = NoParams
    demands = AWS_ALONE
    cannot_see = "anything: it is for tests"
    late = "not at all"
    fields = tuple(Field(f"a_{kind.__name__}", kind, "a field", example) for kind, example in EXAMPLES.items())

    async def read(self, now: datetime) -> Reading:
        return self.blind(now, Unknown(Reason.NO_DATA))


DECLARED = {field.name for field in Thing.fields}


@pytest.fixture
def thing() -> Thing:
    return Thing(NoParams(), Clients(AwsOptions()))


def test_values_of_the_declared_types_are_known(thing: Thing) -> None:
    values = {f"a_{kind.__name__}": example for kind, example in EXAMPLES.items()}
    reading = thing.reading(NOW, values)
    assert reading.values == values
    assert not reading.unknown
    assert (reading.observed_at, reading.data_at) == (NOW, NOW)


@pytest.mark.parametrize("hollow", [None, math.nan, math.inf, -math.inf, ()])
@pytest.mark.parametrize("field", sorted(DECLARED))
def test_nothing_hollow_passes_for_a_value(thing: Thing, field: str, hollow: Any) -> None:
    reading = thing.reading(NOW, {field: hollow})
    assert not reading.values
    assert reading.unknown[field].reason is Reason.NO_DATA
    assert field in reading.unknown[field].detail


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("a_bool", 1), ("a_bool", "true"), ("a_int", True), ("a_int", 2.0), ("a_int", "2"), ("a_float", True),
        ("a_float", Decimal(1)),
        ("a_float", "0.5"), ("a_str", 1), ("a_str", b"x"), ("a_str", ("x",)), ("a_datetime", "2026-11-23"),
        ("a_datetime", datetime(2026, 11, 23)), ("a_datetime", 1.5), ("a_tuple", "abc"), ("a_tuple", ["a"]), ("a_tuple",
        (1, 2)),
        ("a_tuple", ("a", None)), ("a_int", ("a",)), ("a_int", {}), ("a_str", []),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_a_defect_and_unknown(thing: Thing, field: str, wrong: Any) -> None:
    reading = thing.reading(NOW, {field: wrong})
    assert field not in reading.values
    assert reading.unknown[field].reason is Reason.ERROR


def test_a_whole_number_may_stand_for_a_float(thing: Thing) -> None:
    assert thing.reading(NOW, {"a_float": 3}).values["a_float"] == 3


def test_why_a_field_is_unknown_goes_before_its_value(thing: Thing) -> None:
    denied = Unknown(Reason.ACCESS_DENIED, "no", "allow it")
    reading = thing.reading(NOW, {"a_int": 2}, unknown={"a_int": denied})
    assert (reading.unknown["a_int"], "a_int" in reading.values) == (denied, False)


def test_missing_says_why_the_rest_is_unknown(thing: Thing) -> None:
    warming = Unknown(Reason.WARMING, "first minute")
    reading = thing.reading(NOW, {"a_int": 2, "a_str": None}, missing=warming)
    assert reading.values == {"a_int": 2}
    assert set(reading.unknown.values()) == {warming}


def test_names_that_are_not_declared_are_left_out(thing: Thing) -> None:
    reading = thing.reading(NOW, {"other": 1}, unknown={"another": Unknown(Reason.ERROR)})
    assert set(reading.unknown) == DECLARED


VALUE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(["", "x", "nan"]), st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from([(), ("a",), ("a", "b"), (1,), (None,)]), st.lists(st.integers(), max_size=2), st.binary(max_size=3),
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from([*sorted(DECLARED), "other"]), VALUE),
    st.sets(st.sampled_from([*sorted(DECLARED), "other"])),
)
def test_every_declared_field_is_known_or_unknown_and_never_both(values: dict[str, Any], unknown: set[str]) -> None:
    thing = Thing(NoParams(), Clients(AwsOptions()))
    reading = thing.reading(NOW, values, unknown={name: Unknown(Reason.NO_DATA) for name in unknown})
    assert set(reading.values) | set(reading.unknown) == DECLARED
    assert not set(reading.values) & set(reading.unknown)
    for name, value in reading.values.items():
        assert value is not None
        assert value != ()
        assert not isinstance(value, float) or math.isfinite(value)
        assert type(value) is EXAMPLES_BY_FIELD[name] or (EXAMPLES_BY_FIELD[name] is float and type(value) is int)


EXAMPLES_BY_FIELD = {f"a_{kind.__name__}": kind for kind in EXAMPLES}


def test_a_blind_reading_knows_nothing_for_one_reason(thing: Thing) -> None:
    evidence = Evidence("asked")
    reading = thing.blind(NOW, Unknown(Reason.TIMEOUT, "9 s"), evidence)
    assert (dict(reading.values), set(reading.unknown), reading.evidence) == ({}, DECLARED, evidence)


def test_parameters_are_strict_and_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        NoParams.model_validate({"sinc": NOW})
    with pytest.raises(ValidationError):
        NoParams(since=NOW).since = None  # type: ignore[misc]


def test_a_moment_without_a_zone_is_utc() -> None:
    assert NoParams(since=datetime(2026, 11, 23, 22, 30)).since == NOW
    elsewhere = timezone(timedelta(hours=2))
    assert NoParams(since=datetime(2026, 11, 24, 0, 30, tzinfo=elsewhere)).since == NOW


def test_unseen_says_why() -> None:
    assert str(Unseen(Unknown(Reason.TIMEOUT, "9 s"))) == "TIMEOUT: 9 s"


def test_what_may_pass_by_itself_is_what_the_network_does() -> None:
    assert Unknown(Reason.TIMEOUT).transient
    assert not Unknown(Reason.ACCESS_DENIED).transient
    passing = {Reason.TIMEOUT, Reason.THROTTLED, Reason.UNREACHABLE, Reason.PARTIAL, Reason.ERROR}
    assert {reason for reason in Reason if reason.traits.transient} == passing


@pytest.mark.parametrize("limit", ["cannot_see", "late"])
@pytest.mark.parametrize("text", [None, "", " ", "two\nlines", "x" * (LONGEST_LINE + 1)])
def test_a_probe_that_does_not_say_its_limits_in_a_line_cannot_be_defined(limit: str, text: str | None) -> None:
    body = {"name": "test.mute", "demands": AWS_ALONE, "cannot_see": "much", "late": "not at all"} | {limit: text}
    with pytest.raises(TypeError, match=f"test.mute: set {limit}"):
        type("Mute", (Probe,), {key: value for key, value in body.items() if value is not None})
