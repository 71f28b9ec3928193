"""What can be sorted can always be sorted: a field that may be None is compared with nothing until two others are equal."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from support.product_sources import ROOMS, sources


def ordered(room: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for path, tree in sources().items():
        for node in ast.walk(tree) if path.parts[0] == room else ():
            if isinstance(node, ast.ClassDef) and any(
                "order=True" in ast.unparse(each) for each in node.decorator_list
            ):
                yield f"{path}:{node.lineno}", node


@pytest.mark.parametrize("room", ROOMS)
def test_no_field_of_a_class_with_an_order_may_be_none(room: str) -> None:
    classes = list(ordered(room))
    assert classes, "there are such classes"
    wrong = [
        f"{place} {node.name}.{ast.unparse(field.target)}"
        for place, node in classes
        for field in node.body
        if isinstance(field, ast.AnnAssign)
        and any(isinstance(part, ast.Constant) and part.value is None for part in ast.walk(field.annotation))
    ]
    assert not wrong, "sort by a key that names what is compared"
