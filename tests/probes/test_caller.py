"""Credentials that are refreshed while the cockpit runs: nothing is read under another caller than the accepted one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rehearsal.test_aws_ecs import PLACE, Furnished

from cockpit.rehearsal.aws.services.call_faults import AwsFault
from probes.clients import caller
from probes.clients.caller import Caller, CallerCheck
from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reason, Unseen

OURS, OURS_AGAIN, OTHER = "AKIACOCKPIT000000001", "AKIACOCKPIT000000002", "AKIAAPPROLE000000000"
ON_CALL = Caller("123456789012", "arn:aws:sts::123456789012:assumed-role/on-call/cockpit")
APPLICATION = Caller("123456789012", "arn:aws:sts::123456789012:assumed-role/transparent-trust-task/web")
Use = Callable[[str], None]


@pytest.fixture
def world() -> Iterator[Furnished]:
    made = Furnished()
    yield made
    made.close()


@pytest.fixture
def use(world: Furnished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Makes another access key the one in use: the profile's program gives it from then on, for minutes at a time."""
    given = tmp_path / "credentials.json"
    (tmp_path / "config").write_text(f"[profile night]\ncredential_process = cat {given}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", world.endpoint)

    def write(key: str) -> None:
        soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
        held = {"Version": 1, "AccessKeyId": key, "SecretAccessKey": "x", "SessionToken": "x", "Expiration": soon}
        given.write_text(json.dumps(held))

    write(OURS)
    return write


async def read(clients: Clients) -> int:
    answer = await clients.aws("ecs", "describe_services", cluster=PLACE["cluster"], services=[PLACE["service"]])
    return int(answer["services"][0]["runningCount"])


async def refused(clients: Clients) -> str:
    with pytest.raises(Unseen) as raised:
        await read(clients)
    assert raised.value.unknown.reason is Reason.WRONG_ACCOUNT
    return raised.value.unknown.detail


def opened() -> Clients:
    return Clients(AwsOptions("us-east-1", "night", "123456789012"))


async def test_a_refresh_to_the_same_principal_goes_on(use: Use) -> None:
    clients = opened()
    check = clients.hold(ON_CALL, lambda: None)
    assert await read(clients) == 2
    use(OURS_AGAIN)
    assert await read(clients) == 2
    assert check.refused is None
    await clients.close()


async def test_a_refresh_to_another_principal_is_refused_until_it_is_accepted_or_gone(use: Use) -> None:
    clients, told = opened(), []
    check = clients.hold(ON_CALL, lambda: told.append("changed"))
    assert await read(clients) == 2
    use(OTHER)
    detail = await refused(clients)
    assert APPLICATION.name in detail
    assert ON_CALL.name in detail
    assert await refused(clients) == detail
    assert told == ["changed"]
    use(OURS_AGAIN)
    assert await read(clients) == 2
    use(OTHER)
    await refused(clients)
    check.accept(APPLICATION)
    assert await read(clients) == 2
    await clients.close()


async def test_an_answer_that_comes_after_the_change_does_not_pass(world: Furnished, use: Use) -> None:
    clients = opened()
    clients.hold(ON_CALL, lambda: None)
    assert await read(clients) == 2
    world.aws.faults.set("late", AwsFault("ecs", "DescribeServices", "latency", latency_s=1.0))
    world.aws.faults.sleep = lambda _: use(OTHER)  # instead of being late, the credentials change meanwhile
    await refused(clients)
    await clients.close()


async def test_without_a_named_account_the_first_caller_is_the_accepted_one(use: Use) -> None:
    clients = opened()
    check = clients.hold(None, lambda: None)
    assert await read(clients) == 2
    assert check.accepted == ON_CALL
    use(OTHER)
    await refused(clients)
    await clients.close()


async def test_a_new_key_that_cannot_be_identified_reads_nothing(world: Furnished, use: Use) -> None:
    clients = opened()
    clients.hold(ON_CALL, lambda: None)
    assert await read(clients) == 2
    world.aws.faults.set("sts", AwsFault("sts", "*", "deny"))
    assert await read(clients) == 2, "the key is known: it is still the same caller"
    use(OURS_AGAIN)
    with pytest.raises(Unseen) as raised:
        await read(clients)
    assert raised.value.unknown.reason is Reason.ACCESS_DENIED
    await clients.close()


async def test_pinned_credentials_stay_the_same_while_others_are_refreshed(use: Use) -> None:
    clients = opened()
    pinned = await clients.pinned()
    use(OTHER)
    assert (await pinned.aws("sts", "get_caller_identity"))["Arn"] == ON_CALL.arn
    assert (await clients.aws("sts", "get_caller_identity"))["Arn"] == APPLICATION.arn
    assert (await pinned.aws("sts", "get_caller_identity"))["Arn"] == ON_CALL.arn
    await clients.close()


def test_the_same_key_asked_again_may_have_become_another_caller() -> None:
    check = CallerCheck(ON_CALL)
    check.admit("k", lambda: ("k", ON_CALL))
    check.identified("k", APPLICATION)
    assert check.refused == APPLICATION
    with pytest.raises(Unseen):
        check.admit("k", lambda: ("k", ON_CALL))


def test_while_sts_is_asked_nobody_else_waits_for_ever_and_what_is_known_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(caller, "WAIT_S", 0.0)
    check = CallerCheck(ON_CALL)
    check.identified("known", ON_CALL)

    def asked() -> tuple[str, Caller]:
        check.admit("known", lambda: ("known", APPLICATION))
        check.identified("known", ON_CALL)
        with pytest.raises(Unseen) as raised:
            check.admit("another", lambda: ("another", ON_CALL))
        assert raised.value.unknown.reason is Reason.TIMEOUT
        return "new", ON_CALL

    check.admit("new", asked)
    check.admit("new", lambda: ("new", APPLICATION))
