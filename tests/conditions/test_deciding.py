"""Which operands make a condition what it is: they agree with the condition itself, and each alone would change it."""

from __future__ import annotations

from itertools import product

import pytest

from cockpit.conditions.condition import compile_condition
from cockpit.conditions.deciding import deciding
from probes.reading import Value

CONDITIONS = (
    "a.n == 1 && b.n > 0 && c.ok",
    "a.n > 1 || b.n > 1 || !c.ok",
    "!c.ok || (a.n > 0 && b.n == 0)",
    "!(a.n > 0 && c.ok) && b.n <= 1",
    "1 < a.n || !(b.n >= 1 || c.ok == false)",
    "a.n != 1 && (b.n < 1 || c.ok)",
)


@pytest.mark.parametrize("source", CONDITIONS)
def test_the_operands_come_to_what_the_condition_says(source: str) -> None:
    condition = compile_condition(source)
    for a, b, ok in product((0, 1, 2), (0, 1, 2), (True, False)):
        context: dict[str, dict[str, Value]] = {"a": {"n": a}, "b": {"n": b}, "c": {"ok": ok}}
        values: dict[str, Value] = {"a.n": a, "b.n": b, "c.ok": ok}
        truth, operands = deciding(source, values)
        assert truth is condition.evaluate(context).truth, values
        assert {operand.truth(values) for operand in operands} == {truth}, values


def test_those_that_decide_are_named_and_no_others() -> None:
    _, operands = deciding("a.n == 1 && b.n > 0 && c.ok", {"a.n": 2, "b.n": 3, "c.ok": False})
    assert [operand.paths for operand in operands] == [("a.n",), ("c.ok",)]


TAGS = ("a", "b")


@pytest.mark.parametrize(
    ("source", "truth", "paths"),
    [
        ("a.n == b.n && c.ok", False, [("a.n", "b.n")]),
        ("c.ok && tasks.tags.all(each, each in image.tags)", False, [("tasks.tags", "image.tags")]),
        ("c.ok && !tasks.tags.exists(each, each in image.tags)", False, [("tasks.tags", "image.tags")]),
        ("c.ok && !(tasks.tags.exists(each, each == 'b') || a.n > 5)", False, [("tasks.tags",)]),
        ("'z' in tasks.tags || a.n > 5", False, [("tasks.tags",), ("a.n",)]),
        ("size(tasks.tags) == 2 && a.n + b.n < 3", False, [("a.n", "b.n")]),
        ("c.ok && tasks.tags.exists_one(each, each == 'b')", True, [("c.ok",), ("tasks.tags",)]),
    ],
)
def test_an_operand_that_is_more_than_a_path_with_a_literal_decides_as_the_condition_does(
    source: str, truth: bool, paths: list[tuple[str, ...]]
) -> None:
    values: dict[str, Value] = {"a.n": 1, "b.n": 2, "c.ok": True, "tasks.tags": TAGS, "image.tags": ("b",)}
    context: dict[str, dict[str, Value]] = {
        "a": {"n": 1},
        "b": {"n": 2},
        "c": {"ok": True},
        "tasks": {"tags": TAGS},
        "image": {"tags": ("b",)},
    }
    found, operands = deciding(source, values)
    assert found is truth is compile_condition(source).evaluate(context).truth
    assert [operand.paths for operand in operands] == paths


def test_an_operand_of_several_paths_decides_nothing_where_one_of_them_is_unknown() -> None:
    truth, operands = deciding("a.n == b.n && c.ok", {"a.n": 1, "c.ok": True})
    assert truth is None
    assert [operand.paths for operand in operands] == [("a.n", "b.n")]


def test_what_is_not_known_decides_only_where_nothing_else_does() -> None:
    assert deciding("a.n == 1 && c.ok", {"c.ok": False})[0] is False
    truth, operands = deciding("a.n == 1 && c.ok", {"c.ok": True})
    assert truth is None
    assert [operand.paths for operand in operands] == [("a.n",)]
