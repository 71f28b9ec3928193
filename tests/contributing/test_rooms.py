"""The map of the rooms in CONTRIBUTING.md names every folder there is, and none that is not."""

from __future__ import annotations

from contributing.contributing_page import ROOT, contributing, quoted, rows, section

LEVELS = {"cockpit": 3, "probes": 2, "tests": 2}
"""How deep the map goes."""


def folders() -> set[str]:
    """Folders that hold a file, to the depth of the map: "cockpit/plan/", "cockpit/plan/lint/"."""
    found: set[str] = set()
    for room, depth in LEVELS.items():
        for path in (ROOT / room).rglob("*"):
            parts = path.relative_to(ROOT).parts[:-1]
            if path.is_file() and not any(part.startswith(("__", ".")) for part in parts):
                found.update("/".join(parts[:level]) + "/" for level in range(2, min(len(parts), depth) + 1))
    return found


def test_the_map_names_every_folder_and_no_other() -> None:
    cells = [name for row in rows(section("Rooms")) for name in quoted(row[0])]
    assert len(cells) == len(set(cells)), "a folder is named twice"
    named = {name for name in cells if name.count("/") > 1}
    there = folders()
    assert there - named == set(), "add a row to a table of 'Rooms' in CONTRIBUTING.md: a folder, and what is in it"
    assert named - there == set(), "take it out of 'Rooms' in CONTRIBUTING.md: there is no such folder"


def test_every_folder_named_anywhere_on_the_page_exists() -> None:
    named = {name for name in quoted(contributing()) if name.endswith("/") and "..." not in name}
    assert {name for name in named if not (ROOT / name).is_dir()} == set()
