"""The report of a night with a change window: every step as planned and as done, and what to expect next time."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from support.clock import START, HandClock
from support.plans.night_plan import night_plan
from support.sources import NoSource

from cockpit.decide.events import PhaseBegan
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.plan.model import Phase
from cockpit.report.formats.html import html
from cockpit.report.formats.markdown import markdown
from cockpit.report.load_record import account_of
from cockpit.report.model import Account

MINUTE = timedelta(minutes=1)


async def lived(folder: Path) -> Account:
    """The bucket took 52 minutes in place of 30; the rest was not done, and the last safe moment went by."""
    clock, plan = HandClock(), night_plan(folder)
    async with recording(plan, clock, who="ada", root=folder / "records") as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.attach(watch)
        watch.record.append(PhaseBegan(clock.now(), Phase.POST_DEPLOY))
        watch.tick()
        desk = Desk(watch, kept, "ada")
        clock.time = START + 10 * MINUTE
        await desk.start_step("run.bucket")
        clock.time = START + 62 * MINUTE
        await desk.end_step("run.bucket", "done", "it is there")
        for minute in (299, 301, 321, 331):
            clock.time = START + minute * MINUTE
            watch.tick()
    return account_of(kept.folder)


async def test_steps_are_held_against_the_plan_and_the_way_back_against_the_window(tmp_path: Path) -> None:
    account = await lived(tmp_path)
    bucket, deploy = account.runbook
    assert (bucket.planned_start, bucket.planned_end) == (START, START + 30 * MINUTE)
    assert (bucket.late, bucket.expect_next) == (32 * MINUTE, 55 * MINUTE)
    assert (deploy.planned_start, deploy.expect_next) == (START + 30 * MINUTE, None)
    night = account.night
    assert night is not None
    assert (night.last_safe_moment, night.rollback_takes) == (START + 330 * MINUTE, 15 * MINUTE)
    assert [turn.after for turn in night.turns] == ["30m left", "10m left", "too late"]
    text = markdown(account)
    assert "Change window: 2026-03-01 22:00 to 2026-03-02 04:00 UTC" in text
    assert "Last safe moment to go back: 03:30 UTC (a rollback takes 15m, reserve 15m)." in text
    assert (
        "| Create the bucket | 22:00 to 22:30 | 22:10 to 23:02 | planned 30m, took 52m | 32m late | expected: 55m |"
        in text
    )
    page = html(account)
    bars = re.findall(r'<svg class="step".*?</svg>', page)
    assert len(bars) == 1  # what was not begun has its planned time in words
    assert len(re.findall('class="f-none"', bars[0])) == len(re.findall('class="f-go"', bars[0])) == 1
    assert "expected: 55m" in page


async def test_a_record_without_a_window_and_without_times_has_no_such_part(tmp_path: Path) -> None:
    from support.plans.signing_plan import signing_plan

    clock = HandClock()
    async with recording(signing_plan(tmp_path), clock, who="ada", root=tmp_path / "records") as kept:
        Watch(signing_plan(tmp_path), NoSource(), clock, kept.record, kept.started_at)
    account = account_of(kept.folder)
    assert account.night is None
    assert "Planned against actual" not in markdown(account) + html(account)
