"""CloudWatch Logs: a log group, and how long it keeps what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from probes.aws.logs_query import LogGroup
from probes.clients.arns import arn
from probes.clients.console_links import log_group_url
from probes.clients.paging import MOST_PAGES, request_id
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen


class LogGroupParams(Params):
    log_group: LogGroup
    """Name or ARN of the log group."""


class LogsGroup(Probe[LogGroupParams]):
    """A log group: does it exist, how long does it keep events, and did any arrive.

    Reads logs DescribeLogGroups (retentionInDays, kmsKeyId, storedBytes, metricFilterCount) for the exact name, for the operation
    finds every group that begins with it, sorted by name (its API reference: the first page is enough), and DescribeLogStreams
    (lastEventTimestamp of the newest stream). No retentionInDays means forever: `never_expires`. The time of the last event is
    usually less than an hour late, in rare cases more (LogStream in the API reference); storedBytes follows later still.
    """

    name = "logs.group"
    params_type = LogGroupParams
    demands = AWS_ALONE
    subjects = ("log",)
    cannot_see = "whether the application writes here: compare with ecs.task_definition's log_group"
    late = "the last event's time up to an hour, rarely more; stored bytes later still; the rest seconds"
    fields = (
        Field("exists", bool, "there is a log group of exactly this name", example=True),
        Field("retention_days", int, "days events are kept, where they are not kept forever", 30, "days", low=1),
        Field("never_expires", bool, "events are kept forever", example=False),
        Field("kms", bool, "it is encrypted with a key of your own", example=False),
        Field("stored_bytes", int, "bytes kept, as of a day ago", 1048576, "bytes", low=0),
        Field("metric_filters", int, "metric filters that count in it", 1, "count", low=0),
        Field("last_event_age_s", float, "age of the newest event, up to an hour late", 30.0, "s", low=0),
    )
    iam = ("logs:DescribeLogGroups", "logs:DescribeLogStreams")
    interval = timedelta(minutes=5)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        options = self.clients.options
        # Groups are listed by prefix, which only the list of all of them can be narrowed to.
        groups, one = (arn(options, "logs", f"log-group:{each}") for each in ("*", f"{self.params.log_group}:*"))
        return {self.iam[0]: (groups,), self.iam[1]: (one,)}

    async def read(self, now: datetime) -> Reading:
        name = self.params.log_group
        query = f"logs describe-log-groups --log-group-name-prefix {name}"
        url = log_group_url(self.clients.options.region, name)
        try:
            found = await self._first_groups()
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query, console_url=url))
        groups: list[Mapping[str, Any]] = found.get("logGroups") or []
        evidence = Evidence(query, request_id(found), url, _others(groups, name))
        group = next((each for each in groups if each.get("logGroupName") == name), None)
        if group is None:
            gone = Unknown(Reason.NOT_FOUND, f"no log group {name}", "create it, or check the name and the region")
            others = {field.name: gone for field in self.fields if field.name != "exists"}
            return self.reading(now, {"exists": False}, unknown=others, evidence=evidence)
        age, why = await self._last_event(now)
        days = group.get("retentionInDays")
        unknown = {"last_event_age_s": why} if why else {}
        if days is None:
            unknown["retention_days"] = Unknown(Reason.NO_DATA, "events are kept forever", "put-retention-policy")
        values: dict[str, Any] = {
            "exists": True,
            "retention_days": days,
            "never_expires": days is None,
            # CloudWatch Logs leaves kmsKeyId out where its own key encrypts.
            "kms": bool(group.get("kmsKeyId")),
            "stored_bytes": group.get("storedBytes"),
            "metric_filters": group.get("metricFilterCount"),
            "last_event_age_s": age,
        }
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    async def _first_groups(self) -> Mapping[str, Any]:
        """The first answer with any group in it. Groups are sorted by name, so that one of exactly this name is the first."""
        token: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            page = await self.clients.aws(
                "logs", "describe_log_groups", logGroupNamePrefix=self.params.log_group, **token
            )
            if page.get("logGroups") or not page.get("nextToken"):
                return page
            token = {"nextToken": page["nextToken"]}
        raise Unseen(
            Unknown(Reason.PARTIAL, f"{MOST_PAGES} answers of DescribeLogGroups were empty", "it is asked again")
        )

    async def _last_event(self, now: datetime) -> tuple[float | None, Unknown | None]:
        asked = {"logGroupName": self.params.log_group, "orderBy": "LastEventTime", "descending": True, "limit": 1}
        try:
            answer = await self.clients.aws("logs", "describe_log_streams", **asked)
        except Unseen as unseen:
            return None, unseen.unknown
        times = [stream.get("lastEventTimestamp") for stream in answer.get("logStreams") or ()]
        newest = max((time for time in times if time is not None), default=None)
        if newest is None:
            return None, Unknown(
                Reason.NO_DATA, "no event has arrived", "is the application running, and logging here?"
            )
        at = datetime.fromtimestamp(newest / 1000, UTC)
        return max((now - at).total_seconds(), 0.0), None


def _others(groups: list[Mapping[str, Any]], name: str) -> tuple[str, ...]:
    """Groups whose names only begin like this one: a slip in a name is easily made."""
    names = (str(group.get("logGroupName")) for group in groups)
    return tuple(f"not meant: {other}" for other in names if other != name)[:4]
