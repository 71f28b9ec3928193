"""What holds for every test: no secret is known from an earlier one; how they are spread over the workers of pytest-xdist."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers
from support.garbage import collect
from support.postgres_version import choose_postgres
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped, unused-ignore]

from probes.known_secrets import KNOWN

settings.register_profile("any machine", deadline=None, max_examples=int(os.environ.get("EXAMPLES", "40")))
settings.load_profile("any machine")
"""No example has to end in time: a busy machine is no fault of what is tested. `make test-long` tries many more."""
providers._get_local_constants = lambda: providers._local_constants
"""Every worker would parse every file of the product for numbers and words to try: as long as 200 tests take."""
choose_postgres()
SELDOM = 20_000
"""So many objects are made between two looks for circles: at 700, a tenth of the time is spent on them."""
gc.set_threshold(SELDOM)
ONE_BY_ONE = frozenset(
    f"tests/{name}.py"
    for name in (
        "migration/test_crash_driver",
        "migration/test_faults_after",
        "migration/test_faults_around",
        "migration/test_faults_copy",
        "rehearsal/test_aws_at_its_worst",
        "rehearsal/test_run_on_ecs",
        "rehearsal/test_scenario_verdicts",
        "rehearsal/test_world_process",
    )
)
"""Files whose tests are long and share nothing but what a worker has anyway."""


READ_SOURCE = "tests/contributing/"
"""A room whose files all look at the product's whole source, which is read once."""
ONE_SERVER = frozenset(
    f"tests/probes/test_{name}.py"
    for name in (
        "migration_ledger",
        "postgres",
        "postgres_pool",
        "postgres_schema",
        "prisma",
        "sql_client",
        "sql_hidden_calls",
        "sql_read_only",
        "uploads",
    )
)
"""Files that read one PostgreSQL, which starts once."""


class ByFile(LoadScopeScheduling):  # type: ignore[misc, unused-ignore]
    """A file goes to one worker whole, so that what its tests share is made once; those of ONE_BY_ONE test by test."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in ONE_BY_ONE:
            return nodeid
        if file in ONE_SERVER:
            return "one server"
        return READ_SOURCE if file.startswith(READ_SOURCE) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    config.option.loadscopereorder = False
    return ByFile(config, log)


SHORT = ("tests/conditions/", "tests/decide/", "tests/plan/", "tests/probes/")
"""Rooms whose files take a second or two each."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: (item.get_closest_marker("world") is None, item.nodeid.startswith(SHORT)))


def pytest_collection_finish() -> None:
    """What is there once all tests are collected stays: the collector need not look through it after every one of them."""
    collect()


@pytest.fixture(autouse=True, scope="session")
def _state_folder_of_its_own() -> Iterator[None]:
    """What a cockpit keeps for its user (this machine's key, trusted plans, records) stays the user's."""
    with tempfile.TemporaryDirectory(prefix="cockpit-state-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", folder)
        yield


@pytest.fixture(autouse=True)
def _no_secret_of_another_test() -> Iterator[None]:
    """What one test taught this process is not hidden in the next."""
    yield
    KNOWN.forget_all()
