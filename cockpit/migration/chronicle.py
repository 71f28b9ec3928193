"""What the record of a cutover keeps of a migration: its phases, its trouble and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.decide.events import MIGRATION, Happened
from cockpit.engine.watch import Watch

if TYPE_CHECKING:
    from cockpit.migration.progress import Progress


class Chronicle:
    """Puts what happens to the migration into the record: phases, pauses, guards, workers that come and go."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._kept: set[str] | None = None
        self._workers: set[str] = set()

    def record_progress(self, progress: Progress) -> None:
        """What this progress says that the record does not."""
        if self._kept is None:
            entries = self._watch.record.all(Happened)
            self._kept = {each.text for each in entries if each.subject == MIGRATION}
        for event in progress.events:
            when = f"{event.at:%Y-%m-%d %H:%M:%S.%f}Z by the database"
            self._keep(f"{event.kind}: {event.text} ({when})", event.who)
        now = {worker.id for worker in progress.workers}
        for name in sorted(now - self._workers):
            self._keep(f"worker {name} joined run {progress.run}", name)
        for name in sorted(self._workers - now):
            self._keep(f"worker {name} left run {progress.run}", name)
        self._workers = now

    def record_death(self, last_words: str) -> None:
        """That what was stated was not begun, and why."""
        self._watch.record.append(Happened(self._watch.clock.now(), MIGRATION, last_words))

    def _keep(self, text: str, by: str) -> None:
        assert self._kept is not None
        if text not in self._kept:
            self._kept.add(text)
            self._watch.record.append(Happened(self._watch.clock.now(), MIGRATION, text, by))
