"""A board forgets what is older than twelve hours, about once an hour; what is newer can be corrected as ever."""

from __future__ import annotations

from datetime import timedelta

import pytest
from decide.scene import CALM, START, at, plan, reading, trigger

from cockpit.decide.board import Board

ERRORS = trigger("errors", "m.rate > 0.05")


def test_readings_are_forgotten_after_twelve_hours_and_not_looked_for_more_often_than_once_an_hour() -> None:
    board = Board(plan(ERRORS, *CALM), START)
    board.evaluate(ERRORS, START, START)
    kept = []
    for minute in (30, 50, 765, 825 - 1 / 60, 825):
        board.add("m", reading(at(60 * minute)))
        times = board.readings.histories["m"].times
        kept.append([(when - START) // timedelta(minutes=1) for when in times])
    assert kept == [[30], [30, 50], [50, 765], [50, 765, 824], [765, 824, 825]]


def test_what_is_not_older_than_that_is_corrected_although_older_readings_were_looked_for_since() -> None:
    board = Board(plan(ERRORS, *CALM), START)
    board.evaluate(ERRORS, START, START)
    board.add("m", reading(at(600), {"rate": 0.2}))
    for hour in (2, 4):
        board.add("m", reading(at(3600 * hour)))
    assert len(board.evaluate(ERRORS, START, at(4 * 3600)).trips) == 1
    board.add("m", reading(at(4 * 3600 + 15), {"rate": 0.0}, data_at=at(600)))
    assert board.evaluate(ERRORS, START, at(4 * 3600 + 15)).trips == ()


@pytest.mark.parametrize("older", [1, 2])
def test_the_newest_reading_is_corrected_although_older_ones_were_just_forgotten(older: int) -> None:
    board = Board(plan(ERRORS, *CALM), START)
    board.evaluate(ERRORS, START, START)
    for minute in (*(10, 11)[:older], 740):
        board.add("m", reading(at(60 * minute), {"rate": 0.2}))
    board.add("m", reading(at(60 * 740 + 15), {"rate": 0.0}, data_at=at(60 * 740)))
    reached = board.evaluate(ERRORS, START, at(60 * 740 + 15)).reached
    assert reached is not None
    assert reached.truth is False


def test_what_is_said_of_a_line_is_the_same_thing_until_a_reading_comes() -> None:
    """Screens tell by that what they need not draw again."""
    board = Board(plan(ERRORS, *CALM), START)
    board.add("m", reading(at(0)))
    first, second = (board.evaluate(ERRORS, START, at(moment)).because for moment in (0, 1))
    assert first is second
    board.add("m", reading(at(15)))
    as_before = board.evaluate(ERRORS, START, at(15)).because
    assert as_before is not first
    assert as_before.observed is first.observed
    board.add("m", reading(at(30), {"rate": 0.01}))
    assert board.evaluate(ERRORS, START, at(30)).because.observed is not first.observed
