"""A probe from another package is not trusted: what it answers is checked where it enters, whatever it was built with."""

from __future__ import annotations

import math
from datetime import datetime
from types import MappingProxyType
from typing import Any

import pytest
from decide.scene import FIELDS, GOOD, START, plan, success

from cockpit.decide.board import Board
from probes.reading import Field, Reading, Reason, Unknown, checked

NAIVE = START.replace(tzinfo=None)
EVERY = (
    Field("flag", bool, "a flag", example=True),
    Field("number", int, "a number", 1),
    Field("share", float, "a share", 0.5),
    Field("text", str, "a text", "x"),
    Field("moment", datetime, "a time", START),
    Field("names", tuple, "names", ("a",)),
)
FOREIGN: tuple[Any, ...] = (
    NAIVE, (1, 2), ("a", 1), (None,), [], ["a"], {}, {"a": 1}, b"x", object(), 1j, math.nan, math.inf, (), None,
)  # fmt: skip


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda foreign: f"{type(foreign).__name__}")
@pytest.mark.parametrize("field", [field.name for field in EVERY])
def test_no_value_of_another_kind_is_known(field: str, foreign: Any) -> None:
    reading = checked(Reading(START, START, {field: foreign}), EVERY, "foreign")
    assert not reading.values
    assert set(reading.unknown) == {each.name for each in EVERY}


@pytest.mark.parametrize("foreign", [NAIVE, (1, 2)])
def test_a_foreign_value_is_unknown_to_a_condition(foreign: Any) -> None:
    scene = plan(success("tagged", "m.tags.exists(t, t == 'blue')"), success("named", "m.name == 'web'"))
    board = Board(scene, START)
    board.add("m", Reading(START, START, {**GOOD, "tags": foreign, "name": foreign}))
    latest = board.readings.latest("m")
    assert latest is not None
    assert {latest.unknown[name].reason for name in ("tags", "name")} == {Reason.ERROR}


@pytest.mark.parametrize("name", ["observed_at", "data_at", "state_since"])
def test_a_reading_whose_time_has_no_zone_cannot_be_placed(name: str) -> None:
    times = {"observed_at": START, "data_at": START, name: NAIVE}
    board = Board(plan(), START)
    board.add("m", Reading(**times, values=GOOD))  # type: ignore[arg-type]
    latest = board.readings.latest("m")
    assert latest is not None
    assert latest.observed_at == START
    assert not latest.values
    assert all(name in why.detail for why in latest.unknown.values())


def test_what_is_called_known_and_unknown_is_unknown_and_what_is_not_declared_is_left_out() -> None:
    why = Unknown(Reason.TIMEOUT)
    seen = Reading(START, START, {**GOOD, "secret": "x"}, MappingProxyType({"ok": why, "more": why}))
    reading = checked(seen, FIELDS, "foreign")
    assert set(reading.values) == set(GOOD) - {"ok"}
    assert reading.unknown == {"ok": why}
