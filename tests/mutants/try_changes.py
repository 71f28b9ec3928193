"""Tries small changes of the pure core, each in a fork of a process that has collected its tests.

mutmut makes the changes and finds which tests reach them. Here those tests are run, the quickest first, until one fails: a fork
costs milliseconds where a pytest for each change costs seconds, and there are thousands of changes.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

MUTANTS = Path("mutants")
"""Where every change stands beside the original, in a copy of the sources, and what mutmut knows of the tests."""
AT_ONCE = os.cpu_count() or 2
SLOWER = 20
"""A change whose tests take so many times what they take without it runs for ever: it is seen by that."""
AT_LEAST_S = 20
KILLED, SURVIVED, REACHED_BY_NONE, FOR_EVER = "killed", "survived", "no tests", "timeout"
OFTEN = 200


def tried(wanted: str) -> dict[str, str]:
    """Name of each change that is wanted -> what became of it. What was tried before ctrl-c is there too."""
    selection = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    trial = Trial(wanted)
    os.chdir(MUTANTS)
    sys.path.insert(0, str(Path.cwd()))
    try:
        pytest.main(
            ["-s", "--assert=plain", "-p", "no:cacheprovider", *selection["pytest_add_cli_args_test_selection"]],
            plugins=[trial],
        )
    finally:
        os.chdir("..")
    return trial.outcomes


class Trial:
    """A plugin of pytest that tries changes in place of running the tests once."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        self.outcomes: dict[str, str] = {}
        self._running: dict[int, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        stats: Mapping[str, Any] = json.loads(Path("mutmut-stats.json").read_text(encoding="utf-8"))
        durations: Mapping[str, float] = stats["duration_by_test"]
        by_id = {item.nodeid: item for item in session.items}
        for change in sorted(changes(Path(), self.wanted)):
            reaching = stats["tests_by_mangled_function_name"].get(change.rpartition("__mutmut_")[0], ())
            tests = [
                by_id[test] for test in sorted(reaching, key=lambda test: durations.get(test, 0.0)) if test in by_id
            ]
            if not tests:
                self.outcomes[change] = REACHED_BY_NONE
                continue
            while len(self._running) >= AT_ONCE:
                self._take_one()
            expected = sum(durations.get(test, 0.0) for test in reaching)
            if pid := os.fork():
                self._running[pid] = change
            else:
                _try_one(session, change, tests, max(AT_LEAST_S, int(expected * SLOWER)))
        while self._running:
            self._take_one()
        return True

    def _take_one(self) -> None:
        pid, status = os.wait()
        self.outcomes[self._running.pop(pid)] = _outcome(os.waitstatus_to_exitcode(status))
        if not len(self.outcomes) % OFTEN:
            sys.__stdout__.write(f"{len(self.outcomes)} changes tried\n")  # type: ignore[union-attr]


def changes(folder: Path, wanted: str) -> Iterator[str]:
    """The names mutmut gave to the changes that are wanted."""
    for path in folder.glob("cockpit/**/*.meta"):
        for name in json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]:
            if fnmatchcase(name, wanted):
                yield name


def _try_one(session: pytest.Session, change: str, tests: Sequence[pytest.Item], seconds: int) -> None:
    """Run the tests with this change in place, and end this process: 1 where one failed."""
    from mutmut.mutation import trampoline  # type: ignore[import-not-found, unused-ignore]

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    trampoline.get_mutant_under_test = lambda: change  # its own looks into the environment, at every call
    code = 1
    try:
        for item, following in zip(tests, [*tests[1:], None], strict=True):
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                break
        code = 1 if session.testsfailed else 0
    finally:
        os._exit(code)


def _outcome(code: int) -> str:
    """What the end of a process says: killed by a signal, it ran for ever."""
    return {0: SURVIVED, 1: KILLED}.get(code, FOR_EVER)
