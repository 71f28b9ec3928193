"""Makes every small change of the pure core, and finds which tests reach each function.

mutmut makes the changes. Which tests reach a function is found here, with as many processes as try the changes later: mutmut
would run all tests in one, then once more without a change and once more to see that they can fail.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

MUTANTS = Path("mutants")
"""Where every change stands beside the original, in a copy of the sources."""
AT_ONCE = int(os.environ.get("AT_ONCE", "0")) or os.cpu_count() or 2
_REACHED = "reached.json"


@dataclass
class Reached:
    """Which tests reach which function, and the processor time each test takes."""

    by_function: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def quickest(self, function: str) -> list[str]:
        return sorted(self.by_function.get(function, ()), key=lambda test: self.seconds[test])


def make() -> None:
    """Write all changes to `mutants/`; what was made of a file that is the same since stays."""
    from mutmut.__main__ import create_mutants, set_mutant_under_test  # type: ignore[import-not-found, unused-ignore]

    settings = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    changed = settings["source_paths"]
    for name in settings["also_copy"]:
        there = MUTANTS / name
        if Path(name).is_dir():
            shutil.copytree(
                name, there, dirs_exist_ok=True, ignore=lambda folder, names: names if folder in changed else ()
            )
        else:
            shutil.copy2(name, there)
    for name in changed:
        for path in (MUTANTS / name).glob("*.py"):
            whole = path.with_name(f"{path.name}.meta")
            if not whole.exists() or whole.stat().st_mtime < path.stat().st_mtime:
                path.unlink()  # it was being written when an earlier run was ended
    set_mutant_under_test("mutant_generation")
    create_mutants(AT_ONCE)


def reached(items: Sequence[pytest.Item]) -> Reached:
    """By every function, from running each test once without a change. Ends the run where a test fails so.

    Kept in a file until a source or a test is another.
    """
    digest = _digest()
    kept = Path(_REACHED)
    if kept.exists() and (held := json.loads(kept.read_text(encoding="utf-8")))["digest"] == digest:
        return Reached(held["by_function"], held["seconds"])
    found = Reached()
    for number, pid in enumerate([_in_a_fork(items, number) for number in range(AT_ONCE)]):
        if code := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
            pytest.exit(f"the tests could not be run without a change: {code}")
        part = json.loads(_part(number).read_text(encoding="utf-8"))
        if part["failed"]:
            pytest.exit(f"without a change these fail: {part['failed']}")
        found.seconds |= part["seconds"]
        for test, functions in part["functions"].items():
            for function in functions:
                found.by_function.setdefault(function, []).append(test)
    kept.write_text(json.dumps({"digest": digest, **vars(found)}), encoding="utf-8")
    return found


def _part(number: int) -> Path:
    return Path(f"reached-{number}.json")


def _in_a_fork(items: Sequence[pytest.Item], number: int) -> int:
    """Run every n-th test in a process of its own, which leaves what it found in a file."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        _part(number).write_text(json.dumps(_found(items[number::AT_ONCE])), encoding="utf-8")
        code = 0
    finally:
        os._exit(code)


def _found(items: Sequence[pytest.Item]) -> dict[str, object]:
    from mutmut.mutation import trampoline  # type: ignore[import-not-found, unused-ignore]

    hits: set[str] = set()
    trampoline.get_mutant_under_test = lambda: "stats"
    trampoline.record_trampoline_hit = lambda name, caller=None: hits.add(name)
    _be_silent()
    functions: dict[str, list[str]] = {}
    seconds: dict[str, float] = {}
    failed: list[str] = []
    for item, following in pairs(items):
        before, failures = time.process_time(), item.session.testsfailed
        hits.clear()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        seconds[item.nodeid] = time.process_time() - before
        functions[item.nodeid] = sorted(hits)
        if item.session.testsfailed > failures:
            failed.append(item.nodeid)
    return {"functions": functions, "seconds": seconds, "failed": failed}


def pairs(items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    """Each test with the one after it, which says what may be torn down between them."""
    return zip(items, [*items[1:], None], strict=True)


def _be_silent() -> None:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)


def _digest() -> str:
    made = sha256()
    for folder in ("cockpit", "probes", "tests/decide", "tests/support"):
        for path in sorted(Path(folder).rglob("*.py")):
            made.update(path.read_bytes())
    return made.hexdigest()


if __name__ == "__main__":
    make()
