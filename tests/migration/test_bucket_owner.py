"""Every request of every phase, by both clients, is for a bucket of the plan's account; another account's gets no byte."""

from __future__ import annotations

from dataclasses import replace

import pytest
from migration.migration_bench import Bench

from cockpit.migration import runs
from cockpit.migration.states import PhaseName
from cockpit.migration_scope import MIB
from cockpit.rehearsal.object_store.signing import unsigned_headers

OURS, THEIRS = "123456789012", "210987654321"


async def test_each_request_expects_the_plans_account_to_own_the_bucket(bench: Bench) -> None:
    bench.settings = replace(bench.settings, account=OURS)
    bench.store.owner = OURS
    bench.insert(2)
    bench.insert(1, 9 * MIB, id_="large")
    for phase in (PhaseName.COPY, PhaseName.VERIFY, PhaseName.PURGE, PhaseName.RESTORE):
        assert await bench.phase(phase) == "done"
    assert bench.store.unowned.total() == 0
    assert bench.store.requests["PUT"] >= 2
    assert bench.store.requests["GET"] >= 2


async def test_a_bucket_that_has_become_another_accounts_halts_the_run(bench: Bench) -> None:
    bench.settings = replace(bench.settings, account=OURS)
    bench.store.owner = THEIRS
    bench.insert(3)
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    await bench.until(lambda: bench.sql("SELECT halted IS NOT NULL FROM cutover.run") == [(True,)])
    halted = (await runs.load(bench.connection, run)).halted
    assert halted is not None
    assert (halted["code"], "target.account" in halted["hint"]) == ("AccessDenied", True)
    assert bench.shelf.names() == []
    assert bench.store.foreign > 0


@pytest.mark.parametrize(("signed", "left_out"), [("host;x-amz-acl", []), ("host", ["x-amz-acl"])])
def test_a_header_of_amazons_own_is_signed_or_the_request_is_refused(signed: str, left_out: list[str]) -> None:
    given = {
        "authorization": f"AWS4-HMAC-SHA256 Credential=a, SignedHeaders={signed}, Signature=0",
        "x-amz-acl": "private",
    }
    assert unsigned_headers(given) == left_out
