"""The walks of CONTRIBUTING.md can be walked: files and names exist, and each file leads to the next."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest
from contributing.contributing_page import contributing, names, section
from support.product_sources import sources

MOST = 12
WALKS = re.findall(r"^### (.+)$", section("Four walks"), re.MULTILINE)


def steps(walk: str) -> list[tuple[Path, str]]:
    """File and name of every step, in order."""
    found = re.findall(r"^\d+\. `([^`]+)`, `([^`]+)`: .+$", section(walk), re.MULTILINE)
    return [(Path(path), name) for path, name in found]


def tied_by(walk: str) -> Path:
    found = re.search(r"^Tied together by `([^`]+)`", section(walk), re.MULTILINE)
    assert found, f"'{walk}' names no file that ties its steps together"
    return Path(found[1])


def module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def imported(path: Path) -> set[str]:
    """Modules a file imports, at its top, in a function, or for types only."""
    found: set[str] = set()
    for node in ast.walk(sources()[path]):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def test_there_are_four_and_their_steps_are_numbered() -> None:
    assert len(WALKS) == 4
    for walk in WALKS:
        numbers = re.findall(r"^(\d+)\. ", section(walk), re.MULTILINE)
        assert numbers == [str(number + 1) for number in range(len(steps(walk)))], (
            f"'{walk}': N. `file`, `name`: what it does"
        )


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_opens_at_most_twelve_files(walk: str) -> None:
    files = {path for path, _ in steps(walk)} | {tied_by(walk)}
    assert 1 < len({path for path, _ in steps(walk)}) <= MOST
    assert {path for path in files if path not in sources()} == set()


@pytest.mark.parametrize("walk", WALKS)
def test_what_a_step_names_is_in_its_file(walk: str) -> None:
    missing = [f"{path}: {name}" for path, name in steps(walk) if name not in set(names(sources()[path]))]
    assert missing == [], f"'{walk}' in CONTRIBUTING.md"


@pytest.mark.parametrize("walk", WALKS)
def test_each_file_leads_to_the_next(walk: str) -> None:
    root = imported(tied_by(walk)) | {module(tied_by(walk))}
    files = [path for path, _ in steps(walk)]
    for one, other in pairwise(files):
        linked = module(other) in imported(one) or module(one) in imported(other)
        assert linked or {module(one), module(other)} <= root, f"'{walk}': nothing leads from {one} to {other}"


def test_every_file_named_on_the_page_exists() -> None:
    named = set(re.findall(r"`((?:cockpit|probes|tests)/[\w/]+\.\w+)`", contributing()))
    new = {"probes/aws/sns.py", "tests/probes/test_sns.py"}
    root = Path(__file__).parents[2]
    assert {path for path in named - new if not (root / path).exists()} == set()
