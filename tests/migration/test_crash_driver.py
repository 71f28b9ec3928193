"""Under fire: nothing lost, nothing doubled, nothing orphaned; and each guard taken out is noticed."""

from __future__ import annotations

import pytest
from crash_driver import BUCKET, drive

from cockpit.rehearsal.object_store import ObjectStore
from cockpit.rehearsal.postgres import EmbeddedPostgres

pytestmark = [
    pytest.mark.timeout(150),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
Server = tuple[EmbeddedPostgres, str]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "rehearsal")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "rehearsal-secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    served = ObjectStore(BUCKET, seed=3).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
    yield served  # type: ignore[misc]
    served.stop()


async def test_nothing_is_lost_doubled_or_orphaned(server: Server, store: ObjectStore) -> None:
    audit = await drive(server[1], store, 2_500, seed=3)
    assert audit.clean, str(audit)
    assert audit.kills > 0
    assert audit.documents > 2_000


@pytest.mark.parametrize("guard", ["xmin", "intent", "epoch"])
async def test_the_audit_notices_when_a_guard_is_taken_out(server: Server, store: ObjectStore, guard: str) -> None:
    audit = await drive(server[1], store, 1_500, seed=3, without=guard, within_s=30)
    assert not audit.clean, str(audit)
