"""The product's own modules, parsed once for every rule that looks at all of them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("cockpit", "probes")


@cache
def sources() -> dict[Path, ast.Module]:
    """Every product module, by its path below the root."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            found[path.relative_to(ROOT)] = ast.parse(path.read_text(encoding="utf-8"))
    return found
