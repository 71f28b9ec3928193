"""`cockpit lint` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result
from plan.lint.lint_cases import HEAD, trigger

from cockpit.cli.main import main


def plan(folder: Path, text: str) -> str:
    path = folder / "p.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return str(path)


def linted(path: str, form: str = "text") -> Result:
    return CliRunner().invoke(main, ["lint", path, "--format", form])


def test_a_clean_plan_exits_0(tmp_path: Path) -> None:
    done = linted(plan(tmp_path, ""))
    assert done.exit_code == 0, done.output
    assert "nothing found" in done.stdout


def test_a_finding_exits_1_with_its_place_excerpt_and_advice(tmp_path: Path) -> None:
    path = plan(tmp_path, trigger("errors.rate > 5.0"))
    done = linted(path)
    assert done.exit_code == 1, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{path}:13:")
    assert ": never-trips: " in lines[0]
    assert "^^^^^" in lines[2]
    assert lines[3].startswith("  why:     ")
    assert lines[4].startswith("  instead: ")


def test_a_plan_that_does_not_load_exits_65(tmp_path: Path) -> None:
    done = linted(plan(tmp_path, trigger("errors.rat > 5.0")))
    assert done.exit_code == 65, done.output
    assert "did you mean 'rate'" in done.stderr


def test_json_has_every_finding_and_the_accepted_ones_with_their_reason(tmp_path: Path) -> None:
    text = trigger("errors.rate > 5.0").replace("\n", "  # lint: ignore never-trips a drill\n")
    done = linted(plan(tmp_path, text), "json")
    assert done.exit_code == 0, done.output
    (one,) = json.loads(done.stdout)["findings"]
    assert (one["rule"], one["line"], one["accepted"]) == ("never-trips", 13, "a drill")
    assert one["why"]
    assert one["instead"]
