"""`cockpit journal` and `cockpit record` as a user meets them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from support.cockpit_process import run
from support.records.short_record import (
    ALEX,
    START,
    change,
    make_folder,
    make_key,
    open_journal,
    public_line,
    sign_off,
    write_session,
)
from support.timestamp_authority import TimestampAuthority, timestamp_server
from support.transparency_log import TransparencyLog

from cockpit.decide.events import StepBegan, StepEnded
from cockpit.journal.entry import Type
from cockpit.journal.findings import Subject
from cockpit.journal.record_folder import RecordFolder, find_record, list_records
from cockpit.journal.ssh.keys import KeyFile
from cockpit.journal.transparency_log import KEY, EntryKey, LogEntry
from cockpit.journal.writer import Draft, Journal
from cockpit.notifications.channels import Channel, Notice, PagerDuty, Slack


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def record(state: Path) -> RecordFolder:
    return make_folder(state / "cockpit" / "records")


def cockpit(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(arguments, os.environ | {"XDG_STATE_HOME": str(state), "HOME": str(state)})


pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="moves the state folder by XDG_STATE_HOME")


async def test_verify_says_intact_broken_and_not_provable(tmp_path: Path, state: Path, record: RecordFolder) -> None:
    key = make_key(tmp_path)
    head = write_session(record, key=KeyFile(key))
    authority = TimestampAuthority(tmp_path / "tsa")
    async with timestamp_server(authority) as url:
        stamped = await asyncio.to_thread(cockpit, state, "journal", "timestamp", "latest", "--tsa", url)
    assert (stamped.returncode, stamped.stderr) == (0, "")
    (tmp_path / "who").write_text(f"alex {public_line(key)}\n")
    signers = ("--allowed-signers", str(tmp_path / "who"), "--tsa-ca", str(authority.ca))
    intact = cockpit(state, "journal", "verify", str(record.path), "--anchor", head, *signers)
    assert (intact.returncode, intact.stderr) == (0, "")
    assert intact.stdout.startswith("INTACT")
    assert f"head {head} alex-laptop" in intact.stdout
    unproven = cockpit(state, "journal", "verify", record.id, *signers)
    assert unproven.returncode == 3
    assert "no anchor was given" in unproven.stdout
    path = record.journal / "alex-laptop.jsonl"
    path.write_bytes(path.read_bytes().replace(b"reason 1", b"reason 2"))
    broken = cockpit(state, "journal", "verify", "latest", "--anchor", head, *signers)
    assert broken.returncode == 1
    assert f"{path}:3: the session's signature is not of this line" in broken.stdout


def test_verify_prints_a_row_for_each_subject_and_says_a_rewrite_first(state: Path, record: RecordFolder) -> None:
    write_session(record)
    told = cockpit(state, "journal", "verify").stdout
    table = told.split("\n\n")[1].splitlines()
    assert table[0].startswith("completeness  NOT PROVABLE  that the record was not rewritten as a whole")
    assert "--anchor" in table[0]
    assert [line.split()[0] for line in table if line[0] != " "] == [str(subject) for subject in Subject]
    assert any(line.startswith("chains        PROVEN") for line in table)


def test_the_messages_a_head_was_posted_in_are_anchors(state: Path, record: RecordFolder, tmp_path: Path) -> None:
    head = write_session(record)
    notice = Notice(START, "move", "prod", record.id, "verdict", "HOLD", "ROLLBACK", "ROLLBACK", "the pool is full")
    receivers: tuple[Channel, ...] = (Slack("https://hooks.test/x"), PagerDuty("https://events.test", "0" * 32))
    for n, channel in enumerate(receivers):
        posted = channel.body(notice, head)
        (tmp_path / f"posted{n}").write_text(posted)
        for anchor in (posted, str(tmp_path / f"posted{n}")):
            told = cockpit(state, "journal", "verify", "latest", "--anchor", anchor).stdout
            assert "completeness  PROVEN" in told, told
        other = posted.replace(head, "0" * 64)
        done = cockpit(state, "journal", "verify", "latest", "--anchor", other)
        assert (done.returncode, "completeness  BROKEN" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "nothing"),
        ("verify", "latest", "--anchor", "abc"),
        ("verify", "latest", "--allowed-signers", "nothing"),
        ("verify", "latest", "--tsa-ca", "nothing"),
        ("timestamp", "latest"),
        ("show", "latest", "--type", "sonnet"),
        ("show", "latest", "--since", "yesterday"),
        ("dance",),
    ],
)
def test_usage(state: Path, record: RecordFolder, arguments: tuple[str, ...]) -> None:
    write_session(record)
    done = cockpit(state, "journal", *arguments)
    assert done.returncode == 64
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_no_records_at_all(state: Path) -> None:
    assert cockpit(state, "journal", "verify").returncode == 64
    listed = cockpit(state, "record", "list")
    assert listed.returncode == 0
    assert listed.stdout.startswith("No records in")


def test_show(state: Path, record: RecordFolder) -> None:
    write_session(record)
    whole = cockpit(state, "journal", "show")
    assert whole.returncode == 0
    assert len(whole.stdout.splitlines()) == 8
    assert "sign_off     alex (on_call)  kind=sign_off" in whole.stdout
    votes = cockpit(state, "journal", "show", "latest", "--type", "vote", "--type", "open", "--format", "json")
    assert [json.loads(line)["type"] for line in votes.stdout.splitlines()] == ["open", "vote"]
    for since, many in (("1h", 8), ("2020-01-01", 8), ("2999-01-01T00:00Z", 0), ("00:00", 8)):
        assert len(cockpit(state, "journal", "show", "--since", since).stdout.splitlines()) == many


def test_foreign_text_cannot_command_the_terminal(state: Path, record: RecordFolder) -> None:
    journal = open_journal(record)
    journal.add(sign_off("alex"), ALEX)
    journal.append(Draft(Type.NOTE, {"text": "a\x1b[2J\u202ereversed\nsecond \ud83d line \x9b1m"}))
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b"\x1b[2J not a line\n")
    for arguments in (("show",), ("verify",)):
        told = cockpit(state, "journal", *arguments)
        for each in ("\x1b", "\u202e", "\x9b"):
            assert each not in told.stdout + told.stderr
    assert "1 lines are not valid entries" in cockpit(state, "journal", "show").stderr


def test_record_list(state: Path, record: RecordFolder) -> None:
    journal = open_journal(record, "alex-laptop")
    journal.add(change())
    journal.close()
    open_journal(make_folder(record.path.parent), "bo-desk")
    listed = cockpit(state, "record", "list").stdout.splitlines()
    assert listed[0] == "20260102T220000Z-test-2  1 entry, bo-desk, no verdict, not closed"
    assert listed[1] == "20260102T220000Z-test  3 entries, alex-laptop, GO, closed"
    first, second = json.loads(cockpit(state, "record", "list", "--format", "json").stdout)["records"]
    assert (first["name"], second["writers"], second["verdict"]) == ("20260102T220000Z-test-2", ["alex-laptop"], "GO")


def test_folders(tmp_path: Path) -> None:
    folder = RecordFolder.create("../../a plan", b"x: 1\n", START, tmp_path)
    assert folder.path.parent == tmp_path
    assert folder.id == "20260102T220000Z-a-plan"
    assert folder.keep_plan(b"x: 1\n") == folder.keep_plan(b"x: 1\n")
    folder.keep_plan(b"x: 2\n")
    assert len(list(folder.path.glob("plan*.yaml"))) == 2
    assert find_record("latest", tmp_path) == find_record(folder.id, tmp_path) == next(list_records(tmp_path))
    (tmp_path / "stray").mkdir()
    assert len(list(list_records(tmp_path))) == 1
    (tmp_path / f"{folder.id}-2").symlink_to(tmp_path / "nowhere")
    assert RecordFolder.create("../../a plan", b"x: 1\n", START, tmp_path).id == f"{folder.id}-3"
    assert not (tmp_path / "nowhere").exists()


def test_the_verifier_s_own_plan_says_whose_log_entries_count(
    tmp_path: Path, state: Path, record: RecordFolder
) -> None:
    log, other, key = TransparencyLog(), TransparencyLog(), EntryKey()
    journal = open_journal(record)
    line = journal.append(Draft(Type.ANCHOR, {"where": "log.test", KEY: key.public}))
    _, answer = log.add(key.proposed(line.hash))
    journal.append(LogEntry.answered(line.hash, json.dumps(answer).encode(), "log.test").draft())
    journal.close()
    minimal = (Path(__file__).parents[2] / "checklists/minimal.yaml").read_text(encoding="utf-8")
    for name, each in (("own", log), ("other", other)):
        key_text = "".join(f"      {part}\n" for part in each.pem.splitlines())
        part = f"record:\n  transparency_log:\n    url: https://log.test\n    key: |\n{key_text}"
        (tmp_path / f"{name}.yaml").write_text(f"{minimal}\n{part}", encoding="utf-8")

    def time(*more: str) -> str:
        done = cockpit(state, "journal", "verify", str(record.path), *more)
        assert done.returncode in (1, 3), done.stderr
        return next(row for row in done.stdout.splitlines() if row.startswith("time"))

    assert "give --plan" in time()
    assert "the last 2 lines" in time("--plan", str(tmp_path / "own.yaml"))
    assert "another log than the plan names" in time("--plan", str(tmp_path / "other.yaml"))


def test_record_list_shows_how_long_steps_took(state: Path, record: RecordFolder) -> None:
    none = cockpit(state, "record", "list", "--durations")
    assert none.stdout.splitlines()[0] == f"No step was done in a record in {record.path.parent}"
    journal = Journal.open(record.journal, "alex-laptop", record.id, actor=ALEX, body={"plan": "orders"})
    for begins, took in ((0, 6), (30, 9), (60, 90)):
        at = START + timedelta(minutes=begins)
        outcome = "done" if took < 60 else "failed"
        journal.add(StepBegan(at, "back.ecs", "alex", "on_call"))
        journal.add(StepEnded(at + timedelta(minutes=took), "back.ecs", "alex", outcome, "", "on_call"))
    journal.close()
    shown = cockpit(state, "record", "list", "--durations")
    assert shown.stdout.splitlines()[0] == "orders  back.ecs: done 2 times before, 6m to 9m, median 7m30s"
    assert shown.stdout.splitlines()[1].endswith("cockpit/rehearsals")
    (found,) = json.loads(cockpit(state, "record", "list", "--durations", "--format", "json").stdout)["steps"]
    assert found == {
        "plan": "orders", "step": "back.ecs", "times": 2, "rehearsed": 0, "shortest_s": 360, "median_s": 450, "longest_s": 540,
    }  # fmt: skip
