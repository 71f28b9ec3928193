"""The settings of a run, from the migration of a plan. Only who begins a run needs this; a worker reads the run's row."""

from __future__ import annotations

from collections.abc import Mapping

from cockpit.migration.settings import Settings, Source
from cockpit.plan.model import Migration


def settings_of(migration: Migration, id_types: Mapping[str, str], account: str = "") -> Settings:
    """A plan's migration, with the types of its tables' keys by label."""
    sources = [Source(table) for table in migration.tables]
    return Settings(
        bucket=migration.bucket,
        region=migration.region,
        prefix=migration.prefix,
        sources=tuple(Source(source.table, id_types.get(source.label, "text")) for source in sources),
        limits=migration.limits,
        soak_s=migration.soak.total_seconds(),
        verify_share=migration.verify_share,
        account=account,
        storage=migration.storage,
    )
