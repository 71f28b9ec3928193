"""Real boto3 clients that hear what a test says of each operation, however often and in whatever order it is asked."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.validate import validate_parameters
from support.aws.lent import asking, lend

from probes.clients.clients import AwsOptions, Clients
from probes.clients.quotas import Quotas

NOW = datetime(2026, 11, 23, 22, 30, 20, tzinfo=UTC)
REQUEST_ID = "0a1b2c3d-0000-4000-8000-0123456789ab"
Said = Mapping[str, Any]
Answer = Callable[[dict[str, Any]], "Said | Exception"]


def refusal(code: str, message: str = "no", status: int = 400) -> Said:
    """An error, as boto3 shows it."""
    return {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}


DENIED = refusal("AccessDenied", "User is not authorized", 403)
THROTTLED = refusal("Throttling", "Rate exceeded")

QUOTAS_FILL = 1000.0
"""How many times faster than those of AWS: nobody waits for them here."""


class ModelledAws:
    """`on["DescribeRules"]` is what that operation says, after botocore's model of it: an answer, or a function of what is asked.

    Operations are told apart by name alone. Nothing leaves the process; `asked` keeps (operation, parameters) in order.
    """

    def __init__(self, account: str = "123456789012", region: str = "us-east-1") -> None:
        self.on: dict[str, Said | Answer | Exception] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._lock = threading.Lock()
        self._region = region
        self.clients = Clients(
            AwsOptions(region=region, account=account), self._client, quotas=Quotas(lambda: QUOTAS_FILL)
        )

    def _client(self, service: str) -> Any:
        return lend(service, self._region, _listening, self)

    def _hear(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        context["asked"] = copy.deepcopy(params)
        with self._lock:
            self.asked.append((model.name, context["asked"]))

    def _say(self, model: Any, context: dict[str, Any], **_: Any) -> Any:
        said = self.on[model.name]
        if callable(said):
            said = said(context["asked"])
        if isinstance(said, Exception):
            raise said
        told = copy.deepcopy(dict(said))
        if "Error" in told:
            return AWSResponse("https://aws", told["ResponseMetadata"]["HTTPStatusCode"], {}, None), told
        if model.output_shape is not None:
            validate_parameters(told, model.output_shape)
        told["ResponseMetadata"] = {"RequestId": REQUEST_ID, "HTTPStatusCode": 200}
        return AWSResponse("https://aws", 200, {}, None), told


def _listening(client: Any) -> None:
    client.meta.events.register("before-parameter-build.*.*", lambda **told: asking()._hear(**told))
    client.meta.events.register_first("before-call.*.*", lambda **told: asking()._say(**told))


def paged(answers: list[Said], sent: str = "NextToken", told: str = "NextToken") -> Answer:
    """Answers one after the other: each but the last gives a token, and the next is had only with it."""

    def answer(asked: dict[str, Any]) -> Said:
        at = int(asked.get(sent) or 0)
        return dict(answers[at]) | ({told: str(at + 1)} if at + 1 < len(answers) else {})

    return answer
