"""Every notice can be read in full, with its time: the banner has room for one line."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.clock import HandClock
from tui.stage import START, Stage, opened, shown, until

from cockpit.tui.app import CockpitApp
from cockpit.tui.views.notices import MOST, Noted, NoticeLog

LONG = "the shared record cannot be reached: list_objects_v2: " + " ".join(f"word{n}" for n in range(60)) + " the end"


def test_a_notice_stands_from_when_to_when_and_is_the_same_while_only_its_numbers_change() -> None:
    log, clock = NoticeLog(), HandClock(START)
    log.look(["3 readings were not kept", "", "paused"], clock.time)
    clock.time += timedelta(minutes=1)
    log.look(["40 readings were not kept"], clock.time)
    later = clock.time
    assert log.all() == [Noted("40 readings were not kept", START), Noted("paused", START, later)]
    for n in range(2 * MOST):
        log.message(f"m{n}", later)
    assert [each.text for each in log.all()][1] == f"m{2 * MOST - 1}"
    assert len(log.all()) == MOST + 1


@pytest.mark.parametrize("size", [(80, 24), (140, 45)], ids=str)
async def test_the_page_has_all_of_it_where_the_banner_cuts(size: tuple[int, int]) -> None:
    stage = Stage().burning()
    told = [LONG]
    stage.notices.append(lambda: told[0])
    stage.notices.append(lambda: "the journal is not being timestamped: tsa.test: timeout" if told[0] else "")
    app = CockpitApp(stage)
    async with opened(app, size) as pilot:
        await until(pilot, lambda: "the shared record" in shown(app))
        assert "the end" not in shown(app)
        await pilot.press("N")
        for part in ("NOTICES", "since 02:02:15", "the end", "not being timestamped"):
            await until(pilot, lambda part=part: part in " ".join(shown(app).split()))  # type: ignore[misc]
        told[0] = ""
        stage.hand.time += timedelta(seconds=30)
        app.paint()
        await until(pilot, lambda: "02:02:15-02:02:45" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: "NOTICES" not in shown(app))
