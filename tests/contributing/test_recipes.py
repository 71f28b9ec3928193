"""The recipes of CONTRIBUTING.md work as they are written: their code is run here."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner
from contributing.contributing_page import ROOT, code, section
from plan.lint import lint_cases
from support.records.short_record import make_folder, write_session

from cockpit.cli.main import main
from cockpit.commands import iam
from cockpit.decide import states
from cockpit.decide.states import State
from cockpit.plan.document import json_schema
from cockpit.plan.lint.run import lint_source
from cockpit.plan.load import PlanError, load_text
from cockpit.plan.source.source_file import Source
from probes.clients import aws_errors
from probes.registry import BUILT_IN

PROBE, PROBE_TEST = code("A new probe in ten minutes")
RULE, CASE = code("A new lint rule")
PLAN = """
plan: v1
name: p
target: {account: "123456789012", region: eu-central-1}
probes: {topic: {uses: sns.topic, with: {topic: alerts}}}
rollback_triggers: [{id: t, title: T, failure_condition: "CONDITION", for: 5m}]
"""


def run(source: str, name: str, patch: pytest.MonkeyPatch | None = None) -> ModuleType:
    """A module of that name made of this text; with `patch` others can import it, for the length of a test."""
    module = ModuleType(name)
    if patch:
        patch.setitem(sys.modules, name, module)
    exec(compile(source, f"<{name} of CONTRIBUTING.md>", "exec"), vars(module))
    return module


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> str:
    """The recipe's probe, in the registry by the line that the recipe gives; its name."""
    found = re.search(r'"([\w.]+)": "([\w.]+):(\w+)",', section("A new probe in ten minutes"))
    assert found, "the recipe gives no line for probes/registry.py"
    name, module, kind = found.groups()
    made = run(PROBE, module, monkeypatch)
    assert vars(made)[kind].name == name
    monkeypatch.setitem(BUILT_IN, name, f"{module}:{kind}")
    return name


@pytest.mark.parametrize(("source", "path"), [(PROBE, "probes/aws/sns.py"), (PROBE_TEST, "tests/probes/test_sns.py")])
def test_the_probe_s_code_is_formatted_and_passes_ruff(source: str, path: str) -> None:
    # I001: what of a file that is not there is ours, ruff cannot tell.
    for command in (["check", "--ignore", "I001"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "--stdin-filename", path, "-"]
        done = subprocess.run(ruff, cwd=ROOT, input=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_probe_s_tests_pass(probe: str) -> None:
    tests = {name: test for name, test in vars(run(PROBE_TEST, "test_sns")).items() if name.startswith("test_")}
    assert len(tests) > 2
    for test in tests.values():
        asyncio.run(test())


def test_the_probe_is_listed_explained_and_part_of_the_schema(probe: str) -> None:
    assert probe in CliRunner().invoke(main, ["probes"]).output
    assert "sns:GetTopicAttributes" in CliRunner().invoke(main, ["probes", probe]).output
    assert f'"const": "{probe}"' in json_schema.schema_text()


def test_conditions_on_the_probe_are_type_checked_and_its_permissions_are_narrow(probe: str) -> None:
    plan = load_text(PLAN.replace("CONDITION", "topic.subscribers > 100"), "p.yaml", environ={})
    arn = "arn:aws:sns:eu-central-1:123456789012:alerts"
    assert iam.probes_need(plan) == {"sns:GetTopicAttributes": {arn}}
    with pytest.raises(PlanError, match="subscribers"):
        load_text(PLAN.replace("CONDITION", "topic.subscribers == 'x'"), "p.yaml", environ={})


def test_the_places_the_probe_recipe_names_for_errors_are_there() -> None:
    named = set(re.findall(r"`(_[A-Z_]+)`", section("A new probe in ten minutes")))
    assert named
    assert {name for name in named if not hasattr(aws_errors, name)} == set()


def test_the_rule_finds_the_plan_that_has_it_and_leaves_the_other_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    (rule,) = run(RULE, "cockpit.plan.lint.recipe").RULES
    monkeypatch.setattr("cockpit.plan.lint.run.RULES", (rule,))
    bad, good = eval("{" + CASE + "}")[rule.id]
    found, none = (lint_source(Source.of(lint_cases.HEAD + text, "p.yaml"), environ={}) for text in (bad, good))
    assert [one.rule.id for one in found] == [rule.id]
    assert none == []
    assert rule.why.endswith(".")
    assert rule.instead.endswith(".")


def test_the_state_is_defined_as_the_recipe_says(monkeypatch: pytest.MonkeyPatch) -> None:
    (definition,) = code("A new state")
    source = Path(states.__file__).read_text(encoding="utf-8")
    added = source.replace("    MET = (\n", definition + "    MET = (\n")
    assert added != source
    made = run(added, "cockpit.decide.states_of_the_recipe", monkeypatch)
    assert (set(made.State) - set(State)) == {"SETTLING"}
    assert made.meaning_of("SETTLING").help != made.meaning_of("UNKNOWN").help


def test_the_command_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = code("A new command")
    line = re.search(r'`"(\w+)": Lazy\("([\w.]+)", "([^"]+)"\),`', section("A new command"))
    assert line, "the recipe gives no line for COMMANDS"
    name, module, sentence = line.groups()
    command = run(source, module, monkeypatch).main
    assert (command.name, command.help) == (name, sentence)
    head = write_session(folder := make_folder(tmp_path))
    done = CliRunner().invoke(click.Group(commands=[command]), [name, str(folder.path)], standalone_mode=False)
    assert done.output == f"{head} {next(iter(folder.journal.iterdir())).stem}\n"
    assert done.return_value == 0
    missing = CliRunner().invoke(click.Group(commands=[command]), [name, str(tmp_path / "none")], standalone_mode=False)
    assert missing.return_value == 64
    assert missing.stderr


RECIPES = ("A new probe in ten minutes", "A new state", "A new lint rule", "A new screen", "A new command")


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_name_in_a_recipe_is_in_the_code(recipe: str) -> None:
    texts = [
        path.read_text(encoding="utf-8")
        for room in ("cockpit", "probes", "tests")
        for path in (ROOT / room).rglob("*.py")
    ]
    every = set(re.findall(r"\w+", "\n".join([*texts, *code(recipe)])))
    prose = re.sub(r"^```.*?^```$", "", section(recipe), flags=re.MULTILINE | re.DOTALL)
    named = {name.strip("@()") for name in re.findall(r"`(@?[A-Za-z_]\w+(?:\(\))?)`", prose)}
    assert {name for name in named if name not in every | {"go_NAME", "NonExistentQueue"}} == set()


def test_every_file_in_a_recipe_is_there() -> None:
    new = {"sns.py", "test_sns.py", "heads.py"}
    there = {path.name for room in ("cockpit", "probes", "tests") for path in (ROOT / room).rglob("*.py")}
    named = {name for recipe in RECIPES for name in re.findall(r"`(?:[\w/]+/)?(\w+\.py)`", section(recipe))}
    assert named - there - new == set()
