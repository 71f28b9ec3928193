"""docs/trust.md names a test for every rule, and the test exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/trust.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
RULES = TEXT.partition("## Rules")[2]


def functions_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_the_test_of_a_rule_exists(file: str, test: str) -> None:
    assert test in functions_in(ROOT / file), f"docs/trust.md names {file}::{test}, which is not there"


def test_every_rule_has_its_test() -> None:
    rows = [line for line in RULES.splitlines() if line.startswith("|") and not re.match(r"\|(---| Rule)", line)]
    without = [row for row in rows if not re.search(r"`tests/[\w/]+\.py::test_\w+` \|$", row)]
    assert rows
    assert without == [], "give each rule the test named after it"


def test_the_readme_leads_there() -> None:
    assert "docs/trust.md" in (ROOT / "README.md").read_text()
