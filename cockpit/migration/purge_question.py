"""What an operator confirms before a purge: the same words and warning on the command line and on the screen."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.migration.progress import Progress
from cockpit.migration.runs import RunError
from cockpit.migration.states import ItemState


@dataclass(frozen=True, slots=True)
class PurgeQuestion:
    """`files` verified files whose bytes would leave `database` (host and name)."""

    files: int
    database: str

    @classmethod
    def of(cls, progress: Progress, database: str) -> PurgeQuestion:
        """Raises RunError if no file may be purged."""
        files = progress.count(ItemState.VERIFIED)
        if not files:
            raise RunError("no file is verified yet: there is nothing to purge")
        return cls(files, database)

    @property
    def words(self) -> str:
        """What to type."""
        return f"purge {self.database}"

    @property
    def consequences(self) -> str:
        """What follows, in plain sentences."""
        return (
            f"This removes the bytes of {self.files:,} verified files from {self.database}. After that, rolling back the "
            "application loses these files: the verdict reads FIX FORWARD. The disk space is not returned: VACUUM makes it "
            "reusable, and RDS storage never shrinks. A restore copies the files back from S3."
        )
