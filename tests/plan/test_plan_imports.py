"""The plan's modules stand one above the other: no circle, not even for types; its values need conditions and probes alone."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp
import pytest

BELOW = ("cockpit.conditions", "probes")


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Every module of the product, and what it imports, for types too."""
    graph = grimp.build_graph("cockpit", "probes", cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def of(imports: dict[str, set[str]], *rooms: str) -> dict[str, set[str]]:
    names = {module for module in imports if module.startswith(tuple(f"{room}." for room in rooms))}
    return {module: imports[module] & names for module in names}


def test_no_module_of_the_plan_imports_itself_through_others(imports: dict[str, set[str]]) -> None:
    rooms = of(imports, "cockpit.plan", "cockpit.conditions")
    assert len(rooms) > 30
    assert list(TopologicalSorter(rooms).static_order())  # raises CycleError, which names the circle


def test_conditions_know_no_room_of_the_cockpit(imports: dict[str, set[str]]) -> None:
    needed = {one for module in of(imports, "cockpit.conditions") for one in imports[module]}
    assert {one for one in needed if not one.startswith(BELOW)} == set()


def test_a_plans_values_need_conditions_and_probes_alone(imports: dict[str, set[str]]) -> None:
    reached: set[str] = set()
    waiting = ["cockpit.plan.model"]
    while waiting:
        new = imports.get(waiting.pop(), set()) - reached
        reached |= new
        waiting += new
    assert "cockpit.conditions.condition" in reached
    assert {one for one in reached if not one.startswith(BELOW)} == set()
