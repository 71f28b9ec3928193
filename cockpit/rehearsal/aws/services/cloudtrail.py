"""CloudTrail: who called what, visible some minutes after it happened."""

from __future__ import annotations

import json
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from cockpit.rehearsal.aws.services.call_faults import caller_of
from cockpit.rehearsal.aws.wire.routing import Call, Malformed
from cockpit.rehearsal.aws.wire.wire_times import iso, moment

DELIVERED_AFTER = timedelta(minutes=5)
"""What CloudTrail says is usual; it can be fifteen."""
_REMEMBERED = 5000
_FOUND_FOR = timedelta(days=90)
"""LookupEvents finds nothing older (its API reference)."""
_LOOKS = ("Describe", "List", "Get", "Lookup", "Head", "Filter", "Query", "BatchGet", "Test", "Simulate")
_DATA = frozenset({"s3", "logs", "monitoring"})
"""Services whose everyday calls are data events, which LookupEvents does not find."""
_PAGE = 50
_TASK, _OPERATOR = ("transparent-trust-task", "web"), ("on-call", "cockpit")
"""Role and session."""


class Trail:
    """Management events: whatever changes something, and every call of Secrets Manager. Readings that only look are left out."""

    def __init__(
        self, now: Callable[[], datetime], account: str, region: str, delivered_after: timedelta = DELIVERED_AFTER
    ) -> None:
        self._now = now
        self._delivered_after = delivered_after
        self._account = account
        self._region = region
        self._events: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()

    def answers(self) -> Mapping[tuple[str, str], Callable[[Call], Mapping[str, Any]]]:
        return {("cloudtrail", "LookupEvents"): self.lookup_events}

    def note(self, call: Call, error: str = "") -> None:
        """Remember a call; `error` is the code it was refused with."""
        if call.service != "secretsmanager" and (call.service in _DATA or call.operation.startswith(_LOOKS)):
            return
        if not call.operation or call.service == "cloudtrail":
            return
        by = _TASK if caller_of(call) == "app" else _OPERATOR
        details = (call.service, call.operation, call.access_key, _secret_of(call))
        with self._lock:
            self._events.append(self._event(*details, by, self._now(), error))

    def recall(self, secret: str, at: datetime) -> None:
        """A secret the application read long before the rehearsal began."""
        with self._lock:
            self._events.append(self._event("secretsmanager", "GetSecretValue", "", secret, _TASK, at, ""))

    def crowd(self, principals: int, at: datetime) -> None:
        """What others of the account do around a time, in the hour before and the two after: each reads secrets of its own."""
        with self._lock:
            for number in range(principals):
                other = (f"batch-{number:03d}", f"worker-{number:03d}")
                for nth in range(3):
                    when = at + timedelta(seconds=(number * 97 + nth * 3607) % 10_800 - 3600)
                    self._events.append(
                        self._event("secretsmanager", "GetSecretValue", "", f"batch/{number:03d}/key", other, when, "")
                    )

    def lookup_events(self, call: Call) -> Mapping[str, Any]:
        """Newest first, by event name and time; other attributes find nothing."""
        asked = call.params
        until = self._now() - self._delivered_after
        oldest = self._now() - _FOUND_FOR
        start = moment(asked["StartTime"]) if asked.get("StartTime") is not None else None
        end = moment(asked["EndTime"]) if asked.get("EndTime") is not None else None
        with self._lock:
            events = sorted(self._events, key=lambda event: event["EventTime"])
        wanted = {each["AttributeKey"]: each["AttributeValue"] for each in asked.get("LookupAttributes") or ()}
        found = [
            event
            for event in reversed(events)
            if oldest <= event["EventTime"] <= until
            and (start is None or event["EventTime"] >= start)
            and (end is None or event["EventTime"] <= end)
            and all(event.get(key) == value for key, value in wanted.items())
        ]
        skip, most = int(asked.get("NextToken") or 0), int(asked.get("MaxResults") or _PAGE)
        token = {"NextToken": str(skip + most)} if len(found) > skip + most else {}
        return {"Events": found[skip : skip + most], **token}

    def _event(
        self, service: str, operation: str, key: str, secret: str | None, by: tuple[str, str], at: datetime, error: str
    ) -> dict[str, Any]:
        at = at.replace(microsecond=0)
        role, session = by
        source = f"{service}.amazonaws.com"
        identity = {
            "type": "AssumedRole",
            "principalId": f"AROAREHEARSED:{session}",
            "arn": f"arn:aws:sts::{self._account}:assumed-role/{role}/{session}",
            "accountId": self._account,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "arn": f"arn:aws:iam::{self._account}:role/{role}",
                    "accountId": self._account,
                    "userName": role,
                }
            },
        }
        name = str(uuid.uuid4())
        details = {
            "eventVersion": "1.08",
            "userIdentity": identity,
            "eventTime": iso(at),
            "eventSource": source,
            "eventName": operation,
            "awsRegion": self._region,
            "requestParameters": {"secretId": secret} if secret else None,
            "responseElements": None,
            "eventID": name,
            **({"errorCode": error} if error else {}),
        }
        return {
            "EventId": name,
            "EventName": operation,
            "EventTime": at,
            "EventSource": source,
            "Username": session,
            "AccessKeyId": key,
            "Resources": [{"ResourceType": "AWS::SecretsManager::Secret", "ResourceName": secret}] if secret else [],
            "CloudTrailEvent": json.dumps(details),
        }


def _secret_of(call: Call) -> str | None:
    """The secret a call is about, as it was named; None where it is about none, or cannot be read."""
    if call.service != "secretsmanager":
        return None
    try:
        found = call.params.get("SecretId")
    except Malformed:
        return None
    return found if isinstance(found, str) else None
