"""Slack hears of the migration what somebody away from the terminal would want to know, in one message a look."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from notifications.receiver import night, receiving, texts
from support.clock import HandClock

from cockpit.decide.events import MIGRATION, WORKERS, Happened, Proof
from cockpit.engine.watch import Watch
from cockpit.notifications.channels import PagerDuty, Slack
from probes.known_secrets import remember

HALTED = "halted: kms_denied: it may not use the key (2026-03-01 22:00:00.000000Z by the database)"


def happens(watch: Watch, clock: HandClock, *texts_: str, about: str = MIGRATION) -> None:
    clock.time += timedelta(seconds=1)
    for text in texts_:
        watch.record.append(Happened(clock.now(), about, text))
    watch.tick()


async def test_a_migration_that_halts_is_told_although_the_verdict_stays(tmp_path: Path) -> None:
    async with receiving() as receiver, night(tmp_path, Slack(receiver.url)) as (watch, kept, clock, _):
        before = watch.situation.verdict.word
        happens(watch, clock, HALTED)
        await receiver.until(1)
        (text,) = texts(receiver)
        assert watch.situation.verdict.word is before
        assert text.startswith(f"*signing (staging) migration: {HALTED}*")
        assert f"record {kept.folder.id}, head `" in text


async def test_what_was_noted_at_once_is_one_message_the_newest_first(tmp_path: Path) -> None:
    """A cockpit that begins beside a migration reads all its last events from the ledger."""
    async with receiving() as receiver, night(tmp_path, Slack(receiver.url)) as (watch, _, clock, told):
        happens(watch, clock, "began: copy", "ended: copy: done", "began: verify")
        await told.delivered()
        happens(watch, clock, "ended: verify: done")
        await told.delivered()
        first, second = texts(receiver)
        assert first.startswith("*signing (staging) migration: began: verify*")
        assert first.splitlines()[2] == "before it: ended: copy: done; began: copy"
        assert second.startswith("*signing (staging) migration: ended: verify: done*")
        assert "before it" not in second


@pytest.mark.parametrize("about", [WORKERS, "release"])
async def test_workers_that_come_and_go_and_what_is_not_the_migration_are_not_told(tmp_path: Path, about: str) -> None:
    async with receiving() as receiver, night(tmp_path, Slack(receiver.url)) as (watch, _, clock, told):
        happens(watch, clock, "worker copy-1 joined run 3", about=about)
        await told.delivered()
        assert not receiver.bodies


async def test_nobody_is_paged_for_the_migration_itself(tmp_path: Path) -> None:
    """What it means for the night is the verdict's to say."""
    async with receiving() as receiver, night(tmp_path, PagerDuty(receiver.url, "a key")) as (watch, _, clock, told):
        happens(watch, clock, HALTED)
        await told.delivered()
        assert not receiver.bodies


async def test_what_another_cockpit_noted_is_told_by_that_one(tmp_path: Path) -> None:
    async with receiving() as receiver, night(tmp_path, Slack(receiver.url)) as (watch, _, clock, told):
        watch.record.append(Happened(clock.now(), MIGRATION, HALTED, proof=Proof(received=clock.now())))
        watch.tick()
        await told.delivered()
        assert not receiver.bodies


async def test_no_secret_in_a_migrations_words_leaves(tmp_path: Path) -> None:
    remember("hunter2hunter2")
    async with receiving() as receiver, night(tmp_path, Slack(receiver.url)) as (watch, _, clock, _):
        happens(watch, clock, "began: copy with hunter2hunter2", "worker died: hunter2hunter2 <!channel>")
        await receiver.until(1)
        (text,) = texts(receiver)
        assert "hunter2" not in text
        assert "<!channel>" not in text
