"""AWS from asyncio: real deadlines, one client per service, and the person may log in again while we run."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from moto import mock_aws
from support.silent_wire import wire_to
from support.waiting import LAST_RESORT_S, until

import probes.clients.aws
from probes.clients.aws import AwsClient
from probes.reading import Reason, Unknown, Unseen


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A socket that listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def unseen(client: AwsClient, service: str, operation: str, **params: Any) -> Unknown:
    with pytest.raises(Unseen) as raised:
        await client.call(service, operation, **params)
    return raised.value.unknown


async def test_an_answer_is_as_boto3_gives_it() -> None:
    client = AwsClient("us-east-1")
    with mock_aws():
        answer = await client.call("sts", "get_caller_identity")
    assert answer["Account"] == "123456789012"
    await client.close()


async def test_a_black_hole_ends_at_the_deadline(black_hole: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{black_hole}")
    monkeypatch.setattr(probes.clients.aws, "DEADLINE_S", 0.3)
    client = AwsClient("us-east-1")
    unknown = await unseen(client, "sts", "get_caller_identity")
    assert unknown.reason is Reason.TIMEOUT
    assert "0.3 s" in unknown.detail
    await client.close()


async def test_many_stuck_calls_do_not_hold_up_the_event_loop(black_hole: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{black_hole}")
    monkeypatch.setattr(probes.clients.aws, "DEADLINE_S", 0.5)
    client = AwsClient("us-east-1")
    found = await asyncio.gather(*(unseen(client, "sts", "get_caller_identity") for _ in range(50)))
    assert {unknown.reason for unknown in found} == {Reason.TIMEOUT}
    await client.close()


async def test_the_endpoint_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with wire_to() as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{wire.port}")
        client = AwsClient("us-east-1")
        asking = asyncio.create_task(client.call("ecs", "list_clusters"))
        await until(lambda: wire.accepted)
        asking.cancel()
        await client.close()


async def test_nobody_listening_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    client = AwsClient("us-east-1")
    assert (await unseen(client, "sts", "get_caller_identity")).reason is Reason.UNREACHABLE
    await client.close()


def test_a_process_does_not_wait_for_stuck_calls(black_hole: int) -> None:
    code = """
import asyncio, threading
import probes.clients.aws
from probes.clients.aws import AwsClient
probes.clients.aws.READ_TIMEOUT_S = 1_000_000
async def main():
    client = AwsClient("us-east-1")
    calls = [asyncio.create_task(client.call("sts", "get_caller_identity")) for _ in range(8)]
    while threading.active_count() < 9:
        await asyncio.sleep(0.01)
    for call in calls:
        call.cancel()
    await client.close()
asyncio.run(main())
print("done", flush=True)
"""
    env = os.environ | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{black_hole}"}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert process.stdout.readline() == "done\n"
    assert process.wait(LAST_RESORT_S) == 0
    process.stdout.close()


class Counted:
    """A factory that takes its time, and clients that answer or fail as told."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.fails: Exception | None = None

    def __call__(self, service: str) -> Any:
        time.sleep(0)  # others may come in between
        self.made.append(service)
        return self

    def ask(self, **params: Any) -> dict[str, Any]:
        if self.fails is not None:
            raise self.fails
        return params


async def test_one_client_per_service_even_when_all_ask_at_once() -> None:
    factory = Counted()
    client = AwsClient(factory=factory)
    await asyncio.gather(*(client.call(service, "ask", n=1) for service in ("ecs", "rds", "ecs") for _ in range(10)))
    assert sorted(factory.made) == ["ecs", "rds"]
    await client.close()


async def test_what_is_not_found_is_named() -> None:
    factory = Counted()
    factory.fails = ClientError({"Error": {"Code": "ClusterNotFoundException", "Message": "Cluster not found."}}, "Ask")
    unknown = await unseen(AwsClient(factory=factory), "ecs", "ask", cluster="transparent-trust-prod")
    assert "transparent-trust-prod" in unknown.detail
    assert unknown.hint == "check cluster transparent-trust-prod, account and region in the plan"


def expired() -> ClientError:
    return ClientError({"Error": {"Code": "ExpiredToken", "Message": "x"}}, "Ask")


@pytest.mark.parametrize("error", [expired(), NoCredentialsError()])
async def test_after_logging_in_again_the_next_call_uses_the_new_credentials(error: Exception) -> None:
    factory = Counted()
    client = AwsClient(factory=factory)
    factory.fails = error
    assert (await unseen(client, "ecs", "ask")).reason.traits.is_of_credentials
    factory.fails = None
    assert await client.call("ecs", "ask", n=1) == {"n": 1}
    assert factory.made == ["ecs", "ecs"]
    await client.close()


async def test_credentials_that_appear_later_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    client = AwsClient("us-east-1", profile="")
    assert (await unseen(client, "sts", "get_caller_identity")).reason is Reason.NO_CREDENTIALS
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        assert (await client.call("sts", "get_caller_identity"))["Account"] == "123456789012"
    await client.close()


async def test_the_profile_is_in_the_hint_wherever_it_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    factory = Counted()
    factory.fails = expired()
    assert "--profile night" in (await unseen(AwsClient(profile="night", factory=factory), "sts", "ask")).hint
    monkeypatch.setenv("AWS_PROFILE", "day")
    assert "--profile day" in (await unseen(AwsClient(factory=factory), "sts", "ask")).hint


async def test_a_profile_that_does_not_exist_says_so() -> None:
    unknown = await unseen(AwsClient("us-east-1", profile="nigth"), "sts", "get_caller_identity")
    assert (unknown.reason, "nigth" in unknown.detail) == (Reason.NO_CREDENTIALS, True)


async def test_without_a_region_the_hint_says_where_to_set_it() -> None:
    unknown = await unseen(AwsClient(), "ecs", "list_clusters")
    assert (unknown.reason, "--region" in unknown.hint) == (Reason.REFUSED, True)


async def test_a_defect_is_told_and_its_traceback_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    factory = Counted()
    factory.fails = ZeroDivisionError("x")
    unknown = await unseen(AwsClient(factory=factory), "ecs", "ask")
    assert (unknown.reason, unknown.hint) == (Reason.ERROR, "the traceback is in the log file")
    assert caplog.records[0].exc_info is not None


async def test_whole_answers_are_never_logged() -> None:
    client = AwsClient("us-east-1")
    with mock_aws():
        await client.call("sts", "get_caller_identity")
    assert not logging.getLogger("botocore.parsers").isEnabledFor(logging.DEBUG)
    await client.close()


def test_importing_every_probe_imports_no_boto3() -> None:
    code = (
        "import sys, probes.registry as r\n"
        "for name in r.names(): r.find(name)\n"
        "import probes.clients.clients; probes.clients.clients.Clients(probes.clients.clients.AwsOptions())\n"
        "print(sorted({'boto3', 'botocore'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LAST_RESORT_S
    )
    assert done.stdout == "[]\n"
