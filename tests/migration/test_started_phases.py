"""A phase is started as a process of its own: no secret in its command line, and its last words when it dies at once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from engine.fake_world import plan_of
from migration.test_phase_proposal import SHOWN
from support.clock import HandClock
from support.sources import NoSource
from support.waiting import until

from cockpit.cli.main import main
from cockpit.decide.events import Happened
from cockpit.engine.watch import Watch
from cockpit.exit_codes import USAGE
from cockpit.migration.chronicle import Chronicle
from cockpit.migration.controller import Controller
from cockpit.migration.progress import Progress
from cockpit.migration.states import PhaseName
from cockpit.plan.model import Migration
from probes.clients.child_process import GIVEN_VARS

SECRET = "database_url=postgresql://app:hunter2hunter2@db.invalid/app"


def controller(tmp_path: Path, plan: str) -> Controller:
    log = tmp_path / "migration.log"
    log.touch()
    return Controller(
        Migration("postgresql://db.invalid/app", "bucket", "eu-west-1", ()), plan, (SECRET,), log_file=str(log)
    )


async def test_no_value_of_a_plans_var_stands_in_the_command_line(tmp_path: Path) -> None:
    made = controller(tmp_path, str(tmp_path / "no-such-plan.yaml"))
    made.go_on()
    process = psutil.Process(made._started[0].process.pid)
    await until(lambda: "migrate" in process.cmdline())
    assert "hunter2" not in " ".join(process.cmdline())
    assert made.beginning is PhaseName.COPY
    made.progress = Progress(prepared=True, run=1, active=True)
    assert made.beginning is None, "its run has begun"
    assert json.loads(process.environ()[GIVEN_VARS]) == [SECRET]
    made.end_started()


async def test_a_phase_that_dies_before_it_began_says_why(tmp_path: Path) -> None:
    made = controller(tmp_path, str(tmp_path / "no-such-plan.yaml"))
    made.go_on()
    await until(lambda: made._started[0].process.code is not None)
    words = await asyncio.to_thread(made._died)
    assert words.startswith("copy ended with exit 65 before it began: ")
    assert "no-such-plan.yaml" in words


@pytest.mark.parametrize("ownerless", [True, False])
async def test_a_phase_that_dies_and_leaves_its_run_says_why(tmp_path: Path, ownerless: bool) -> None:
    """Without a word "NO SUPERVISOR" stood there, and nobody knew the cause. One that has ended its run left nothing."""
    made = controller(tmp_path, str(tmp_path / "no-such-plan.yaml"))
    made.go_on()
    made.progress = Progress(prepared=True, run=7, active=ownerless, ownerless=ownerless)
    await until(lambda: made._started[0].process.code is not None)
    words = await asyncio.to_thread(made._died)
    assert words.startswith("copy ended with exit 65 and left run 7: ") == ownerless
    assert ("no-such-plan.yaml" in words) == ownerless


@pytest.mark.parametrize("phase", [PhaseName.PURGE, PhaseName.RESTORE])
async def test_what_was_stated_and_not_begun_is_in_the_record_with_how_to_go_on(
    tmp_path: Path, phase: PhaseName
) -> None:
    made, watch = (
        controller(tmp_path, str(tmp_path / "no-such-plan.yaml")),
        Watch(plan_of("m"), NoSource(), HandClock()),
    )
    made.on_death.append(Chronicle(watch.record, watch.clock).record_death)
    made.begin(replace(SHOWN, phase=phase), "it is time")
    await until(lambda: made._started[0].process.code is not None)
    words = made._died()
    assert words.endswith("without new votes, if nothing changed") == (phase is PhaseName.PURGE), (
        "a restore has no gate"
    )
    assert [each.text for each in watch.record.all(Happened)] == [words]
    assert made._died() == words
    assert len(watch.record.all(Happened)) == 1


async def test_its_last_words_hold_no_secret_and_nothing_unseen(tmp_path: Path) -> None:
    made = controller(tmp_path, str(tmp_path / "password=hunter2hunter2 \x1b[2J.yaml"))
    Path(made.log_file).write_text("what another phase wrote\n")
    made.go_on()
    await until(lambda: made._started[0].process.code is not None)
    words = made._died()
    assert "hunter2" not in words
    assert "\x1b" not in words
    assert "another phase" not in words


async def test_a_phase_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    made = controller(tmp_path, "plan.yaml")
    made.log_file = str(tmp_path / "no-such-folder" / "log")
    assert made.go_on() == "copy was not started: No such file or directory"


def test_vars_of_the_environment_are_those_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "plan: v1\nname: p\nvars: {host: here}\nprobes: {live: {uses: http.health, with: {url: 'https://${host}'}}}\n"
    )
    monkeypatch.setenv(GIVEN_VARS, json.dumps(["nothing=here"]))
    done = CliRunner().invoke(main, ["check", str(plan)])
    assert "nothing" in done.output
    monkeypatch.setenv(GIVEN_VARS, "host=here")
    done = CliRunner().invoke(main, ["check", str(plan)])
    assert done.exit_code == USAGE
    assert "is not a JSON list of texts" in done.output
