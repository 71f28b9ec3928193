"""One bucket of tokens for each operation of an account: a burst goes at once, the rest waits its turn, in order."""

from __future__ import annotations

import asyncio

import pytest
from support.aws.modelled import ModelledAws

from probes.clients.clients import AwsOptions, Clients
from probes.clients.quotas import LONGEST_WAIT_S, QUOTAS, Quotas
from probes.reading import Reason, Unseen

QUERY = ("logs", "start_query")
"""10 a second."""


def test_a_burst_goes_at_once_and_what_is_above_it_waits_its_turn() -> None:
    quotas = Quotas()
    assert [quotas.due(*QUERY, 0.0) for _ in range(10)] == [0.0] * 10
    assert [quotas.due(*QUERY, 0.0) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])


def test_the_bucket_fills_again_and_never_above_its_brim() -> None:
    quotas = Quotas()
    for _ in range(10):
        quotas.due(*QUERY, 0.0)
    assert [quotas.due(*QUERY, 0.2) for _ in range(3)] == pytest.approx([0.0, 0.0, 0.1])
    assert [quotas.due(*QUERY, 3600.0) for _ in range(11)] == pytest.approx([*[0.0] * 10, 0.1])


def test_operations_do_not_take_from_each_other() -> None:
    quotas = Quotas()
    for _ in range(20):
        quotas.due(*QUERY, 0.0)
    assert quotas.due("logs", "get_query_results", 0.0) == 0.0
    assert quotas.due("sts", "get_caller_identity", 0.0) == 0.0


def test_a_rehearsal_that_lives_faster_may_ask_faster() -> None:
    quotas = Quotas(lambda: 30.0)
    for _ in range(10):
        quotas.due(*QUERY, 0.0)
    assert quotas.due(*QUERY, 0.0) == pytest.approx(0.1 / 30)


def test_a_line_that_is_too_long_is_told_and_not_joined() -> None:
    quotas = Quotas()
    most = 10 + int(LONGEST_WAIT_S * 10)
    for _ in range(most):
        quotas.due(*QUERY, 0.0)
    for _ in range(2):
        with pytest.raises(Unseen) as refused:
            quotas.due(*QUERY, 0.0)
        assert refused.value.unknown.reason is Reason.THROTTLED
        assert "longer intervals" in refused.value.unknown.hint
    assert quotas.due(*QUERY, 0.1) == pytest.approx(LONGEST_WAIT_S)


async def test_all_calls_of_one_cockpit_share_the_buckets() -> None:
    aws, quotas = ModelledAws(), Quotas()
    aws.on["LookupEvents"] = {"Events": []}
    clients = Clients(AwsOptions("us-east-1"), aws._client, quotas=quotas)
    try:
        await clients.aws("cloudtrail", "lookup_events")
        quotas.due("cloudtrail", "lookup_events", asyncio.get_running_loop().time() + 3600)  # taken long after now
        for asking in (clients, await clients.pinned()):
            with pytest.raises(Unseen) as refused:
                await asking.aws("cloudtrail", "lookup_events")
            assert refused.value.unknown.reason is Reason.THROTTLED
        assert len(aws.asked) == 1
    finally:
        await clients.close()
        await aws.clients.close()


@pytest.mark.parametrize("named", QUOTAS, ids=".".join)
def test_every_quota_is_of_an_operation_that_there_is(named: tuple[str, str]) -> None:
    import boto3

    service, operation = named
    client = boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    assert operation in client.meta.method_to_api_mapping
