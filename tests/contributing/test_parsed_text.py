"""Text of others never ends a command or a reading by its shape: what parses it is ready for nesting without end."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from contributing.test_one_door import dotted
from support.product_sources import sources

PARSERS = {"json.loads", "json.load", "tomllib.loads", "tomllib.load", "yaml.load", "yaml.safe_load"}
OURS = {
    "cockpit/plan/document/json_schema.py": "a default of the schema that is written here",
    "probes/parameters.py": "one word of a plan, of which it asks how YAML reads it: it is no collection by then",
    "cockpit/commands/story_worker.py": "what the process that started it hands over",
    "cockpit/commands/browser/screens.py": "what the process that started it hands over",
    "cockpit/commands/journal.py": "a line that was parsed and checked before",
}
"""Files whose parsed text the cockpit wrote itself. The simulated environment parses what its own application sends."""


def unready(source: ast.Module) -> Iterator[int]:
    """Lines that parse text with nothing around them that expects a RecursionError."""
    ready = {
        id(node)
        for each in ast.walk(source)
        if isinstance(each, ast.Try) and any("RecursionError" in ast.unparse(one) for one in each.handlers)
        for part in each.body
        for node in ast.walk(part)
    }
    for node in ast.walk(source):
        if isinstance(node, ast.Call) and dotted(node.func) in PARSERS and id(node) not in ready:
            yield node.lineno


def test_whatever_parses_text_of_others_expects_nesting_without_end() -> None:
    found = {
        f"{path}:{line}"
        for path, source in sources().items()
        if str(path) not in OURS and (path.parts[:2] != ("cockpit", "rehearsal") or path.name == "scenario.py")
        for line in unready(source)
    }
    assert found == set()


def test_nothing_is_listed_that_is_gone() -> None:
    assert {name for name in OURS if not any(unready(sources()[Path(name)]))} == set()
