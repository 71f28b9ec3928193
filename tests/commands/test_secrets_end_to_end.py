"""Secrets known by value, said back by the world in every form, through everything the cockpit writes: none of it is there."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from support.clock import HandClock
from support.sources import NoSource
from tui.stage import START, shown, until

from cockpit.cli.lazy_group import failed
from cockpit.cli.main import main
from cockpit.decide.events import Happened
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.log_file import log_to_file
from cockpit.notifications.channels import Notice, PagerDuty, Slack
from cockpit.plan.load import load_plan
from cockpit.report.formats.situation_json import situation_json
from cockpit.report.formats.situation_text import situation_text
from cockpit.tui.app import CockpitApp
from probes.known_secrets import KNOWN, remember_json
from probes.reading import Evidence, Reading, Reason, Unknown

SECRETS = {
    "environment": "Env-kQ2m'V7bN4/+",
    "--var": "Var-hJ8x&T3cR6/+",
    "DSN": "Dsn@pW5z!L9dS1/+",
    "Secrets Manager": "Sec-yB4n%G7fK2/+",
}
FORMS: dict[str, Callable[[str], str]] = {
    "whole": lambda s: s,
    "URL-encoded": lambda s: quote(s, safe=""),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "CR-trailed": lambda s: f"{s}\r",
}
ECHO = " | ".join(form(secret) for secret in SECRETS.values() for form in FORMS.values())
PLAN = """\
plan: v1
name: secrets
title: Secrets
environment: staging
vars: {token: "${env:TOKEN}", given: "${env:GIVEN}"}
people: [{id: ada, name: Ada, roles: [on_call]}]
probes:
  site: {uses: http.health, with: {url: "http://127.0.0.1:9/", headers: {Authorization: "Bearer ${token}", X-Given: "${given}"}}}
  database: {uses: postgres.pool, with: {dsn: "${env:DSN}"}}
success_criteria:
  - {id: up, title: The site answers, success_condition: "site.ok"}
rollback_triggers:
  - {id: down, title: The site is down, failure_condition: "!site.ok"}
"""


def leaks(text: str) -> list[str]:
    """Which secret stands in the text in which form."""
    needles = {
        f"{of}, {name}": form(secret).rstrip("\r") for of, secret in SECRETS.items() for name, form in FORMS.items()
    }
    return [name for name, needle in needles.items() if needle in text]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    KNOWN.forget_all()
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    before = logging.getLogger().handlers[:]
    yield tmp_path
    for handler in logging.getLogger().handlers:
        if handler not in before:
            handler.close()
    logging.getLogger().handlers[:] = before
    KNOWN.forget_all()


async def test_no_secret_is_in_anything_that_is_written_or_shown(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (state / "plan.yaml").write_text(PLAN, encoding="utf-8")
    dsn = f"postgresql://me:{quote(SECRETS['DSN'], safe='')}@127.0.0.1:9/db"
    environ = {"TOKEN": SECRETS["environment"], "GIVEN": "another-value", "DSN": dsn}
    given = {"given": SECRETS["--var"]}
    plan = load_plan(state / "plan.yaml", environ=environ, overrides=given)
    remember_json(f'{{"password": "{SECRETS["Secrets Manager"]}"}}')
    assert len(leaks(ECHO)) == len(SECRETS) * len(FORMS), "the world says every one of them"
    outlets: dict[str, str] = {}

    log_file = log_to_file()
    logging.getLogger("cockpit.test").error("it said %s", ECHO, exc_info=ValueError(ECHO))
    clock = HandClock(START)
    async with recording(plan, clock, who="ada", root=state / "records", variables=given) as kept:
        watch = Watch(plan, NoSource(), clock, kept.record)
        kept.attach(watch)
        why, evidence = Unknown(Reason.ERROR, ECHO, ECHO), Evidence(ECHO, ECHO, ECHO, (ECHO,))
        for name, spec in plan.probes.items():
            clock.time += timedelta(seconds=1)
            unknown = {field.name: why for field in spec.fields}
            watch.take(name, Reading(clock.time, clock.time, {}, unknown, evidence))
        watch.record.append(Happened(clock.time, "site", ECHO, "ada"))
        watch.notices.append(lambda: ECHO)
        watch.tick()
        outlets["text"], outlets["json"] = situation_text(watch.situation), situation_json(watch.situation)
        notice = Notice(clock.time, plan.name, ECHO, ECHO, "verdict", "GO", "ROLLBACK", ECHO, ECHO)
        outlets["slack"] = Slack("http://127.0.0.1:9/hook").body(notice, "0" * 64)
        outlets["pagerduty"] = PagerDuty("http://127.0.0.1:9/", "key").body(notice, "0" * 64)
        app = CockpitApp(watch)
        async with app.run_test(size=(200, 60), notifications=True) as pilot:
            for keys in ("1", "enter", "escape", "3", "enter", "escape", "6", "N", "escape", "question_mark", "escape"):
                await pilot.press(keys)
                await until(pilot, lambda: "UTC" in shown(app))
                outlets[f"screen {len(outlets)}"] = shown(app)
            app.show_message(ECHO)
            await pilot.pause()
            outlets["message"] = shown(app)
        folder = kept.folder.path
    assert failed(RuntimeError(ECHO)) == 70
    outlets["exception"] = "".join(capsys.readouterr())
    for form in ("md", "html", "json", "junit", "in-toto"):
        done = await asyncio.to_thread(CliRunner().invoke, main, ["report", str(folder), "--format", form])
        assert done.exit_code == 0, done.output
        outlets[f"report {form}"] = done.output
    outlets["journal show"] = CliRunner().invoke(main, ["journal", "show", str(folder)]).output
    assert log_file is not None
    for path in (*folder.rglob("*"), log_file):
        if path.is_file() and path.stat().st_size:
            outlets[f"file {path.name}"] = path.read_bytes().decode("utf-8", "replace")

    assert len([name for name in outlets if name.startswith("file")]) >= 3, "journal, readings and log are there"
    assert [name for name, text in outlets.items() if not text.strip()] == []
    assert {name: found for name, text in outlets.items() if (found := leaks(text))} == {}
