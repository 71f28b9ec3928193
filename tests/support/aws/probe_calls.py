"""The calls of AWS that probes write out, found in their source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[3]
KINDS = ("aws", "databases", "web", "local")
MODULES = sorted(
    f"probes.{kind}.{path.stem}"
    for kind in KINDS
    for path in (ROOT / "probes" / kind).glob("*.py")
    if not path.stem.startswith("__")
)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))


@cache
def calls(module: str) -> tuple[tuple[str, str, frozenset[str]], ...]:
    """Service, operation and names of parameters of each call of AWS that is written out."""
    return tuple(_calls(module))


def _calls(module: str) -> Iterator[tuple[str, str, frozenset[str]]]:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call):
            words = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            for service, operation in pairwise(words):
                if service in services() and operation.islower() and "_" in operation:
                    yield service, operation, frozenset(word.arg for word in node.keywords if word.arg)


@cache
def services() -> frozenset[str]:
    from botocore.session import get_session

    return frozenset(get_session().get_available_services())
