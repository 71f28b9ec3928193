"""Telling Slack and PagerDuty: in order, again after a failure, never in the way, with a head that proves the record."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from datetime import timedelta
from pathlib import Path

import pytest
from notifications.receiver import Pauses, night, receiving, see, texts, turn
from support.clock import HandClock
from support.cockpit_process import run
from support.plans.night_plan import night_plan
from support.plans.signing_plan import signing_plan
from support.sources import NoSource

from cockpit.decide.events import PhaseBegan, Vote
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.notifications import outbox
from cockpit.notifications.channels import CannotNotify, Channel, Notice, PagerDuty, Slack, channels
from cockpit.notifications.outbox import notifying
from cockpit.plan.model import Phase

GOOD, WRONG = "123456789012", "000000000000"


def verified(record: Path, anchor: str) -> tuple[str, int]:
    """What the command says, and its exit code."""
    done = run(("journal", "verify", str(record), "--anchor", anchor), os.environ)
    return done.stdout, done.returncode


async def test_a_rollback_is_told_with_its_reason_and_a_head_that_proves_the_record(tmp_path: Path) -> None:
    async with receiving() as receiver:
        async with night(tmp_path, Slack(receiver.url)) as (watch, kept, clock, _):
            see(watch, clock, WRONG)
            await receiver.until(1)
        (text,) = texts(receiver)
        assert text.startswith("*signing (staging) HOLD -&gt; ROLLBACK*")
        assert "The wrong account: identity account 000000000000" in text
        assert kept.folder.id in text
        assert f"{clock.now():%H:%M:%S} UTC" in text
        head = text.partition("head `")[2][:64]
    good, code = await asyncio.to_thread(verified, kept.folder.path, head)
    assert "Broken" not in good
    assert code != 1
    assert (await asyncio.to_thread(verified, kept.folder.path, "0" * 64))[1] == 1
    lines = [line for _, line in kept.folder.lines()]
    anchor = next(n for n, line in enumerate(lines) if line.hash == head)
    assert lines[anchor].entry.body["where"] == "slack"
    assert any(line.entry.body.get("after") == "ROLLBACK" for line in lines[:anchor])


async def test_a_trip_after_a_decision_is_told_again_though_the_word_is_the_same(tmp_path: Path) -> None:
    async with receiving() as receiver, night(tmp_path, Slack(receiver.url)) as (watch, kept, clock, _):
        see(watch, clock, WRONG)
        await receiver.until(1)
        await Desk(watch, kept, "ada").decide("execute", "the wrong account")
        for account in (GOOD, WRONG):
            for _ in range(3):
                see(watch, clock, account)
        await receiver.until(2)
        assert "ROLLBACK -&gt; ROLLBACK" in texts(receiver)[1]


async def test_messages_keep_their_order_through_failures(tmp_path: Path) -> None:
    pauses = Pauses()
    async with (
        receiving(500, 429, 200, 503, 200) as receiver,
        night(tmp_path, Slack(receiver.url), pauses=pauses) as (watch, _, clock, _),
    ):
        for word in ("GO", "HOLD", "ROLLBACK"):
            turn(watch, clock, word)
        await receiver.until(6)
        said = [text.split("*")[1].split("-&gt; ")[1] for text in texts(receiver)]
        assert said == ["GO", "GO", "GO", "HOLD", "HOLD", "ROLLBACK"]
        assert pauses.asked == [7.0, 7.0, 7.0]
        assert watch.notice == ""


async def test_what_is_refused_for_good_is_given_up_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with receiving(404, 200) as receiver, night(tmp_path, Slack(receiver.url)) as (watch, _, clock, told):
        turn(watch, clock, "GO")
        await receiver.until(1)
        await told.delivered()
        assert watch.notice == "slack cannot be reached: HTTP 404, 1 given up"
        turn(watch, clock, "HOLD")
        await told.delivered()
        assert len(receiver.bodies) == 2
        assert watch.notice == ""
    assert "hidden-part" not in caplog.text
    assert "HTTP 404" in caplog.text


async def test_a_dead_host_delays_no_tick_and_no_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with receiving(silent=True) as receiver:
        async with night(tmp_path, Slack(receiver.url), grace_s=0.1) as (watch, _, clock, _):
            for n in range(300):
                turn(watch, clock, ("GO", "HOLD")[n % 2])
                watch.tick()
            await receiver.came.wait()
            assert "given up" in watch.notice
        assert receiver.answered == 0
    assert "before every notice had arrived" in caplog.text
    assert "hidden-part" not in caplog.text


async def test_nobody_there_is_tried_again_and_named_without_the_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pauses = Pauses()
    async with night(tmp_path, Slack("http://127.0.0.1:9/services/hidden-part"), pauses=pauses) as (
        watch,
        _,
        clock,
        told,
    ):
        turn(watch, clock, "ROLLBACK")
        await told.delivered()
        assert watch.notice == "slack cannot be reached: UNREACHABLE, 1 given up"
    assert pauses.asked == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    assert "hidden-part" not in caplog.text


async def test_one_channel_does_not_wait_for_another(tmp_path: Path) -> None:
    async with receiving(silent=True) as dead, receiving() as pager:
        where = (Slack(dead.url), PagerDuty(pager.url, "routing-key"))
        async with night(tmp_path, *where, grace_s=0.05) as (watch, kept, clock, _):
            for word in ("ROLLBACK", "HOLD", "GO", "FIX FORWARD"):
                turn(watch, clock, word, "errors")
            await pager.until(3)
        assert [body["event_action"] for body in pager.bodies] == ["trigger", "resolve", "trigger"]
        assert {body["dedup_key"] for body in pager.bodies} == {kept.folder.id}
        payload = pager.bodies[0]["payload"]
        assert isinstance(payload, dict)
        assert payload["severity"] == "critical"
        assert len(payload["custom_details"]["head"]) == 64


async def test_gates_are_told_to_slack_alone(tmp_path: Path) -> None:
    async with receiving() as slack, receiving() as pager:
        where = (Slack(slack.url), PagerDuty(pager.url, "k"))
        async with night(tmp_path, *where) as (watch, _, clock, _):
            digest = watch.plan.digest
            for by, role in (("ada", "on_call"), ("bob", "dba")):
                watch.record.append(Vote(clock.now(), "deploy", by, role, "go", plan_digest=digest))
            watch.tick()
            await slack.until(1)
        assert texts(slack)[0].startswith("*signing (staging) Go / no-go: passed*")
        assert "ada (on-call): go" in texts(slack)[0]
        assert pager.bodies == []


async def test_a_rehearsal_says_so_loudly(tmp_path: Path) -> None:
    async with receiving() as slack, receiving() as pager:
        where = (Slack(slack.url), PagerDuty(pager.url, "k"))
        async with night(tmp_path, *where, rehearsal=True) as (watch, _, clock, _):
            turn(watch, clock, "ROLLBACK")
            await slack.until(1)
            await pager.until(1)
        assert texts(slack)[0].startswith("*REHEARSAL, nothing of this is real: signing")
        payload = pager.bodies[0]["payload"]
        assert isinstance(payload, dict)
        assert str(payload["summary"]).startswith("REHEARSAL")
        assert payload["severity"] == "info"


async def test_what_was_recorded_before_is_not_told_again(tmp_path: Path) -> None:
    async with receiving() as receiver:
        async with night(tmp_path, Slack(receiver.url)) as (watch, _, clock, _):
            turn(watch, clock, "ROLLBACK")
        async with night(tmp_path, Slack(receiver.url)) as (watch, _, clock, _):
            turn(watch, clock, "HOLD")
        assert [text.split("*")[1].split("-&gt; ")[1] for text in texts(receiver)] == ["ROLLBACK", "HOLD"]


async def test_secrets_in_a_reason_do_not_leave(tmp_path: Path) -> None:
    async with receiving() as receiver, night(tmp_path, Slack(receiver.url)) as (watch, _, clock, _):
        turn(watch, clock, "HOLD", "no")
        turn(watch, clock, "ROLLBACK", "postgresql://app:hunter22@db/app <!channel>")
        await receiver.until(1)
        assert "hunter22" not in texts(receiver)[-1]
        assert "<!channel>" not in texts(receiver)[-1]


def test_channels_come_from_the_environment_and_hide_what_they_hold() -> None:
    environ = {"COCKPIT_SLACK_WEBHOOK": "https://hooks.example/secret-path", "COCKPIT_PAGERDUTY_KEY": "secret-key"}
    found = channels(["slack", "pagerduty", "slack"], environ)
    assert [each.name for each in found] == ["slack", "pagerduty"]
    assert "secret" not in repr(found)
    for names, given in (
        (["slack"], {}),
        (["pagerduty"], {}),
        (["slack"], {"COCKPIT_SLACK_WEBHOOK": "ftp://secret"}),
        (["slack"], {"COCKPIT_SLACK_WEBHOOK": "http://[secret"}),
        (["pigeon"], environ),
    ):
        with pytest.raises(CannotNotify) as refused:
            channels(names, given)
        assert "secret" not in str(refused.value)


def test_a_cockpit_that_cannot_tell_does_not_open(tmp_path: Path) -> None:
    plan = signing_plan(tmp_path)
    env = {name: value for name, value in os.environ.items() if not name.startswith("COCKPIT_")}
    for command in (("run", plan.path), ("rehearse", "smooth", "--headless")):
        done = run((*command, "--notify", "slack"), env | {"HOME": str(tmp_path)})
        assert done.returncode == 64
        assert done.stderr.endswith("--notify: COCKPIT_SLACK_WEBHOOK is not set\n")


def test_a_journal_that_is_not_written_is_said(tmp_path: Path) -> None:
    clock = HandClock()
    notice = Notice(clock.now(), "p", "", "r", "verdict", "HOLD", "GO", "GO (1 waiver)", "")
    assert "the record is NOT being written" in Slack("http://a").body(notice, "")
    assert "GO (1 waiver)" in Slack("http://a").body(notice, "0" * 64)


def test_the_longest_wait_for_a_message_is_minutes() -> None:
    waits = [min(outbox.LONGEST_PAUSE_S, 2**n) for n in range(outbox.TRIES - 1)]
    assert sum(waits) < 180


async def test_the_last_safe_moment_is_brought_up_thirty_and_ten_minutes_before_and_once_it_is_past(
    tmp_path: Path,
) -> None:
    clock = HandClock()
    plan = night_plan(tmp_path)
    async with receiving() as slack, receiving() as pager:
        where: list[Channel] = [Slack(slack.url), PagerDuty(pager.url, "k" * 32)]
        async with recording(plan, clock, who="ada", root=tmp_path / "records") as kept:
            watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
            kept.attach(watch)
            watch.record.append(PhaseBegan(clock.now(), Phase.POST_DEPLOY))
            watch.tick()
            async with notifying(watch, kept, where, sleep=Pauses(), grace_s=5.0) as notices:
                for minute in range(0, 360, 2):  # 03:30 is minute 330
                    clock.time = kept.started_at + timedelta(minutes=minute)
                    watch.tick()
                await notices.delivered()
    texts = [str(body["text"]).splitlines() for body in slack.bodies]
    assert [text[0] for text in texts] == [
        "*signing (staging) last safe moment: 30m left*",
        "*signing (staging) last safe moment: 10m left*",
        "*signing (staging) last safe moment: too late*",
    ]
    assert texts[0][2].startswith("decide by 03:30 (in 30m): ")
    assert "a rollback takes 15m, reserve 15m, the window ends 04:00" in texts[0][2]
    assert texts[2][2].startswith("a rollback now would end at 03:47, 2m into the reserve of 15m: ")
    pages = [(body["event_action"], body["dedup_key"]) for body in pager.bodies]
    assert pages == [("trigger", f"{kept.folder.id} last safe moment")] * 3
    urgent = [each.get("severity") for body in pager.bodies if isinstance(each := body["payload"], dict)]
    assert urgent == ["warning", "critical", "critical"]


def test_a_rollback_that_has_begun_resolves_the_page_of_the_last_safe_moment_and_slack_hears_nothing() -> None:
    at = HandClock().now()
    begun = Notice(at, "p", "", "r", "last safe moment", "10m left", "rolling back", "rolling back", "")
    assert PagerDuty("http://a", "k").wants(begun)
    assert json.loads(PagerDuty("http://a", "k").body(begun, ""))["event_action"] == "resolve"
    assert not Slack("http://a").wants(begun)
    assert not PagerDuty("http://a", "k").wants(
        Notice(at, "p", "", "r", begun.subject, "not deployed", "fits", "fits", "")
    )
