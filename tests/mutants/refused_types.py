"""Which changes the type checker refuses: `make check` is red with one of them, whatever the tests see."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mutants.make_changes import MUTANTS

_CACHE = MUTANTS / ".mypy_cache"
_AT = re.compile(r"(?m)^(?P<file>[^\n:]+\.py):\d+: error: ")


def refused(names: Iterable[str]) -> set[str]:
    """Of these changes, by name, those with which mypy finds an error in the changed file.

    One change of each module is tried at a time: every function says its types, so none changes what another module sees.
    """
    by_module: dict[str, list[str]] = {}
    for name in names:
        by_module.setdefault(name.rpartition(".")[0], []).append(name)
    found = set()
    while by_module:
        tried = {module: of.pop() for module, of in by_module.items()}
        by_module = {module: of for module, of in by_module.items() if of}
        wrong = _wrong({_source(module): changed(name) for module, name in tried.items()})
        found |= {name for module, name in tried.items() if _source(module) in wrong}
    return found


def changed(name: str) -> str:
    """The source of a change's module with the change in it."""
    module, _, function = name.rpartition(".")
    original = f"{re.sub(r'__mutmut_[0-9]+$', '', function)}__mutmut_orig"
    bodies = {of.rpartition(".")[2]: body for of, _, body in _bodies(MUTANTS / _source(module))}
    at = next(
        at for of, at, body in _bodies(_source(module)) if of == _as_written(function) and body == bodies[original]
    )
    lines = _source(module).read_text(encoding="utf-8").splitlines()
    lines[at] = bodies[function]
    return "\n".join(lines) + "\n"


def _wrong(sources: Mapping[Path, str]) -> set[Path]:
    with tempfile.TemporaryDirectory() as folder:
        shadows = []
        for number, (path, text) in enumerate(sources.items()):
            shadow = Path(folder) / f"{number}.py"
            shadow.write_text(text, encoding="utf-8")
            shadows += ["--shadow-file", str(path), str(shadow)]
        words = ["--cache-dir", str(_CACHE), "--no-error-summary", *shadows, *map(str, sources)]
        ran = subprocess.run([sys.executable, "-m", "mypy", *words], capture_output=True, text=True, check=False)
    if ran.returncode not in (0, 1):
        raise RuntimeError(f"mypy could not be run: {ran.stdout}{ran.stderr}")
    return {Path(found["file"]) for found in _AT.finditer(ran.stdout)}


def _as_written(function: str) -> str:
    """`x_one__mutmut_2` is of `one`, `xǁClassǁone__mutmut_2` of `Class.one`."""
    own = re.sub(r"__mutmut_[0-9]+$", "", function)
    return ".".join(own.split("ǁ")[1:]) if "ǁ" in own else own.removeprefix("x_")


def _bodies(path: Path) -> Iterator[tuple[str, slice, list[str]]]:
    """Every function of a file: its name with its class, where its body is, and the body's lines."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for of in ast.parse(text).body:
        for each in of.body if isinstance(of, ast.ClassDef) else [of]:
            if isinstance(each, ast.FunctionDef):
                at = slice(each.body[0].lineno - 1, each.end_lineno)
                yield f"{of.name}.{each.name}" if isinstance(of, ast.ClassDef) else each.name, at, lines[at]


def _source(module: str) -> Path:
    return Path(f"{module.replace('.', '/')}.py")
