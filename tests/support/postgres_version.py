"""Which PostgreSQL the tests run against: the one rehearsals bring, or the `postgres` and `initdb` of a folder, 13 or later."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

CHOSEN = "COCKPIT_TEST_POSTGRES"


def choose_postgres() -> None:
    """Use the programs of the folder that COCKPIT_TEST_POSTGRES names, where it does. Raises FileNotFoundError."""
    if named := os.environ.get(CHOSEN):
        from cockpit.rehearsal.database import postgres_server

        if not (Path(named) / "postgres").exists():
            raise FileNotFoundError(f"{CHOSEN}: there is no postgres in {named}")
        postgres_server.binaries = cache(lambda: Path(named))


def at_least(version: int) -> bool:
    """Whether the PostgreSQL of these tests is of this version or later."""
    from cockpit.rehearsal.database import postgres_server

    return postgres_server.version() >= version
