"""Under fire: nothing lost, nothing doubled, nothing orphaned; and each guard taken out is noticed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from migration.crash_driver import BUCKET, drive

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from cockpit.rehearsal.object_store import ObjectStore

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
Server = tuple[EmbeddedPostgres, str]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "rehearsal")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "rehearsal-secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    served = ObjectStore(BUCKET, seed=3).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
    yield served
    served.stop()


@pytest.mark.parametrize("documents", [200, pytest.param(1_500, marks=pytest.mark.long)])
async def test_nothing_is_lost_doubled_or_orphaned(server: Server, store: ObjectStore, documents: int) -> None:
    audit = await drive(server[1], store, documents, seed=3)
    assert audit.clean, str(audit)
    assert audit.unfinished == []
    assert audit.kills > 0
    assert audit.documents > documents / 3


@pytest.mark.long
async def test_who_wakes_while_another_has_its_document_changes_nothing(server: Server, store: ObjectStore) -> None:
    audit = await drive(server[1], store, 200, seed=3, held_up=True)
    assert audit.clean, str(audit)
    assert audit.unfinished == []


@pytest.mark.long
@pytest.mark.parametrize(("guard", "damage"), [("xmin", "wrong"), ("intent", "unknown"), ("epoch", "misrecorded")])
async def test_each_guard_taken_out_does_the_damage_it_prevents(
    server: Server, store: ObjectStore, guard: str, damage: str
) -> None:
    for seed in range(3, 9):  # one is enough; on a busy machine a seed may pass by without it
        audit = await drive(
            server[1],
            store,
            300 if guard == "epoch" else 800,
            seed=seed,
            without=guard,
            held_up=guard == "epoch",
            rounds=200,
        )
        if getattr(audit, damage):
            return
    pytest.fail(f"without {guard} nothing was {damage}: {audit}")
