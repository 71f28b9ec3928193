"""`cockpit lint` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lint_cases import HEAD, trigger

from cockpit.commands import lint


def plan(folder: Path, text: str) -> str:
    path = folder / "p.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return str(path)


def test_a_clean_plan_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint.main(plan(tmp_path, ""), "text") == 0
    assert "nothing found" in capsys.readouterr().out


def test_a_finding_exits_1_with_its_place_excerpt_and_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = plan(tmp_path, trigger("errors.rate > 5.0"))
    assert lint.main(path, "text") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{path}:13:")
    assert ": never-trips: " in lines[0]
    assert "^^^^^" in lines[2]
    assert lines[3].startswith("  why:     ")
    assert lines[4].startswith("  instead: ")


def test_a_plan_that_does_not_load_exits_65(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint.main(plan(tmp_path, trigger("errors.rat > 5.0")), "text") == 65
    assert "did you mean 'rate'" in capsys.readouterr().err


def test_json_has_every_finding_and_the_accepted_ones_with_their_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = trigger("errors.rate > 5.0").replace("\n", "  # lint: ignore never-trips a drill\n")
    assert lint.main(plan(tmp_path, text), "json") == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["rule"], one["line"], one["accepted"]) == ("never-trips", 13, "a drill")
    assert one["why"]
    assert one["instead"]
