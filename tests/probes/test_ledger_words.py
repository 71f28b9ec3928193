"""The probe of the migration and its ledger speak of the same states."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cockpit.migration.states import DONE, ItemState, PhaseName, Wanted
from cockpit.migration.states import NOT_OURS as NOT_OURS_TO_MOVE
from probes.databases.migration_ledger import ITEM_STATES, NOT_OURS, CutoverMigrationParams


def test_the_words_are_the_ledgers() -> None:
    assert set(ITEM_STATES) == set(ItemState)
    assert set(NOT_OURS) == set(NOT_OURS_TO_MOVE)
    assert set(DONE[PhaseName.VERIFY]) == {"verified", "purged"}
    assert set(DONE[PhaseName.COPY]) == {"switched", "verified", "purged"}
    assert len(Wanted) == len({"run", "pause", "drain", "abort"})


def test_without_a_table_it_could_be_any_database() -> None:
    with pytest.raises(ValidationError):
        CutoverMigrationParams.model_validate({"dsn": "postgresql://x", "tables": []})
