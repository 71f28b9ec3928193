"""Credentials that expire in the middle of a run are renewed, and it goes on; what cannot be renewed halts it, until resumed.

A container's endpoint gives out credentials that live for seconds, and S3 refuses every token whose time is up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import RefreshableCredentials
from botocore.utils import ContainerMetadataFetcher
from migration.credential_issuer import Issuer, StrictStore
from migration.migration_bench import BUCKET, Bench
from support.waiting import LAST_RESORT_S

from cockpit.migration import runs
from cockpit.migration.states import PhaseName, Wanted
from cockpit.migration_scope import MIB
from cockpit.rehearsal.object_store import ObjectStore

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ObjectStore]:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", *KEYS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setattr("cockpit.migration.worker_context.RENEWED_AGAIN_S", 0.1)
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0.01)
    with StrictStore(BUCKET) as served:
        served.shown = set()
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
        yield served


def issuing(bench: Bench, monkeypatch: pytest.MonkeyPatch, issuer: Issuer) -> Issuer:
    assert isinstance(bench.store, StrictStore)
    bench.store.issuer = issuer
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", issuer.url)
    return issuer


@pytest.mark.parametrize("rotations", [2, pytest.param(20, marks=pytest.mark.long)])
async def test_rotations_in_a_run_halt_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch, rotations: int) -> None:
    """Both clients, small files and files in parts: what S3 refuses is renewed, though it was said to hold for longer."""
    issuer = issuing(bench, monkeypatch, Issuer(lives_s=16 * 60))
    bench.insert(1, id_="first")
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    for number in range(rotations):
        await bench.until(lambda: set(bench.states()) == {"switched"})
        issuer.expire()
        bench.insert(1, id_=f"small-{number}")
        bench.insert(1, 9 * MIB if number == 0 else 100, id_=f"other-{number}")
        assert await runs.enlist_all(bench.connection, bench.settings) == 2
    assert await bench.finish(run) == "done"
    assert bench.store.requests["expired"] >= rotations
    issuer.expire()
    assert await bench.phase(PhaseName.VERIFY) == "done"
    assert bench.sql("SELECT count(*) FROM cutover.event WHERE kind = 'halted'") == [(0,)]
    assert bench.sql("SELECT sum(failures) FROM cutover.item") == [(0,)]
    bench.proven()


@pytest.mark.long
@pytest.mark.parametrize("early_min", [6, 0], ids=["rotated in time", "rotated at their end"])
async def test_twenty_rotations_of_sixteen_minutes_each(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, early_min: float
) -> None:
    """Five hours of a night, minute by minute: botocore goes by the issuer's clock, and obstore asks at every request."""
    issuer = issuing(bench, monkeypatch, Issuer(16 * 60, early_min * 60))
    remaining: Any = RefreshableCredentials._seconds_remaining
    monkeypatch.setattr(RefreshableCredentials, "_seconds_remaining", lambda held: remaining(held) - issuer.passed_s)
    monkeypatch.setattr("cockpit.migration.object_store.ASKED_AGAIN", timedelta(minutes=5))
    assert isinstance(bench.store, StrictStore)
    bench.insert(1, id_="first")
    run = await bench.begin(PhaseName.COPY)
    bench.work(run, 2)
    minute = 0
    while min(bench.store.tokens("obstore"), bench.store.tokens("boto3")) <= 20:
        bench.insert(1, id_=f"small-{minute}")
        bench.insert(1, 9 * MIB if minute % 5 == 0 else 100, id_=f"other-{minute}")
        await runs.enlist_all(bench.connection, bench.settings)
        minute += 1
        issuer.passed_s += 60
        await bench.until(lambda: set(bench.states()) == {"switched"})
    assert await bench.finish(run) == "done"
    assert len(issuer.issued) > 20
    issuer.passed_s += 16 * 60
    assert await bench.phase(PhaseName.VERIFY) == "done"
    assert bench.sql("SELECT count(*) FROM cutover.event WHERE kind = 'halted'") == [(0,)]
    assert bench.sql("SELECT sum(failures) FROM cutover.item") == [(0,)]
    assert early_min == 0 or bench.store.requests["expired"] == 0
    bench.proven()


async def test_credentials_are_renewed_before_they_expire(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = issuing(bench, monkeypatch, Issuer(lives_s=120))
    bench.insert(4)
    bench.insert(1, 9 * MIB, id_="large")
    assert await bench.phase(PhaseName.COPY) == "done"
    assert bench.store.requests["expired"] == 0
    assert len(issuer.issued) > 2, "none is used that ends within minutes"


async def test_an_endpoint_that_is_late_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = issuing(bench, monkeypatch, Issuer(lives_s=16 * 60))
    bench.insert(1, id_="first")
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    await bench.until(lambda: bench.states() == {"switched": 1})
    issuer.silent = True
    issuer.expire()
    bench.insert(3)
    await runs.enlist_all(bench.connection, bench.settings)
    await bench.until(lambda: bench.store.requests["expired"] > 5)
    issuer.silent = False
    assert await bench.finish(run) == "done"
    assert bench.sql("SELECT count(*) FROM cutover.event WHERE kind = 'halted'") == [(0,)]


@pytest.mark.long
async def test_an_endpoint_that_hangs_holds_up_no_heartbeat(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever moves files keeps its leases and hears what is wanted, while what it asked for does not come."""
    monkeypatch.setattr(ContainerMetadataFetcher, "TIMEOUT_SECONDS", LAST_RESORT_S)
    issuer = issuing(bench, monkeypatch, Issuer(lives_s=60))
    bench.insert(1, id_="first")
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    await bench.until(lambda: bench.states() == {"switched": 1})
    issuer.answers.clear()
    try:
        bench.insert(2)
        await runs.enlist_all(bench.connection, bench.settings)
        await bench.until(lambda: bench.states() == {"switched": 1, "uploading": 2})
        await bench.beaten()
    finally:
        issuer.answers.set()
    assert await bench.finish(run) == "done"


async def halted(bench: Bench, run: int) -> Any:
    await bench.until(lambda: bench.sql("SELECT halted IS NOT NULL FROM cutover.run") == [(True,)])
    return (await runs.load(bench.connection, run)).halted


async def test_after_somebody_logged_in_again_resume_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("cockpit.migration.worker_context.CREDENTIALS_S", 0.0)
    assert isinstance(bench.store, StrictStore)
    issuer = bench.store.issuer = Issuer(lives_s=3600)

    def log_in() -> None:
        given = issuer.issue()
        (tmp_path / "credentials").write_text(
            f"[default]\naws_access_key_id = {given['AccessKeyId']}\n"
            f"aws_secret_access_key = {given['SecretAccessKey']}\naws_session_token = {given['Token']}\n"
        )

    log_in()
    bench.insert(3)
    run = await bench.begin(PhaseName.COPY)
    issuer.expire()
    bench.work(run)
    found = await halted(bench, run)
    assert found["code"] == "ExpiredToken"
    assert "log in" in found["hint"]
    log_in()
    await bench.until(lambda: "uploading" not in bench.states())
    await runs.go_on(bench.connection, await runs.load(bench.connection, run), gate=lambda _: ())
    assert await bench.finish(run) == "done"
    assert bench.states() == {"switched": 3}


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(True, marks=pytest.mark.long, id="worked before"),
        pytest.param(False, id="silent from the beginning"),
    ],
)
async def test_after_an_endpoint_was_silent_for_too_long_resume_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    """The same workers go on: nobody has to start the phase again."""
    monkeypatch.setattr("cockpit.migration.worker_context.CREDENTIALS_S", 0.0)
    issuer = issuing(bench, monkeypatch, Issuer(lives_s=16 * 60))
    issuer.silent = not begun
    bench.insert(1, id_="first")
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    if begun:
        await bench.until(lambda: bench.states() == {"switched": 1})
    issuer.silent = True
    issuer.expire()
    bench.insert(3)
    await runs.enlist_all(bench.connection, bench.settings)
    assert "log in" in (await halted(bench, run))["hint"]
    issuer.silent = False
    await bench.until(lambda: "uploading" not in bench.states())
    await runs.go_on(bench.connection, await runs.load(bench.connection, run), gate=lambda _: ())
    assert await bench.finish(run) == "done"
    assert bench.states() == {"switched": 4}


async def test_credentials_of_the_environment_are_said_to_need_another_start(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cockpit.migration.worker_context.CREDENTIALS_S", 0.0)
    assert isinstance(bench.store, StrictStore)
    issuer = bench.store.issuer = Issuer(lives_s=3600)
    for name, value in zip((*KEYS, "AWS_SESSION_TOKEN"), list(issuer.issue().values())[:3], strict=True):
        monkeypatch.setenv(name, value)
    issuer.expire()
    bench.insert(3)
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    found = await halted(bench, run)
    assert "drain" in found["hint"]
    await runs.want(bench.connection, run, Wanted.DRAIN)
    assert await bench.finish(run) == "drained"
    monkeypatch.setenv("AWS_SESSION_TOKEN", issuer.issue()["Token"])
    assert await bench.phase(PhaseName.COPY) == "done"
