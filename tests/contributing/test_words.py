"""The terms of CONTRIBUTING.md are the code's own, each with one meaning; the old private language is gone from every name."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from contributing.contributing_page import names, quoted, rows, section
from support.product_sources import sources

OLD = """
    told tell tells said say says saying anew around hands helm living lived acting speaking steering playing house laptop
    shelter furnish furnished mend mends dweller strangers loudly forever heard deaf
"""
GONE = frozenset(OLD.split())
TRUE_USES = {("playing", "cockpit/replay/session.py")}
"""A record is played back: the word of every player."""


@cache
def words(name: str) -> list[str]:
    """
    >>> words("CriterionStatus"), words("read_SHA256")
    (['criterion', 'status'], ['read', 'sha', '256'])
    """
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def defined() -> Iterator[tuple[str, Path, int]]:
    """Every name the code gives: to files, classes, functions, parameters, variables and attributes."""
    for path, tree in sources().items():
        yield path.stem, path, 1
        for node in ast.walk(tree):
            match node:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    yield name, path, node.lineno
                case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                    yield name, path, node.lineno


def test_no_name_holds_a_word_that_is_gone() -> None:
    found = [
        f"{path}:{line}: {name}"
        for name, path, line in defined()
        for word in GONE.intersection(words(name))
        if (word, str(path)) not in TRUE_USES
    ]
    assert found == [], "name it by a term of 'Words' in CONTRIBUTING.md"


TERMS = rows(section("Words"))


@cache
def named_in_the_code() -> frozenset[str]:
    there = {name for tree in sources().values() for name in names(tree)}
    return frozenset(there | {part for path in sources() for part in (path.stem, path.parent.name)})


@pytest.mark.parametrize("row", TERMS, ids=lambda row: row[0])
def test_a_term_is_the_name_of_something_in_the_code(row: list[str]) -> None:
    term, meaning, where = row
    assert meaning, term
    for name in quoted(where):
        assert name in named_in_the_code(), (
            f"'{term}' in 'Words' of CONTRIBUTING.md points at {name}, and nothing has that name"
        )


def named(body: list[ast.stmt]) -> Iterator[str]:
    """Classes, and the aliases of types: `Entry = SignOff | Vote`."""
    for node in body:
        match node:
            case (
                ast.ClassDef(name=name)
                | ast.Assign(targets=[ast.Name(id=name)])
                | ast.AnnAssign(target=ast.Name(id=name))
            ):
                yield name


def test_the_class_of_a_term_is_the_only_one_of_that_name() -> None:
    count = Counter(name for tree in sources().values() for name in named(tree.body))
    terms = {name for row in TERMS for name in quoted(row[2]) if name[0].isupper()}
    twice = {name for name in terms if count[name] > 1}
    assert twice == set(), "two classes of one name, and the name is a term: name the other by what it is"


def test_a_term_stands_once_in_the_list_and_so_does_its_class() -> None:
    for column in (0, 2):
        assert [cell for cell, count in Counter(row[column] for row in TERMS).items() if count > 1] == []


def test_the_list_uses_no_word_that_is_gone() -> None:
    assert [row[0] for row in TERMS for word in words(" ".join(row)) if word in GONE] == []


SAID_ONCE = """
    because-line|killer item|a tick proves nothing|nobody is asked to sign|from then on keys|not the word:|to go on, type
    must trip anew|pause, loudly|nothing holds it any more|only wait longer|the cockpit is ending|nobody decided|turned: never
    for ever|one situation|who aws says|ending tasks for good|whole world|on a laptop
"""
PLAIN = tuple(each.strip() for each in re.split(r"[|\n]", SAID_ONCE.strip()))
UNSHOWN = re.compile("|".join(rf"{re.escape(each)}(?!\w)" for each in PLAIN))
"""What screens, messages and help pages said once, and say plainly now; to be looked for in small letters."""


def shown_texts() -> Iterator[tuple[Path, int, str]]:
    """Every text that is no docstring, of the files in which one of these stands at all."""
    root = Path(__file__).parents[2]
    for path, tree in sources().items():
        text = (root / path).read_text(encoding="utf-8").lower()
        if not any(each in text for each in PLAIN):
            continue
        notes = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes:
                yield path, node.lineno, node.value


def test_no_screen_message_or_help_page_says_what_nobody_understood() -> None:
    found = [f"{path}:{line}: {text[:80]}" for path, line, text in shown_texts() if UNSHOWN.search(text.lower())]
    assert found == [], "say it in plain English"
    assert UNSHOWN.search("because-line"), "and it would be found"
    assert not UNSHOWN.search("for every matching alarm")
    pages = (Path(__file__).parents[2] / "README.md", *(Path(__file__).parents[2] / "docs").glob("*.md"))
    assert [page.name for page in pages if UNSHOWN.search(page.read_text(encoding="utf-8").lower())] == []
