"""What AWS can be made to answer instead of the truth."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from cockpit.rehearsal.cloud.protocols import AwsError, Call

APPLICATION = "AKIAAPPROLE"
"""How access key ids of the application begin; every other caller but the operator is the cockpit."""
OPERATOR = "AKIAOPERATOR"
_JSON = ("ecs", "logs", "secretsmanager")


class Dropped(Exception):  # noqa: N818 - what happens to the connection
    """The connection is to be cut without an answer."""


@dataclass(frozen=True, slots=True)
class AwsFault:
    """One rule. `service` is a signing name ("monitoring", "s3") or "*"; `kind` one of throttle, deny, slow_down, expired,
    latency, drop; `caller` is "cockpit", "app" or "*"."""

    service: str
    operation: str
    kind: str
    rate: float = 1.0
    latency_s: float = 0.0
    caller: str = "*"

    def matches(self, call: Call) -> bool:
        who = (
            "app"
            if call.caller.startswith(APPLICATION)
            else "operator"
            if call.caller.startswith(OPERATOR)
            else "cockpit"
        )
        wanted = ((self.service, call.service), (self.operation, call.operation), (self.caller, who))
        return all(rule in ("*", seen) for rule, seen in wanted)


class AwsFaults:
    """The rules in force, by id."""

    def __init__(self) -> None:
        self._rules: dict[str, AwsFault] = {}
        self._random = random.Random(7)

    def set(self, id_: str, rule: AwsFault) -> None:
        self._rules = self._rules | {id_: rule}

    def clear(self, id_: str) -> None:
        self._rules = {key: rule for key, rule in self._rules.items() if key != id_}

    def apply(self, call: Call) -> None:
        """Raises AwsError or Dropped, or waits, where a rule says so."""
        for rule in self._rules.values():
            if not rule.matches(call) or (rule.rate < 1.0 and self._random.random() >= rule.rate):
                continue
            if rule.latency_s:
                time.sleep(rule.latency_s)
            if rule.kind == "drop":
                raise Dropped
            if rule.kind != "latency":
                raise _error(rule.kind, call)


def _error(kind: str, call: Call) -> AwsError:
    json = call.service in _JSON
    if kind == "deny":
        who = f"arn:aws:sts::123456789012:assumed-role/caller/{call.caller[-4:]}"
        service = "cloudwatch" if call.service == "monitoring" else call.service
        message = (
            f"User: {who} is not authorized to perform: {service}:{call.operation}: no identity-based policy allows it"
        )
        return AwsError("AccessDeniedException" if json else "AccessDenied", message, 400 if json else 403)
    if kind == "slow_down":
        return AwsError("SlowDown", "Please reduce your request rate.", 503)
    if kind == "expired":
        code = "ExpiredTokenException" if json else "ExpiredToken"
        return AwsError(
            code, "The security token included in the request is expired", 400 if json or call.service == "s3" else 403
        )
    if call.service == "s3":
        return AwsError("SlowDown", "Please reduce your request rate.", 503)
    return AwsError("ThrottlingException" if json else "Throttling", "Rate exceeded", 400)
