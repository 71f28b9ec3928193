"""What every test of the migration stands on; `migration_bench.py` makes it."""

from __future__ import annotations

from migration.migration_bench import _collected, bench, server, store

__all__ = ["_collected", "bench", "server", "store"]
