"""The difference between this machine's clock and others', as far as one answer proves it."""

from __future__ import annotations

import time
from contextlib import suppress
from email.utils import formatdate

import pytest
from support.aws.wire import AnsweringAws, query_refusal, wire

from probes.clients.clock_offset import ClockOffset
from probes.reading import Unseen

NOON = 1_700_000_000.0


def offset_of(theirs: float, asked: float = NOON, answered: float = NOON + 0.2) -> ClockOffset:
    made = ClockOffset()
    made.measure("AWS", formatdate(theirs, usegmt=True), asked, answered)
    return made


@pytest.mark.parametrize(
    ("ahead", "side"), [(7200, "behind AWS"), (-7200, "ahead of AWS"), (8, "behind"), (-8, "ahead")]
)
def test_a_clock_that_is_off_is_shown_with_its_side(ahead: float, side: str) -> None:
    offset = offset_of(NOON + ahead)
    assert offset.seconds == pytest.approx(ahead, abs=1.2)
    assert side in offset.notice


@pytest.mark.parametrize("ahead", [-4, -1, 0, 1, 4])
def test_a_clock_that_is_about_right_is_not_mentioned(ahead: float) -> None:
    assert offset_of(NOON + ahead).notice == ""


def test_an_answer_that_took_long_proves_nothing() -> None:
    assert offset_of(NOON + 30, answered=NOON + 40).seconds == 0


def test_a_clock_set_back_while_the_answer_came_proves_nothing() -> None:
    assert offset_of(NOON, asked=NOON + 7200, answered=NOON).seconds == 0


@pytest.mark.parametrize("date", ["", "soon", "99:99", "Thu, 99 Foo 2026 00:00:00 GMT"])
def test_a_header_nobody_can_read_is_no_measurement(date: str) -> None:
    made = ClockOffset()
    made.measure("AWS", date, NOON, NOON)
    assert made == ClockOffset()


def test_it_follows_the_clock_when_that_is_put_right() -> None:
    made = offset_of(NOON + 60)
    made.measure("AWS", formatdate(NOON, usegmt=True), NOON, NOON + 0.2)
    assert made.notice == ""


@pytest.mark.parametrize("refused", [False, True])
async def test_every_answer_of_aws_is_a_measurement_a_refusal_too(refused: bool) -> None:
    aws = AnsweringAws()
    status, headers, body = query_refusal("RequestExpired") if refused else wire({"clusterArns": []})
    date = formatdate(time.time() + 7200, usegmt=True)
    aws.on["ListClusters"] = status, {**headers, "Date": date}, body
    with suppress(Unseen):
        await aws.clients.aws("ecs", "list_clusters")
    assert "behind AWS" in aws.clients.clock_offset.notice
