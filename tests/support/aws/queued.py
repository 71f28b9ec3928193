"""Real boto3 clients whose answers a test queues; botocore checks every question and answer against AWS's own model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.stub import ANY, Stubber

from probes.clients.clients import AwsOptions, Clients

NOW = datetime(2026, 11, 23, 22, 30, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class StubbedAws:
    """Clients that reach no network. What was asked is kept in `asked`, service by service."""

    def __init__(self, region: str = "us-east-1") -> None:
        self._region = region
        self._stubs: dict[str, tuple[Any, Stubber]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.clients = Clients(AwsOptions(region=region, account="123456789012"), self._client)

    def answers(
        self, service: str, operation: str, response: dict[str, Any], expected: dict[str, Any] | None = None
    ) -> None:
        """Queue one answer; `expected` are the parameters that must be asked (unchecked where ANY)."""
        self._stub(service).add_response(operation, response, expected)

    def refuses(self, service: str, operation: str, code: str, message: str = "", status: int = 400) -> None:
        self._stub(service).add_client_error(operation, code, message, http_status_code=status)

    def done(self) -> None:
        """Every queued answer was asked for."""
        for _, stub in self._stubs.values():
            stub.assert_no_pending_responses()

    def metrics(self, *series: Sequence[float | None], end: datetime = NOW - 2 * MINUTE, **result: Any) -> None:
        """Queue a GetMetricData answer: per query the values of the minutes up to `end`, None where absent."""
        last = end.replace(second=0, microsecond=0)
        results = []
        for number, values in enumerate(series):
            present = [(last - MINUTE * (len(values) - at), float(v)) for at, v in enumerate(values) if v is not None]
            told = {"Timestamps": [at for at, _ in present], "Values": [v for _, v in present]}
            results.append({"Id": f"q{number}", "Label": "x", "StatusCode": "Complete"} | told | result)
        self.answers("cloudwatch", "get_metric_data", {"MetricDataResults": results})

    def _client(self, service: str) -> Any:
        self._stub(service)
        return self._stubs[service][0]

    def _stub(self, service: str) -> Stubber:
        if service not in self._stubs:
            client = boto3.client(service, region_name=self._region, aws_access_key_id="x", aws_secret_access_key="x")
            client.meta.events.register("provide-client-params.*.*", self._note)
            stub = Stubber(client)
            stub.activate()
            self._stubs[service] = (client, stub)
        return self._stubs[service][1]

    def _note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.asked.append((model.name, params))


__all__ = ["ANY", "MINUTE", "NOW", "StubbedAws"]
