"""The difference between this machine's clock and others', as far as their answers prove it."""

from __future__ import annotations

import time
from contextlib import suppress
from email.utils import formatdate

import pytest
from support.aws.wire import AnsweringAws, query_refusal, wire

from probes.clients.clock_offset import ClockOffset, MachineTime, ticks
from probes.reading import Unseen

NOON = 1_700_000_000.0


class Told:
    """A machine that has been told the time; its own clock says NOON plus its ticks."""

    def __init__(self) -> None:
        self.tick = 100.0
        self.set = 0.0
        self.offset = ClockOffset(MachineTime(lambda: self.tick, lambda: NOON + self.tick + self.set))

    def hear(self, ahead: float, took: float = 0.2, by: str = "AWS", source: str = "ecs") -> Told:
        """A Date header of a clock that is so far ahead, in an answer that took so long."""
        asked = self.tick
        self.tick += took
        self.offset.measure_date(by, source, formatdate(NOON + asked + ahead, usegmt=True), asked)
        return self


@pytest.mark.parametrize(
    ("ahead", "side"), [(7200, "behind AWS"), (-7200, "ahead of AWS"), (8, "behind"), (-8, "ahead")]
)
def test_a_clock_that_is_off_is_shown_with_its_side(ahead: float, side: str) -> None:
    offset = Told().hear(ahead).offset
    assert offset.seconds == pytest.approx(ahead, abs=1.2)
    assert side in offset.notice


@pytest.mark.parametrize("ahead", [-4, -1, 0, 1, 4])
def test_a_clock_that_is_about_right_is_not_mentioned(ahead: float) -> None:
    assert Told().hear(ahead).offset.notice == ""


def test_an_answer_that_took_long_proves_nothing() -> None:
    assert Told().hear(30, took=40).offset.seconds == 0


def test_several_answers_bound_it_more_narrowly_than_one() -> None:
    told = Told()
    for _ in range(8):
        told.hear(60.4, took=0.01)
        told.tick += 0.14
    assert told.offset.seconds == pytest.approx(60.4, abs=0.2)


@pytest.mark.parametrize("date", ["", "soon", "99:99", "Thu, 99 Foo 2026 00:00:00 GMT"])
def test_a_header_nobody_can_read_is_no_measurement(date: str) -> None:
    told = Told()
    told.offset.measure_date("AWS", "ecs", date, told.tick)
    assert told.offset.behind_s(NOON) is None


def test_it_follows_the_clock_when_that_is_put_right() -> None:
    told = Told().hear(60)
    told.set = 60
    assert told.offset.notice == ""


def test_one_that_is_wrong_does_not_outvote_the_others() -> None:
    told = Told().hear(420, by="PostgreSQL", source="1").hear(0, source="ecs").hear(0, source="sts")
    assert told.offset.seconds == 0
    told = Told().hear(0, by="PostgreSQL", source="1").hear(420, source="ecs").hear(420, source="sts")
    assert told.offset.seconds == pytest.approx(420, abs=1.2)


def test_where_two_disagree_the_one_nearer_to_this_machine_is_taken() -> None:
    assert Told().hear(420).hear(0, by="PostgreSQL", source="1").offset.seconds == 0


def test_setting_the_clock_changes_no_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ticks()
    monkeypatch.setattr(time, "time", lambda: NOON)
    assert 0 <= ticks() - before < 3600


@pytest.mark.parametrize("refused", [False, True])
async def test_every_answer_of_aws_is_a_measurement_a_refusal_too(refused: bool) -> None:
    aws = AnsweringAws()
    status, headers, body = query_refusal("RequestExpired") if refused else wire({"clusterArns": []})
    date = formatdate(time.time() + 7200, usegmt=True)
    aws.on["ListClusters"] = status, {**headers, "Date": date}, body
    with suppress(Unseen):
        await aws.clients.aws("ecs", "list_clusters")
    assert "behind AWS" in aws.clients.clock_offset.notice
