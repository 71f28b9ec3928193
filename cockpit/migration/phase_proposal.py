"""What beginning a migration phase would do, looked at once and shown: it is begun as it was shown, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any

from cockpit import formatting
from cockpit.migration.states import PhaseName, complete
from probes.frozen import frozen

FROZEN = "COCKPIT_PROPOSAL"
"""Variable of the environment that holds the proposal an operator has confirmed, as JSON: what is begun must be that."""
_LOSES: Mapping[PhaseName, str] = complete(
    PhaseName,
    {
        PhaseName.COPY: "nothing: the bytes stay in the database; rows get the S3 key of their object",
        PhaseName.VERIFY: "nothing; a file whose object differs goes back to the database and is copied again",
        PhaseName.PURGE: (
            "the bytes of these files in the database. After that, rolling back the application loses them: the verdict reads "
            "FIX FORWARD. The disk space is not returned: VACUUM makes it reusable, and RDS storage never shrinks. "
            "A restore copies the files back from S3"
        ),
        PhaseName.RESTORE: (
            "the S3 keys of these rows: the files are copied back to the database and checked. "
            "The objects stay until a sweep"
        ),
    },
)


@frozen
class PhaseProposal:
    """One phase on one database and bucket, by one principal."""

    phase: PhaseName
    account: str
    region: str
    principal: str
    """ARN, as STS answered."""
    database: str
    """Host and name."""
    bucket: str
    """With its prefix: `s3://bucket/prefix`."""
    workers: str
    """Where they run, and how many."""
    part: str
    """What it is limited to; empty for all files."""
    files: int | None
    """How many are open for the phase; None before the ledger exists."""
    checks: tuple[str, ...]
    """What was looked at, each in a line."""
    at: datetime
    """When all of it was looked at."""
    stated: str = ""
    """When and by whom it was stated that just this begins, where nothing was begun by that; empty where it is to be stated."""

    @property
    def many(self) -> str:
        return "files not counted yet" if self.files is None else f"{self.files:,} file{'s' * (self.files != 1)}"

    @property
    def title(self) -> str:
        return f"{self.phase.upper()} {self.many} of {self.database} on {self.account} in {self.region}"

    @property
    def words(self) -> str:
        """To be typed exactly, and then why."""
        return f"{self.phase} {self.database}"

    @property
    def lines(self) -> tuple[str, ...]:
        """How the record may say it: files that a beginning has counted before it died were not counted when it was stated."""
        return (self.line,) if self.files is None else (self.line, replace(self, files=None).line)

    @property
    def line(self) -> str:
        """All of it that names who changes what, and where: for the record."""
        part = f", {self.part}" if self.part else ""
        return (
            f"{self.phase} {self.many}{part} of {self.database} to {self.bucket} in account {self.account}, "
            f"region {self.region}, as {self.principal}, by {self.workers}"
        )

    def shown(self) -> Iterator[tuple[str, str]]:
        """Name and value of each line of the confirmation."""
        yield "database", self.database
        yield "bucket", self.bucket
        yield "account", f"{self.account}, {self.region}"
        yield "as", self.principal
        yield "files", self.many + (f", {self.part}" if self.part else "")
        yield "loses", _LOSES[self.phase]
        yield "workers", self.workers
        if self.stated:
            yield "stated", self.stated
        for each in self.checks:
            yield "checked", f"{each}, at {formatting.clock(self.at)}"

    def differences(self, now: PhaseProposal) -> tuple[str, ...]:
        """What is no longer as it was shown; only the time, and what it begins by, may differ."""
        return tuple(
            f"{each.name} was {_text(getattr(self, each.name))}, and is {_text(getattr(now, each.name))}"
            for each in fields(self)
            if each.name not in ("at", "stated") and getattr(self, each.name) != getattr(now, each.name)
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {"at": self.at.isoformat()}, ensure_ascii=False)


def proposal_from(text: str) -> PhaseProposal:
    """What `as_json` wrote, parsed. Raises ValueError."""
    try:
        held: dict[str, Any] = json.loads(text)
        made = {
            "phase": PhaseName(held["phase"]),
            "checks": tuple(held["checks"]),
            "at": datetime.fromisoformat(held["at"]),
        }
        return PhaseProposal(**(held | made))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"this is no proposal of a phase: {error}") from None


def _text(value: object) -> str:
    return "; ".join(map(str, value)) if isinstance(value, tuple) else str(value)
