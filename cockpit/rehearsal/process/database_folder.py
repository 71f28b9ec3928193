"""Where the world's database lies, and which process serves it: the cockpit ends it where the world cannot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

DATABASE_FOLDER = "postgres"
"""Its folder, within the rehearsal's."""


def running_in(folder: Path) -> Sequence[int]:
    """The process id of the server that runs there, as its pid file has it; none where none does."""
    try:
        return [int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])]
    except (OSError, ValueError, IndexError):
        return []
