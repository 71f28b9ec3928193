"""A record made with variables is reported, replayed and judged by another plan; what was hidden in it stays hidden."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.clock import HandClock
from support.records.lived_night import reading
from support.sources import NoSource

from cockpit.cli.main import main
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.record_folder import RecordFolder
from cockpit.plan.load import load_plan
from probes.reading import Reading

TEXT = """\
plan: v1
name: windows
title: Windows
environment: staging
vars: {token_window: 5m, window: 5m, url: "https://app.example.com", store: "${env:STORE_HOST}"}
probes:
  identity: {uses: aws.identity}
  page: {uses: http.health, with: {url: "${url}/health"}}
  store: {uses: http.health, with: {url: "https://${store}/health"}}
success_criteria:
  - {id: right, title: "The right account", success_condition: "identity.account == '123456789012'", for: "${token_window}"}
  - {id: page, title: The page answers, success_condition: page.ok, for: "${window}"}
  - {id: store, title: The store answers, success_condition: store.ok}
"""


class Session:
    """One session of a cutover under a plan with variables, on a real record."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "windows.yaml"
        self.path.write_text(TEXT)
        self.root, self.clock = tmp_path / "records", HandClock()

    async def hold(self, variables: Mapping[str, str], *, minutes: int = 12) -> RecordFolder:
        plan = load_plan(self.path, overrides=variables, environ={"STORE_HOST": "from-the-environment.internal"})
        async with recording(plan, self.clock, who="ada", root=self.root, variables=variables) as kept:
            watch = Watch(plan, NoSource(), self.clock, kept.record, kept.started_at)
            kept.attach(watch)
            for _ in range(minutes * 2):
                self.clock.time += timedelta(seconds=30)
                watch.take("identity", reading("right", self.clock.now()))
                watch.take("page", Reading(self.clock.now(), self.clock.now(), {"ok": True}))
                watch.tick()
            return kept.folder


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path)


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in words])


def reported(folder: RecordFolder) -> dict[str, Any]:
    told = run("report", folder.path, "--format", "json")
    assert told.exit_code == 0, told.output
    return dict(json.loads(told.stdout))


def judged(folder: RecordFolder, *more: object) -> Result:
    return run("replay", folder.path, "--headless", *more)


VARIABLES = [
    {},
    {"window": "10m"},
    {"token_window": "5m"},
    {"url": "https://ops:swordfish@app.example.com"},
    {"url": "https://app.example.com/?token=swordfish&"},
    {"store": "swordfish.internal"},
    {"store": "swordfish.internal", "window": "2m", "token_window": "5m"},
]


@pytest.mark.parametrize("variables", VARIABLES, ids=repr)
async def test_what_was_recorded_with_variables_is_reported_replayed_and_judged_by_another_plan(
    session: Session, variables: Mapping[str, str], tmp_path: Path
) -> None:
    folder = await session.hold(variables)
    told = reported(folder)
    assert told["plan"]["problem"] == ""
    assert told["plan"]["title"] == "Windows"
    again = judged(folder)
    assert "NOT REPRODUCED" not in again.output
    assert "Reproduced: " in again.output, again.output
    other = tmp_path / "other.yaml"
    other.write_text(TEXT + "# another file\n")
    assert "Evaluated with" in judged(folder, "--plan", other).output


@pytest.mark.parametrize("variables", VARIABLES, ids=repr)
async def test_no_secret_is_in_the_record(session: Session, variables: Mapping[str, str]) -> None:
    folder = await session.hold(variables, minutes=1)
    for path in folder.path.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert b"swordfish" not in held, path
            assert b"from-the-environment" not in held, path


async def test_a_variable_the_record_hides_is_named_where_its_value_decided(session: Session) -> None:
    folder = await session.hold({"token_window": "10m"})
    told = reported(folder)
    assert told["plan"]["problem"] == ""
    assert told["plan"]["hidden_vars"] == ["token_window"]
    again = judged(folder)
    assert again.exit_code == 70, "with the plan's own 5m the criterion is met earlier than it was"
    assert "token_window" in again.output


async def test_a_second_session_with_other_variables_is_replayed_by_its_own(session: Session) -> None:
    await session.hold({"window": "2m"}, minutes=1)
    folder = await session.hold({"window": "10m"})
    again = judged(folder)
    assert "Reproduced: " in again.output, again.output


async def test_a_plan_that_does_not_load_without_what_is_hidden_is_said_so(session: Session) -> None:
    session.path.write_text(TEXT.replace("token_window: 5m", "token_window: set it with --var"))
    folder = await session.hold({"token_window": "5m"})
    assert "token_window" in reported(folder)["plan"]["problem"]
    again = judged(folder)
    assert again.exit_code == 65
    assert "the record hides the value of token_window" in again.output


async def test_a_plan_whose_file_is_gone_is_named_with_plan(session: Session, tmp_path: Path) -> None:
    folder = await session.hold({"token_window": "5m", "window": "10m"})
    elsewhere = folder.plan.rename(tmp_path / "elsewhere.yaml")
    assert "no copy" in reported(folder)["plan"]["problem"]
    gone = judged(folder)
    assert gone.exit_code == 65
    assert "--plan" in gone.output
    assert "Reproduced: " in judged(folder, "--plan", elsewhere).output
