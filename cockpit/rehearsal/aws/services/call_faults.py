"""Faults on demand: the simulated AWS refuses, delays or drops the calls of one caller, for one service, at some rate."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Literal

from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.routing import Call, Protocol
from probes.frozen import frozen

Kind = Literal["throttle", "deny", "slow_down", "expired", "latency", "drop"]
Caller = Literal["cockpit", "app", "*"]
APPLICATION_PREFIX = "AKIAAPPROLE"
"""Access keys of the application; any other key is the cockpit's (or an operator's, who works at the same desk)."""
_SPARED = "AKIAOPERATOR"
"""Whoever drives the rehearsal itself: no fault may stop it from clearing what it injected."""


class Dropped(ConnectionError):  # noqa: N818 - what happened
    """The connection is to be cut without an answer."""


@frozen
class AwsFault:
    """What goes wrong, and for whom. `service` is a signing name ("monitoring", "s3", "ecs") or "*"; `rate` from 0 to 1."""

    service: str
    operation: str
    kind: Kind
    rate: float = 1.0
    latency_s: float = 0.0
    """Real seconds, for `latency`."""
    caller: Caller = "*"

    def concerns(self, call: Call) -> bool:
        if self.service not in ("*", call.service) or self.operation not in ("*", call.operation):
            return False
        return self.caller == "*" or self.caller == caller_of(call)


class AwsFaults:
    """The faults in force, by id. Safe to change while requests are served."""

    def __init__(self, seed: int = 7) -> None:
        self._rules: dict[str, AwsFault] = {}
        self.allowed: frozenset[str] | None = None
        """IAM actions the cockpit's policy allows, and nothing else; None: everything."""
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self.sleep: Callable[[float], None] = time.sleep

    def set(self, id: str, rule: AwsFault) -> None:  # noqa: A002 - the interface's word
        """Put a fault in force, or replace the one of that id."""
        with self._lock:
            self._rules = {**self._rules, id: rule}

    def clear(self, id: str) -> None:  # noqa: A002 - the interface's word
        """Take a fault away; one that is not there is no error."""
        with self._lock:
            self._rules = {name: rule for name, rule in self._rules.items() if name != id}

    def active(self) -> dict[str, AwsFault]:
        return self._rules

    def strike(self, call: Call) -> None:
        """Let the call pass, perhaps late; or raise AwsError or Dropped."""
        rules = self._rules
        if self._forbids(call):
            raise _denied(call)
        if not rules or call.access_key.startswith(_SPARED):
            return
        struck = [rule for rule in rules.values() if rule.concerns(call) and self._happens(rule)]
        for rule in struck:
            if rule.kind == "latency":
                self.sleep(rule.latency_s)
        for rule in struck:
            if rule.kind == "drop":
                raise Dropped(f"{call.service} {call.operation}: dropped on purpose")
        for rule in struck:
            if rule.kind != "latency":
                raise refusal(rule.kind, call)

    def _forbids(self, call: Call) -> bool:
        """Whether the cockpit's policy, where one is enforced, does not allow it."""
        if self.allowed is None or caller_of(call) != "cockpit" or call.access_key.startswith(_SPARED):
            return False
        return action_of(call) not in self.allowed | _NEEDS_NO_PERMISSION

    def _happens(self, rule: AwsFault) -> bool:
        if rule.rate >= 1.0:
            return True
        with self._lock:
            return self._chance.random() < rule.rate


def caller_of(call: Call) -> Caller:
    """Who signed the request."""
    return "app" if call.access_key.startswith(APPLICATION_PREFIX) else "cockpit"


def refusal(kind: Kind, call: Call) -> AwsError:
    """The error AWS would answer, with the code of the service's own protocol."""
    if kind == "deny":
        return _denied(call)
    if kind == "expired":
        return _expired(call)
    if call.service == "s3":
        return AwsError("SlowDown", "Please reduce your request rate.", 503)
    if kind == "slow_down":
        return AwsError("ServiceUnavailable", "Service is unable to handle request.", 503)
    if call.service == "ec2":
        return AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)
    return AwsError("Throttling" if _uses_query(call) else "ThrottlingException", "Rate exceeded", 400)


_IAM_PREFIX = {"monitoring": "cloudwatch"}
_IAM_ACTION = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListBuckets": "ListAllMyBuckets",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "GetBucketMetricsConfiguration": "GetMetricsConfiguration",
    "ListBucketMetricsConfigurations": "GetMetricsConfiguration",
}
_NEEDS_NO_PERMISSION = frozenset({"sts:GetCallerIdentity"})


def action_of(call: Call) -> str:
    """The IAM action a call needs: s3:GetEncryptionConfiguration for S3's GetBucketEncryption."""
    return f"{_IAM_PREFIX.get(call.service, call.service)}:{_IAM_ACTION.get(call.operation, call.operation)}"


def _denied(call: Call) -> AwsError:
    action = action_of(call)
    who = "assumed-role/transparent-trust-task/web" if caller_of(call) == "app" else "assumed-role/on-call/cockpit"
    message = (
        f"User: arn:aws:sts::123456789012:{who} is not authorized to perform: {action} "
        f"because no identity-based policy allows the {action} action"
    )
    if call.service == "s3":
        return AwsError("AccessDenied", "Access Denied" if call.http.method == "HEAD" else message, 403)
    if call.service == "ec2":
        return AwsError("UnauthorizedOperation", f"You are not authorized to perform this operation. {message}", 403)
    return (
        AwsError("AccessDenied", message, 403) if _uses_query(call) else AwsError("AccessDeniedException", message, 400)
    )


def _expired(call: Call) -> AwsError:
    if call.service == "s3":
        return AwsError("ExpiredToken", "The provided token has expired.", 400)
    if call.service == "ec2":
        return AwsError("RequestExpired", "Request has expired.", 400)
    message = "The security token included in the request is expired"
    return (
        AwsError("ExpiredToken", message, 403) if _uses_query(call) else AwsError("ExpiredTokenException", message, 400)
    )


def _uses_query(call: Call) -> bool:
    """Codes of services born with the query protocol; CloudWatch kept them when it moved to CBOR."""
    return call.protocol is Protocol.QUERY or call.service == "monitoring"
