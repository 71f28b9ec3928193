"""After a minute without a key the terminal says what happened meanwhile, marks what changed, and names the others."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from rich.text import Text
from tui.stage import Stage, opened, shown

from cockpit.decide.events import Happened, Record, SignOff, Vote
from cockpit.decide.situation import Situation
from cockpit.tui.app import CockpitApp
from cockpit.tui.attention import AWAY_S, Attention
from cockpit.tui.views import activity


def away_lines(
    record: Record,
    titles: dict[str, str],
    now: Situation,
    since: datetime,
    width: int,
    most: int,
    who: str | None = None,
) -> Text:
    count, body = activity.away_body(record, titles, now, since, width, most, who=who)
    return activity.away_card(count, body, now, since, width, most)


class Seconds:
    """A clock of this machine that is turned by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_minute_without_a_key_brings_a_card_and_the_next_key_takes_it_away() -> None:
    seconds, stage = Seconds(), Stage().calm()
    app = CockpitApp(stage, seconds=seconds)
    async with opened(app, (100, 30)) as pilot:
        looked = stage.clock.now()
        stage.burning()
        seconds.now = AWAY_S - 1
        app.paint()
        await pilot.pause()
        assert "WHILE YOU WERE AWAY" not in shown(app)
        seconds.now = AWAY_S
        app.paint()
        await pilot.pause()
        card = shown(app).splitlines()
        head = next(n for n, line in enumerate(card) if "WHILE YOU WERE AWAY" in line)
        assert f"since {looked:%H:%M:%S}" in card[head]
        assert "✗ ROLLBACK" in "\n".join(card[head : head + 5])
        assert any(line.strip("▌▐ ").startswith("*✗ TRIPPED") for line in card), "a mark that needs no colour"
        await pilot.press("down")
        assert "WHILE YOU WERE AWAY" not in shown(app)
        assert "*✗ TRIPPED" in shown(app), "the marks stay for another minute"
        seconds.now += AWAY_S - 1
        await pilot.press("up")
        seconds.now += 2
        app.paint()
        await pilot.pause()
        assert "*✗ TRIPPED" not in shown(app)


async def test_the_card_s_own_clock_lays_nothing_out_and_another_line_on_it_does() -> None:
    seconds, stage = Seconds(), Stage().calm()
    app = CockpitApp(stage, seconds=seconds)
    async with opened(app, (100, 30)) as pilot:
        stage.burning()
        seconds.now = AWAY_S
        app.paint()
        await pilot.pause()
        laid_out: list[object] = []
        app.screen.screen_layout_refresh_signal.subscribe(app.screen, laid_out.append)
        for another_line in (True, False, False):
            laid_out.clear()
            before = shown(app)
            stage.saw()
            app.paint()
            await pilot.pause()
            assert shown(app) != before
            assert bool(laid_out) == another_line


async def test_where_nothing_happened_there_is_no_card() -> None:
    seconds, stage = Seconds(), Stage().calm()
    app = CockpitApp(stage, seconds=seconds)
    async with opened(app, (100, 30)) as pilot:
        seconds.now = 10 * AWAY_S
        stage.saw()
        app.paint()
        await pilot.pause()
        assert "WHILE YOU WERE AWAY" not in shown(app)


def test_the_verdict_s_own_changes_are_never_left_out_of_the_card() -> None:
    stage = Stage().calm()
    since = stage.clock.now()
    stage.burning()
    stage.calm()
    card = away_lines(stage.record, {}, stage.situation, since, 100, 1).plain.splitlines()
    assert f"{len(activity.new_since(stage.record, since))} changes, all on screen 6" in card[0]
    assert "✗ ROLLBACK" in card[1]
    assert len(card) == 2


def test_the_card_names_what_others_did_however_often_the_verdict_turned() -> None:
    stage = Stage().calm()
    since = stage.clock.now()
    stage.burning()
    stage.record.append(Vote(stage.clock.now(), "go", "bob", "backup", "go"))
    stage.calm()
    card = away_lines(stage.record, {"go": "Begin"}, stage.situation, since, 78, 2, who="ada").plain.splitlines()
    assert (len(card), "…" in card[0]) == (4, False), "its heading is not cut off at 80 columns"
    assert re.fullmatch(r"  bob [\d:]{8} go Begin", card[1])
    mine = away_lines(stage.record, {}, stage.situation, since, 78, 2, who="bob").plain
    assert "bob" not in mine.splitlines()[1]


def test_what_changed_early_in_a_long_absence_is_counted_and_marked_too() -> None:
    stage = Stage().calm()
    since = stage.clock.now()
    stage.burning()
    early = activity.new_since(stage.record, since)
    stage.record.extend(Happened(stage.clock.now(), "step", f"note {number}", "ada") for number in range(300))
    new = activity.new_since(stage.record, since)
    assert len(new) == len(early) + 300
    assert new[-len(early) :] == early


def test_what_others_did_last_is_named_and_what_the_person_here_did_is_not() -> None:
    stage = Stage().calm(1)
    now = stage.clock.now()
    stage.record.append(Vote(now, "go", "bob", "backup", "go"))
    stage.record.append(SignOff(now + timedelta(seconds=5), "i.vpn", "ada", "on_call", "seen", ""))
    stage.record.append(Happened(now + timedelta(seconds=9), "migration", "worker vm-7 left run 2", "vm-7"))
    assert [by for by, _ in activity.last_acts(stage.record, "ada")] == ["bob"], "a worker is no operator"
    assert [by for by, _ in activity.last_acts(stage.record, None)] == ["ada", "bob"]


def test_nobody_is_away_before_the_first_key() -> None:
    seconds = Seconds()
    attention = Attention(seconds)
    seconds.now = 2 * AWAY_S
    assert (attention.away, attention.since) == (False, None)
