"""Giving the terminal its hand on the migration, where the plan has one."""

from __future__ import annotations

import getpass
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from cockpit.decide.record import PointOfNoReturn
from cockpit.engine.ending import end
from cockpit.engine.watch import Watch

if TYPE_CHECKING:
    from cockpit.migration.helm import Helm


@asynccontextmanager
async def helm_of(
    watch: Watch, variables: Sequence[str] = (), options: Mapping[str, str] | None = None
) -> AsyncIterator[Helm | None]:
    """A helm that follows the ledger from the first paint on; None without a migration, or without its database."""
    migration = watch.plan.migration
    if migration is None or not migration.database:
        yield None
        return
    import asyncio

    from platformdirs import user_log_path

    from cockpit.migration.helm import Helm

    given = [word for name, value in (options or {}).items() if value for word in (f"--{name}", value)]
    log = user_log_path("cockpit", appauthor=False, ensure_exists=True) / "migration.log"
    log.touch(mode=0o600)
    by = f"{getpass.getuser()}@{socket.gethostname()}"
    helm = Helm(migration, watch.plan.path, tuple(variables), tuple(given), by, str(log))

    def past(_: datetime, files: int) -> None:
        noun = "file" if files == 1 else "files"
        watch.record.append(PointOfNoReturn(watch.clock.now(), f"{files:,} {noun} that live in S3 alone"))

    helm.on_purge.append(past)

    async def follow() -> None:
        await asyncio.sleep(0.5)  # the screen first
        await helm.run()

    following = asyncio.create_task(follow(), name="ledger")
    try:
        yield helm
    finally:
        await end((following,))
