"""CONTRIBUTING.md as its tests read it: sections, the rows of its tables, its pieces of code; and the names the code defines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def contributing() -> str:
    return (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text below a heading of any level, up to the next of that level or a higher one."""
    found = re.search(rf"^(#+) {re.escape(title)}\n", contributing(), re.MULTILINE)
    assert found, f"CONTRIBUTING.md has no heading '{title}'"
    rest = contributing()[found.end() :]
    return re.split(rf"^#{{1,{len(found[1])}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Cells of every table row but the headings."""
    lines = text.splitlines()
    kept = []
    for number, line in enumerate(lines):
        heading = number + 1 < len(lines) and lines[number + 1].startswith("|---")
        if line.startswith("| ") and not heading:
            kept.append([cell.strip() for cell in line.strip("|").split("|")])
    return kept


def code(title: str, language: str = "python") -> list[str]:
    """The pieces of code of one section."""
    return re.findall(rf"^```{language}\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def names(tree: ast.Module) -> Iterator[str]:
    """Classes and functions of a module, and `Class.member` for methods and fields."""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield f"{node.name}.{member.name}"
                elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    yield f"{node.name}.{member.target.id}"
