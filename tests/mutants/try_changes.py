"""Tries small changes of the pure core, each in a fork of a process that has collected its tests.

The tests that reach a change are run, the quickest first, until one fails: a fork costs milliseconds where a pytest for each
change costs seconds, and there are thousands of changes.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import tomllib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from mutants.make_changes import AT_ONCE, MUTANTS, pairs, reached

SLOWER = 20
"""A change whose tests take so many times what they take without it runs for ever: it is seen by that."""
AT_LEAST_S = 20
KILLED, SURVIVED, REACHED_BY_NONE, FOR_EVER = "killed", "survived", "no tests", "timeout"
OFTEN = 50


def tried(wanted: str, sample: int = 0, seed: int = 1) -> dict[str, str]:
    """Name of each change that is wanted -> what became of it. What was tried before ctrl-c is there too.

    `sample`: so many of them, drawn at random; the same seed draws the same. 0: all of them.
    """
    selection = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    trial = Trial(wanted, sample, seed)
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

    def __init__(self, wanted: str, sample: int, seed: int) -> None:
        self.wanted = wanted
        self.sample = sample
        self.seed = seed
        self.outcomes: dict[str, str] = {}
        self._running: dict[int, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        known = reached(session.items)
        by_id = {item.nodeid: item for item in session.items}
        for change in drawn(sorted(changes(Path(), self.wanted)), self.sample, self.seed):
            tests = [by_id[test] for test in known.quickest(change.rpartition("__mutmut_")[0])]
            if not tests:
                self.outcomes[change] = REACHED_BY_NONE
                continue
            while len(self._running) >= AT_ONCE:
                self._take_one()
            expected = sum(known.seconds[test.nodeid] for test in tests)
            if pid := os.fork():
                self._running[pid] = change
            else:
                _try_one(session, change, tests, max(AT_LEAST_S, int(expected * SLOWER)))
        while self._running:
            self._take_one()
        return True

    def _take_one(self) -> None:
        pid, status = os.wait()
        change = self._running.pop(pid)
        self.outcomes[change] = _outcome(os.waitstatus_to_exitcode(status))
        if self.outcomes[change] == SURVIVED:
            _show(f"survived: {change}")
        if not len(self.outcomes) % OFTEN:
            _show(f"{len(self.outcomes)} changes tried")


def _show(line: str) -> None:
    print(line, file=sys.__stdout__, flush=True)


def drawn(names: Sequence[str], sample: int, seed: int) -> Sequence[str]:
    """`sample` of the names in the order they were drawn, so that what was tried before ctrl-c is a sample too; 0: all."""
    return random.Random(seed).sample(names, min(sample, len(names))) if sample else names


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
        for item, following in pairs(tests):
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                break
        code = 1 if session.testsfailed else 0
    finally:
        os._exit(code)


def _outcome(code: int) -> str:
    """What the end of a process says: killed by a signal, it ran for ever."""
    return {0: SURVIVED, 1: KILLED}.get(code, FOR_EVER)
