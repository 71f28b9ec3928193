"""Giving the terminal its hand on the migration, where the plan has one."""

from __future__ import annotations

import getpass
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from cockpit.decide.record import Happened, PointOfNoReturn
from cockpit.engine.tasks import end
from cockpit.engine.watch import Watch

SUBJECT = "migration"
if TYPE_CHECKING:
    from pathlib import Path

    from cockpit.migration.helm import Helm
    from cockpit.migration.progress import Progress


class Chronicle:
    """Puts what happens to the migration into the record: phases, pauses, guards, workers that come and go."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._kept: set[str] | None = None
        self._workers: set[str] = set()

    def tell(self, progress: Progress) -> None:
        """What this progress says that the record does not."""
        if self._kept is None:
            told = self._watch.record.all(Happened)
            self._kept = {each.text for each in told if each.subject == SUBJECT}
        for event in progress.events:
            when = f"{event.at:%Y-%m-%d %H:%M:%S.%f}Z by the database"
            self._keep(f"{event.kind}: {event.text} ({when})", event.who)
        now = {worker.id for worker in progress.workers}
        for name in sorted(now - self._workers):
            self._keep(f"worker {name} joined run {progress.run}", name)
        for name in sorted(self._workers - now):
            self._keep(f"worker {name} left run {progress.run}", name)
        self._workers = now

    def _keep(self, text: str, by: str) -> None:
        assert self._kept is not None
        if text not in self._kept:
            self._kept.add(text)
            self._watch.record.append(Happened(self._watch.clock.now(), SUBJECT, text, by))


@asynccontextmanager
async def helm_of(
    watch: Watch, variables: Sequence[str] = (), options: Mapping[str, str] | None = None, record: Path | None = None
) -> AsyncIterator[Helm | None]:
    """A helm that follows the ledger from the first paint on; None without a migration, or without its database.

    `record` is the folder of the cutover's record: what happens to the migration is kept there.
    """
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
    helm = Helm(migration, watch.plan.path, tuple(variables), tuple(given), by, str(record or ""), str(log))
    helm.on_progress.append(Chronicle(watch).tell)

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
