"""What every command that loads a plan, or prints JSON, has: vars from a file and one by one; a version."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result
from commands.test_command_line import EVERY
from support.records.short_record import ALEX, START

from cockpit.cli.main import main
from cockpit.commands.plan_loading import known_vars
from cockpit.decide.events import PhaseBegan
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.writer import Journal
from cockpit.plan.load import declared_vars, load_plan
from cockpit.plan.model import Phase
from cockpit.shipped_plans import shipped_path

LOADS = [path for path, command in EVERY.items() if {"plan", "own_plan"} & {each.name for each in command.params}]
BESIDES = {"rehearse": ("--played", "--headless"), "backtest": ("--from", "1h")}
"""What a command needs besides the plan: a rehearsal, that it is of that plan and wants no terminal."""


def ask(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan with a story beside it."""
    folder = tmp_path_factory.mktemp("plans")
    written = Path(shipped_path("minimal.yaml")).read_text(encoding="utf-8")
    (folder / "minimal.yaml").write_text(written, encoding="utf-8")
    story = folder / "stories" / "one.yaml"
    story.parent.mkdir()
    story.write_text(
        "story: v1\nplan: ../minimal.yaml\ntitle: One\nexpect: [{at: 1m, verdict: HOLD}]\n", encoding="utf-8"
    )
    return folder / "minimal.yaml"


@pytest.fixture(scope="module")
def record(plan: Path) -> Path:
    """A record of that plan."""
    folder = RecordFolder.create("test", plan.read_bytes(), START, plan.parent)
    journal = Journal.open(
        folder.journal,
        "here",
        folder.id,
        actor=ALEX,
        body={"plan_digest": load_plan(plan).digest, "started_at": START.isoformat()},
    )
    journal.add(PhaseBegan(START, Phase.PRE_DEPLOY))
    journal.close()
    return folder.path


def words_of(path: str, plan: Path, record: Path) -> list[str]:
    """The command with a plan in the place where it takes one."""
    called, command = path.split()[1:], EVERY[path]
    named = {each.name for each in command.params if isinstance(each, click.Argument)}
    of_option = [] if "plan" in named else ["--plan", str(plan)]
    given = [str(record)] if "record" in named else [str(plan)] if "plan" in named else []
    if "document" in named:
        given += ["one"]
    return [*called, *of_option, *BESIDES.get(called[0], ()), *given]


@pytest.mark.parametrize("path", LOADS)
def test_a_var_that_the_plan_does_not_have_is_refused_wherever_one_is_loaded(
    path: str, plan: Path, record: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.yaml").write_text("nowhere_named: 1\n", encoding="utf-8")
    done = ask(*words_of(path, plan, record), "--vars", str(tmp_path / "other.yaml"))
    assert "there is no var 'nowhere_named'" in done.output, done.output
    assert done.exit_code == 65


OPTIONAL = [
    path
    for path in LOADS
    if path != "cockpit rehearse"  # which has a plan of its own
    and any({"--plan"} & {*each.opts} for each in EVERY[path].params)
]


@pytest.mark.parametrize("path", OPTIONAL)
@pytest.mark.parametrize("given", [("--var", "a=b"), ("--vars", "other.yaml")], ids=["var", "vars"])
def test_a_var_without_the_plan_it_is_of_is_refused(
    path: str, given: tuple[str, str], record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.yaml").write_text("a: b\n", encoding="utf-8")
    done = ask(*path.split()[1:], str(record), *given)
    assert "that --plan names" in done.output, done.output
    assert done.exit_code == 64


def test_the_vars_of_a_plan_are_found_as_loading_finds_them(tmp_path: Path) -> None:
    folder = Path(shipped_path("orders.yaml")).parent
    for path in (*folder.glob("*.yaml"), *folder.glob("parts/*.yaml")):
        written = path.read_text(encoding="utf-8")
        assert declared_vars(path) == (yaml.load(written, yaml.CSafeLoader).get("vars") or {}).keys()
    (tmp_path / "no.yaml").write_text("vars: [a: b\n", encoding="utf-8")
    assert known_vars(str(tmp_path / "no.yaml"), {"a": "1"}) == {"a": "1"}


def test_without_a_terminal_the_command_is_repeated_as_it_was_typed(plan: Path, record: Path) -> None:
    for typed, instead in (
        (
            f"rehearse one --plan {plan} --no-crew --var site_url=secret-word",
            f"rehearse one --no-crew --plan {plan} --var site_url=... --headless",
        ),
        ("rehearse --tour", "rehearse --headless"),
        (f"replay {record} --at +1m", f"replay {record} --at +1m --headless"),
        (f"run {plan} --profile prod --new", f"check {plan} --profile prod"),
    ):
        done = ask(*typed.split())
        assert done.output.rstrip().endswith(f"Without a terminal: cockpit {instead}"), done.output
        assert done.exit_code == 64


PRINTS = {
    path: command
    for path, command in EVERY.items()
    for each in command.params
    if each.name == "form" and isinstance(each.type, click.Choice) and "json" in each.type.choices
}
ASKED = {
    "cockpit validate": "PLAN",
    "cockpit lint": "PLAN",
    "cockpit record list": "",
    "cockpit journal show": "RECORD",
    "cockpit report": "RECORD",
}
"""What prints JSON without reading a live system, a database or playing a night."""


@pytest.mark.parametrize("path", ASKED)
def test_json_begins_with_its_version(path: str, plan: Path, record: Path) -> None:
    of = {"PLAN": [str(plan)], "RECORD": [str(record)], "": []}[ASKED[path]]
    done = ask(*path.split()[1:], *of, "--format", "json")
    text = done.stdout.splitlines()[0] if path == "cockpit journal show" else done.stdout
    assert next(iter(json.loads(text).items())) == ("version", 1)


def test_no_other_command_prints_json_past_the_function_that_asks_for_the_version() -> None:
    """`output_json` takes none without; these print documents that are also written to files."""
    documents = {"cockpit check", "cockpit prove", "cockpit backtest"}
    for path in PRINTS.keys() - ASKED.keys() - documents:
        callback = PRINTS[path].callback
        module = inspect.getmodule(inspect.unwrap(callback)) if callback else None
        source = inspect.getsource(module) if module else ""
        assert "json_text" not in source, path
        assert "json.dumps" not in source, path
