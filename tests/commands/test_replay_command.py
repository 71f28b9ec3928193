"""`cockpit replay --headless`: its exit codes, a record that was altered, and what another plan would have said."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.plans.signing_plan import signing_plan
from support.records.lived_night import TURNS, Night

from cockpit.cli.main import main
from cockpit.plan.load import load_plan
from cockpit.replay.backtest import judged_by
from cockpit.replay.player import play_through
from cockpit.replay.session import Replay
from cockpit.replay.trace import trace_of


@pytest.fixture
async def night(tmp_path: Path) -> Night:
    plan = signing_plan(tmp_path)
    made = Night(plan, tmp_path / "records")
    made.clock.time += timedelta(seconds=1)
    await made.live([("vote", 1), *TURNS])
    return made


def replayed(folder: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["replay", str(folder), "--headless", *more])


async def test_the_command(night: Night, tmp_path: Path) -> None:
    assert night.folder is not None
    path, plan = night.folder.path, night.folder.plan
    told = replayed(path)
    assert told.exit_code == 2, told.output
    assert "Reproduced: " in told.output
    assert told.output.count("ROLLBACK") > 1
    early = replayed(path, "--at", "+1s")
    assert early.exit_code == 3, "nothing had been seen by then"
    assert "Reproduced: " in early.output
    kept_elsewhere = plan.rename(tmp_path / "elsewhere.yaml")
    gone = replayed(path)
    assert gone.exit_code == 65
    assert "--plan" in gone.output
    # Its copy is missing, so the journal cannot be proven to the last; played it can be.
    assert replayed(path, "--plan", str(kept_elsewhere)).exit_code == 2
    kept_elsewhere.rename(plan)
    assert replayed(tmp_path / "nothing").exit_code == 65
    assert replayed(path, "--at", "noon").exit_code == 64


async def test_one_altered_reading_is_told_though_nothing_turned_on_it(night: Night) -> None:
    assert night.folder is not None
    database = sqlite3.connect(night.folder.readings)
    with database:
        database.execute("UPDATE readings SET reading = replace(reading, 'arn:x', 'arn:y') WHERE id = 1")
    database.close()
    told = replayed(night.folder.path)
    assert told.exit_code == 70
    assert "readings it speaks for were changed" in told.output
    assert "NOT REPRODUCED" not in told.output


async def test_readings_nothing_speaks_for_are_told(night: Night) -> None:
    assert night.folder is not None
    assert "NOT PROVEN" not in replayed(night.folder.path).output
    with closing(sqlite3.connect(night.folder.readings)) as database, database:
        columns = "probe, observed_us, data_us, taken_us, reading, writer"
        database.execute(f"INSERT INTO readings ({columns}) SELECT {columns} FROM readings ORDER BY id DESC LIMIT 1")
    told = replayed(night.folder.path).output
    assert "THE READINGS ARE NOT PROVEN" in told
    assert "1 reading of" in told


async def test_what_another_plan_would_have_said(night: Night, tmp_path: Path) -> None:
    assert night.folder is not None
    other = tmp_path / "other.yaml"
    other.write_text(night.folder.plan.read_text().replace("== '000000000000'", "== '999999999999'"))
    told = replayed(night.folder.path, "--plan", str(other))
    assert told.exit_code == 1, told.output
    assert "Evaluated with" in told.output
    assert "ROLLBACK" not in told.output
    trace = trace_of(night.folder)
    assert "evaluated by other.yaml" in Replay(judged_by(trace, load_plan(other))).notice
    same = tmp_path / "same.yaml"
    same.write_text(night.folder.plan.read_text() + "# only another file\n")
    _, rejudged, _ = play_through(judged_by(trace, load_plan(same)))
    _, recorded, _ = play_through(trace)
    assert [(c.subject, c.after) for c in rejudged if c.subject == "wrong"] == [
        (c.subject, c.after) for c in recorded if c.subject == "wrong"
    ]
