"""CloudTrail: what a role has been seen to call, up to a quarter of an hour ago."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field as Setting

from probes.aws.trail_reader import TrailReader
from probes.clients.arns import console
from probes.clients.clients import Clients
from probes.clients.paging import request_id
from probes.demand import AWS_ALONE
from probes.probe import Moment, Params, Probe
from probes.reading import Bounds, Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line

LATE = timedelta(minutes=15)
"""How long an event can take to be found (CloudTrail's own documentation)."""
KEPT = timedelta(days=90)
"""How long LookupEvents finds it."""
MOST_EVENTS = 1e9
"""More than any role makes in the time LookupEvents finds; the upper end of a count that is known from below."""
NAMING = ("Id", "Name", "Arn", "ARN", "name")
"""How request parameters that name something end."""


class EventsParams(Params):
    event: str = Setting(min_length=1)
    """Name of the operation, as CloudTrail has it: GetSecretValue."""
    role: str = Setting(min_length=1)
    """Name or ARN of the role that called."""
    since: Moment
    """Only events after this time count."""
    source: str = ""
    """Its service, where several have an operation of this name: secretsmanager.amazonaws.com."""


class CloudTrailEvents(Probe[EventsParams]):
    """How often a role has called one operation since a moment: proof that it reads its secrets itself, for instance.

    Reads cloudtrail LookupEvents (EventTime, EventSource, Resources[].ResourceName, and from CloudTrailEvent
    userIdentity.sessionContext.sessionIssuer, userIdentity.principalId, requestParameters, errorCode). Events come up to 15
    minutes late, so none in the first 15 minutes proves nothing and is WARMING. Only management events are found: S3 objects
    being read or written are not among them. LookupEvents cannot look up by role, so others' events are read too, 4 pages a
    reading, the newest first: until all since the moment are read, counts are PARTIAL and known from below. The same where the
    moment is over 90 days ago. A role that fell back to something else leaves no event.
    """

    name = "cloudtrail.events"
    params_type = EventsParams
    demands = AWS_ALONE
    subjects = ("cloudtrail",)
    cannot_see = "S3 objects read or written, a role that fell back to something else, anything older than 90 days"
    late = "5 minutes on average, up to 15 (CloudTrail's user guide); until then none is WARMING"
    fields = (
        Field("count", int, "calls that succeeded, as far as CloudTrail has delivered", 2, "count", low=0),
        Field("failed", int, "calls that were refused or failed", 0, "count", low=0),
        Field("sessions", int, "sessions of the role that called: of ECS, its tasks", 2, "count", low=0),
        Field("last_age_s", float, "time since the newest call that succeeded", 1200.0, "s", low=0),
        Field("touched", tuple, "names of what was called upon", ("transparent-trust/encryption-key",)),
        Field("failures", tuple, "error codes of calls that failed", ("AccessDenied",)),
    )
    iam = ("cloudtrail:LookupEvents",)
    interval = timedelta(minutes=2)

    def __init__(self, params: EventsParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._trail = TrailReader(clients, params.event, LATE, lambda event: self._of_role(event) is not None)

    async def read(self, now: datetime) -> Reading:
        params = self.params
        query = f"cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue={params.event}"
        query += f" --start-time {params.since:%Y-%m-%dT%H:%M:%SZ}"
        if now <= params.since:
            soon = Unknown(Reason.WARMING, f"it is not yet {params.since:%Y-%m-%d %H:%M}")
            return self.blind(now, soon, Evidence(query))
        try:
            first, missing = await self._trail.read(max(params.since, now - KEPT), now)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        if now - params.since > KEPT:
            why = f"CloudTrail finds 90 days only, and {params.since:%Y-%m-%d} is {(now - params.since).days} days ago"
            missing = Unknown(Reason.PARTIAL, why, "give a later `since`, or search the trail's own logs")
        seen = [detail for event in self._trail.kept if (detail := self._of_role(event)) is not None]
        evidence = Evidence(query, request_id(first), self._url(), tuple(_line(*each) for each in seen[:6]))
        values, unknown = self._values(seen, now)
        if missing is not None:
            unknown |= _at_least(values, missing)
            values = {name: value for name, value in values.items() if name not in unknown}
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    def _of_role(self, event: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        """An event of this role with what it says inside; None for anybody else's."""
        if self.params.source and event.get("EventSource") != self.params.source:
            return None
        try:
            detail = json.loads(event.get("CloudTrailEvent") or "{}")
        except (ValueError, RecursionError):
            detail = {}
        identity = detail.get("userIdentity") or {} if isinstance(detail, dict) else {}
        issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
        wanted = self.params.role.rpartition("/")[2]
        by_arn = f":assumed-role/{wanted}/" in str(identity.get("arn", ""))
        return (event, detail) if issuer.get("userName") == wanted or by_arn else None

    def _values(
        self, seen: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], now: datetime
    ) -> tuple[dict[str, Any], dict[str, Unknown]]:
        failed = sorted({str(detail["errorCode"]) for _, detail in seen if detail.get("errorCode")})
        done = [(event, detail) for event, detail in seen if not detail.get("errorCode")]
        times = [event["EventTime"] for event, _ in done if event.get("EventTime")]
        names = {name for each in done for name in _named(*each)}
        sessions = {str((detail.get("userIdentity") or {}).get("principalId", "")) for _, detail in done} - {""}
        values: dict[str, Any] = {
            "count": len(done),
            "failed": len(seen) - len(done),
            "sessions": len(sessions),
            "last_age_s": max((now - max(times)).total_seconds(), 0.0) if times else None,
            "touched": tuple(sorted(one_line(name) for name in names)),
            "failures": tuple(failed),
        }
        unknown: dict[str, Unknown] = {}
        if not done:
            role, event = self.params.role.rpartition("/")[2], self.params.event
            none = Unknown(Reason.NO_DATA, f"no {event} by {role} is known", "events come up to 15 minutes late")
            unknown |= dict.fromkeys(("last_age_s", "touched"), none)
        if not failed:
            unknown["failures"] = Unknown(Reason.NO_DATA, "no call is known to have failed")
        if now - self.params.since < LATE:
            early = Unknown(
                Reason.WARMING, "CloudTrail delivers up to 15 minutes late", f"wait until {self._settled()}"
            )
            unknown |= {name: early for name in ("count", "failed", "sessions") if not values[name]}
        return values, unknown

    def _settled(self) -> str:
        return f"{self.params.since + LATE:%H:%M} UTC"

    def _url(self) -> str:
        region = self.clients.options.region
        return console(region, f"cloudtrailv2/home?region={region}#/events?EventName={self.params.event}")


def _at_least(values: Mapping[str, Any], missing: Unknown) -> dict[str, Unknown]:
    """What is not known where others' events fill the pages: events come newest first, and older ones can only add to a count."""
    lower = {name: Bounds(float(values[name]), MOST_EVENTS) for name in ("count", "failed", "sessions")}
    unknown = {name: replace(missing, bounds=bounds) for name, bounds in lower.items()}
    unknown |= dict.fromkeys(("touched", "failures"), missing)
    return unknown if values["last_age_s"] is not None else unknown | {"last_age_s": missing}


def _named(event: Mapping[str, Any], detail: Mapping[str, Any]) -> list[str]:
    """What a call was upon: its resources, or, where CloudTrail leaves them out, what the request named."""
    listed = [str(each["ResourceName"]) for each in event.get("Resources") or () if each.get("ResourceName")]
    asked = detail.get("requestParameters")
    named = asked.items() if isinstance(asked, dict) else ()
    return listed or [text for key, text in named if isinstance(text, str) and key.endswith(NAMING)]


def _line(event: Mapping[str, Any], detail: Mapping[str, Any]) -> str:
    names = ", ".join(_named(event, detail)) or "no resource named"
    at = f"{event['EventTime']:%H:%M:%S}" if event.get("EventTime") else "?"
    return one_line(f"{at} {event.get('EventName')} {detail.get('errorCode') or 'done'}: {names}", 200)
