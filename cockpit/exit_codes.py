"""The exit codes a command may end with, beside the small ones of its own that its help names."""

from __future__ import annotations

GO, HOLD, ROLLBACK, COULD_NOT_JUDGE = 0, 1, 2, 3
"""Wherever a verdict is the answer: the order of monitoring plug-ins (ok, warning, critical, unknown). ROLLED BACK is 1, as HOLD:
nothing burns, and nothing may go on; FIX FORWARD is 2, as ROLLBACK.
"""

NOT_AS_EXPECTED = 4
"""A rehearsal or a story did not come to what is expected of it. Where it did, a rehearsal has its verdict's code."""

USAGE, BAD_PLAN = 64, 65
"""As in sysexits.h: EX_USAGE, EX_DATAERR."""

NOT_REPRODUCED = 70
"""A replay decided differently from the record (EX_SOFTWARE)."""

INTERNAL_ERROR = 70
"""An error of the cockpit's own (EX_SOFTWARE): never 1, which is HOLD."""

CANNOT_WRITE = 73
"""A file or folder cannot be written: read-only, or full (EX_CANTCREAT)."""

NO_ACCESS = 77
"""This user may not read or write a file or folder (EX_NOPERM)."""

INTERRUPTED = 130
"""Ended by ctrl-c, as a shell reports it: 128 + SIGINT."""
