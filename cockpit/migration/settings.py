"""What a run works by. It is kept in the run's row, so that a worker anywhere needs nothing but the database and AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any

from cockpit.migration_scope import MIB, Limits, MigrationTable, Storage
from probes.frozen import frozen

LEASE_S = 60.0
SWEEP_AFTER_S = 20 * 60.0
"""Beyond the lease: a signed request is refused after 15 minutes, so nothing can still arrive later."""
PART_BYTES = 8 * MIB
"""Files above this go in parts of this size, so that no file is ever whole in memory."""


@frozen
class Source:
    """One table as it was found: the plan's names, and the type of its key column."""

    table: MigrationTable
    id_type: str = "text"

    @property
    def label(self) -> str:
        """What the ledger calls it."""
        return self.table.name if self.table.schema == "public" else f"{self.table.schema}.{self.table.name}"


@frozen
class Settings:
    bucket: str
    region: str
    prefix: str
    sources: tuple[Source, ...]
    limits: Limits = field(default_factory=Limits)
    lease_s: float = LEASE_S
    sweep_after_s: float = SWEEP_AFTER_S
    soak_s: float = 24 * 3600.0
    verify_share: float = 1.0
    account: str = ""
    """The account that must own the bucket; empty when the plan names none."""
    storage: Storage = field(default_factory=Storage)

    def source(self, label: str) -> Source:
        """The table of this label. Raises KeyError."""
        for source in self.sources:
            if source.label == label:
                return source
        raise KeyError(label)

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


def settings_from(held: Mapping[str, Any]) -> Settings:
    """What `as_json` wrote, parsed."""
    sources = tuple(Source(MigrationTable(**one["table"]), one["id_type"]) for one in held["sources"])
    storage = Storage(**held.get("storage", {}))  # a run begun by an earlier version has none
    return Settings(**{**held, "sources": sources, "limits": Limits(**held["limits"]), "storage": storage})
