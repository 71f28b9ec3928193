"""A desk at the simulated AWS: a clock to set, real boto3 clients; and that it starts, serves and stops cleanly."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cockpit.rehearsal.aws.simulation import SimulatedAws
from cockpit.rehearsal.aws_profile import PROFILES, USUAL

START = datetime(2024, 12, 28, 22, 0, tzinfo=UTC)
COCKPIT, APPLICATION, OPERATOR = "AKIACOCKPIT000000000", "AKIAAPPROLE000000000", "AKIAOPERATOR00000000"


class SetClock:
    """A clock that stands until it is set."""

    speed = 1.0

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    async def sleep(self, duration: timedelta) -> None:
        self.time += duration


class Desk:
    def __init__(self, log_file: Path | None = None, profile: str = USUAL) -> None:
        self.clock = SetClock()
        self.aws = SimulatedAws(self.clock, log_file=log_file, profile=PROFILES[profile])
        self.endpoint = self.aws.start()
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, key: str = COCKPIT) -> Any:
        if (service, key) not in self._clients:
            config = Config(
                retries={"total_max_attempts": 1}, proxies={}, read_timeout=10, s3={"addressing_style": "path"}
            )
            self._clients[service, key] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name="us-east-1",
                aws_access_key_id=key,
                aws_secret_access_key="nobody checks",
                config=config,
            )
        return self._clients[service, key]

    def wait(self, seconds: float, step: float = 5.0) -> None:
        """Let the world live for a while, ticking as the world process does."""
        until = self.clock.time + timedelta(seconds=seconds)
        while self.clock.time < until:
            self.clock.time = min(self.clock.time + timedelta(seconds=step), until)
            self.aws.tick(self.clock.time)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self.aws.stop()


@contextlib.contextmanager
def open_desk(log_file: Path | None = None, profile: str = USUAL) -> Iterator[Desk]:
    desk = Desk(log_file, profile)
    try:
        yield desk
    finally:
        desk.close()


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_connections_are_kept_alive() -> None:
    with open_desk() as desk:
        place = urlsplit(desk.endpoint)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=5)
        scope = f"AWS4-HMAC-SHA256 Credential={COCKPIT}/20241228/us-east-1/sts/aws4_request, SignedHeaders=host"
        headers = {"Authorization": scope, "Content-Type": "application/x-www-form-urlencoded"}
        for _ in range(3):
            connection.request("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", headers)
            used = connection.sock
            answer = connection.getresponse()
            assert b"123456789012" in answer.read()
            assert connection.sock is used
        connection.close()


def test_nothing_is_left_after_stop() -> None:
    with open_desk() as desk:
        desk.client("sts").get_caller_identity()
        place = urlsplit(desk.endpoint)
    desk.aws.stop()
    with socket.socket() as probe:
        assert probe.connect_ex((str(place.hostname), int(place.port or 0))) != 0
    assert not [thread for thread in threading.enumerate() if thread.name == "simulated AWS"]


def test_a_second_simulation_finds_nothing_of_the_first() -> None:
    with open_desk() as desk:
        desk.client("s3").create_bucket(Bucket="left-behind")
    with open_desk() as desk:
        assert desk.client("s3").list_buckets()["Buckets"] == []


def test_moto_keeps_the_time_of_the_world() -> None:
    with open_desk() as desk:
        desk.clock.time += timedelta(hours=2)
        secrets = desk.client("secretsmanager")
        secrets.create_secret(Name="a", SecretString="b")
        assert abs(secrets.describe_secret(SecretId="a")["CreatedDate"] - desk.clock.time) < timedelta(seconds=2)
        desk.client("s3").create_bucket(Bucket="dated")
        desk.client("s3").put_object(Bucket="dated", Key="k", Body=b"x")
        assert desk.client("s3").head_object(Bucket="dated", Key="k")["LastModified"] == desk.clock.time


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("cloudtrail", "list_channels", {}, "UnknownOperationException"),
        (
            "pi",
            "list_available_resource_metrics",
            {"ServiceType": "RDS", "Identifier": "x", "MetricTypes": ["os"]},
            "UnknownOperationException",
        ),
        ("rds", "describe_pending_maintenance_actions", {}, "InvalidAction"),
        ("ecs", "execute_command", {"command": "sh", "interactive": True, "task": "t"}, "UnknownOperationException"),
        ("s3", "get_bucket_metrics_configuration", {"Bucket": "none", "Id": "x"}, "NoSuchBucket"),
    ],
)
def test_what_nobody_answers_is_an_error_of_aws_and_never_html(
    service: str, operation: str, parameters: dict[str, Any], code: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with open_desk() as desk, pytest.raises(ClientError) as refused:
        getattr(desk.client(service), operation)(**parameters)
    assert code_of(refused) == code
    assert "<" not in refused.value.response["Error"]["Message"]
    said = capfd.readouterr()
    assert said.out + said.err == ""


def test_tracebacks_go_to_the_log_file_and_not_to_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log_file = tmp_path / "aws.log"
    with open_desk(log_file) as desk:
        with pytest.raises(ClientError):
            desk.client("cloudtrail").list_channels()
        with pytest.raises(ClientError):
            desk.client("s3").get_object(Bucket="no", Key="k")
    said = capfd.readouterr()
    assert said.out + said.err == ""
    assert "cloudtrail ListChannels is beyond moto" in log_file.read_text()
