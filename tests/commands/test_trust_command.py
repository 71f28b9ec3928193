"""`cockpit trust`: what a plan would do is listed, allowed once, asked again when it changes, and forgotten when told so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cockpit.cli.main import main

PLAN = """
plan: v1
name: p
vars: {host: api.example.org}
probes:
  models: {uses: llm.models, with: {url: "https://${host}", env: KEY}}
"""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    return file


def trust(plan: Path, *more: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["trust", str(plan), *more])
    return done.exit_code, done.output


def kept(plan: Path) -> Path:
    return plan.parent / "state" / "cockpit" / "trusted.json"


def test_what_it_would_do_is_listed_and_nothing_is_allowed_by_looking(plan: Path) -> None:
    code, text = trust(plan, "--list")
    assert (code, "models: sends the environment variable KEY to api.example.org" in text) == (1, True)
    assert not kept(plan).exists()


def test_without_a_terminal_nothing_is_allowed_unless_told(plan: Path) -> None:
    assert trust(plan)[0] == 64
    assert not kept(plan).exists()


def test_what_was_allowed_is_kept_for_its_user_alone_with_the_date_and_who(plan: Path) -> None:
    assert trust(plan, "--yes")[0] == 0
    assert trust(plan, "--list")[0] == 0
    assert kept(plan).stat().st_mode & 0o777 == 0o600
    (entry,) = json.loads(kept(plan).read_text()).values()
    assert {"plan", "digest", "demands", "at", "who"} <= set(entry)
    assert [each.name for each in kept(plan).parent.iterdir()] == ["trusted.json"]


def test_a_var_that_moves_a_secret_to_another_host_asks_again(plan: Path) -> None:
    trust(plan, "--yes")
    assert trust(plan, "--list", "--var", "host=evil.example.org")[0] == 1


def test_a_changed_plan_asks_again(plan: Path) -> None:
    trust(plan, "--yes")
    plan.write_text(PLAN + "# changed\n")
    assert trust(plan, "--list")[0] == 1


def test_revoking_forgets_it_for_every_var(plan: Path) -> None:
    trust(plan, "--yes")
    trust(plan, "--yes", "--var", "host=b.example.org")
    assert trust(plan, "--revoke")[0] == 0
    assert trust(plan, "--list")[0] == 1
    assert trust(plan, "--list", "--var", "host=b.example.org")[0] == 1


@pytest.mark.parametrize("held", ["", "[]", "{", '{"a": 1}', "null"])
def test_a_file_that_cannot_be_read_allows_nothing(plan: Path, held: str) -> None:
    kept(plan).parent.mkdir(parents=True)
    kept(plan).write_text(held)
    assert trust(plan, "--list")[0] == 1
    assert trust(plan, "--yes")[0] == 0


def test_a_plan_that_demands_nothing_needs_nobodys_word(plan: Path) -> None:
    plan.write_text("plan: v1\nname: p\nprobes: {one: {uses: s3.bucket, with: {bucket: files}}}\n")
    assert trust(plan)[0] == 0
