"""What the record of a cutover keeps of a migration: its phases, its trouble and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.decide.events import MIGRATION, WORKERS, Happened, PointOfNoReturn, Record
from cockpit.migration.states import PhaseName

if TYPE_CHECKING:
    from cockpit.engine.clock import Clock
    from cockpit.migration.progress import Progress


class Chronicle:
    """Puts what happens to the migration into the record: phases, pauses, guards, workers that come and go."""

    def __init__(self, record: Record, clock: Clock) -> None:
        self._record, self._clock = record, clock
        self._kept: set[str] | None = None
        self._workers: set[str] = set()

    def record_progress(self, progress: Progress) -> None:
        """What this progress says that the record does not."""
        if self._kept is None:
            entries = self._record.all(Happened)
            # What another cockpit noted it notes again: it saw it by itself.
            self._kept = {each.text for each in entries if each.subject in (MIGRATION, WORKERS) and each.proof.own}
        for event in progress.events:
            when = f"{event.at:%Y-%m-%d %H:%M:%S.%f}Z by the database"
            self._keep(MIGRATION, f"{event.kind}: {event.text} ({when})", event.who)
        now = {worker.id for worker in progress.workers}
        for name in sorted(now - self._workers):
            self._keep(WORKERS, f"worker {name} joined run {progress.run}", name)
        for name in sorted(self._workers - now):
            self._keep(WORKERS, f"worker {name} left run {progress.run}", name)
        self._workers = now
        self._record_no_return(progress)

    def _record_no_return(self, progress: Progress) -> None:
        """What a rollback would lose, where the record has it otherwise. A ledger without that purge says nothing about it, and
        while a purge is under way 0 files are only 0 so far: what is not known stays passed.
        """
        if progress.purge_began is None:
            return
        purge, purging = progress.purge_began.isoformat(), progress.active and progress.phase is PhaseName.PURGE
        known = [each for each in self._record.all(PointOfNoReturn) if each.proof.own and each.purge == purge]
        passed = bool(known) and not known[-1].undone
        now, loses = self._clock.now(), _in_s3_alone(progress.purged, purging=purging)
        if progress.purged and (not passed or (not progress.active and known[-1].loses != loses)):
            self._record.append(PointOfNoReturn(now, loses, purge))
        elif passed and not progress.purged and not purging:
            self._record.append(PointOfNoReturn(now, "", purge, undone=True))

    def record_death(self, last_words: str) -> None:
        """That what was stated was not begun, and why."""
        self._record.append(Happened(self._clock.now(), MIGRATION, last_words))

    def _keep(self, subject: str, text: str, by: str) -> None:
        assert self._kept is not None
        if text not in self._kept:
            self._kept.add(text)
            self._record.append(Happened(self._clock.now(), subject, text, by))


def _in_s3_alone(files: int, *, purging: bool) -> str:
    which = "1 file that lives" if files == 1 else f"{files:,} files that live"
    return f"{which} in S3 alone" + (", and more while the purge goes on" if purging else "")
