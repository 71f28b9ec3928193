"""The product's own modules, parsed once for every rule that looks at all of them."""

from __future__ import annotations

import ast
import gc
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("cockpit", "probes")


@cache
def sources() -> dict[Path, ast.Module]:
    """Every product module, by its path below the root."""
    gc.disable()  # a million nodes are made, all to stay
    try:
        paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
        return {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    finally:
        gc.enable()
