"""The operations of CloudWatch Logs about events, streams, metric filters and queries; groups stay with moto."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.logs.models import logs_backends

from cockpit.rehearsal.aws.cloudwatch.metric_store import at_epoch
from cockpit.rehearsal.aws.logs.filter_pattern import PatternError, compile_pattern
from cockpit.rehearsal.aws.logs.insights import Found, compile_query
from cockpit.rehearsal.aws.logs.insights_expressions import QueryError
from cockpit.rehearsal.aws.logs.log_store import Event, LogStore
from cockpit.rehearsal.aws.logs.query_quota import QueryQuota
from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.routing import Call

_PAGE = 10_000
_MOST_QUERIES = 200
"""Finished queries remembered."""
_MOST_RUNNING = 100
Handler = Callable[[Call], Mapping[str, Any] | None]


@dataclass(slots=True)
class _Started:
    """A query under way. Its answer is known at once; it is returned at the second request, as a running query's is."""

    found: Found
    status: str = "Running"


class LogAnswers:
    """Events and queries over the store. An operation on a group moto does not know is ResourceNotFoundException."""

    def __init__(self, store: LogStore, account: str, region: str, quota: QueryQuota) -> None:
        self._store = store
        self._account = account
        self._region = region
        self._quota = quota
        self._queries: dict[str, _Started] = {}
        self._lock = threading.Lock()

    def answers(self) -> Mapping[tuple[str, str], Handler]:
        handlers: dict[str, Handler] = {
            "CreateLogStream": self.create_log_stream,
            "DeleteLogStream": self.delete_log_stream,
            "DescribeLogStreams": self.describe_log_streams,
            "PutLogEvents": self.put_log_events,
            "GetLogEvents": self.get_log_events,
            "FilterLogEvents": self.filter_log_events,
            "StartQuery": self.start_query,
            "GetQueryResults": self.get_query_results,
            "StopQuery": self.stop_query,
            "DescribeLogGroups": self.describe_log_groups,
            "DeleteLogGroup": self.delete_log_group,
            "PutMetricFilter": self.put_metric_filter,
            "DeleteMetricFilter": self.delete_metric_filter,
        }
        return {("logs", operation): handler for operation, handler in handlers.items()}

    # -- streams and events ------------------------------------------------------------------------------------------

    def create_log_stream(self, call: Call) -> Mapping[str, Any]:
        group, stream = self._group(call), call.params["logStreamName"]
        if not self._store.create_stream(group, stream):
            raise AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")
        return {}

    def delete_log_stream(self, call: Call) -> Mapping[str, Any]:
        self._store.delete_stream(self._group(call), self._stream(call))
        return {}

    def describe_log_streams(self, call: Call) -> Mapping[str, Any]:
        group, asked = self._group(call), call.params
        prefix = asked.get("logStreamNamePrefix") or ""
        events = self._store.between(group, 0, 1 << 62)
        found = []
        for name, created in self._store.streams(group).items():
            if name.startswith(prefix):
                own = [event for event in events if event.stream == name]
                found.append(self._described_stream(group, name, created, own))
        by_time = asked.get("orderBy") == "LastEventTime"
        found.sort(key=lambda each: each.get("lastEventTimestamp", 0) if by_time else each["logStreamName"])
        if asked.get("descending"):
            found.reverse()
        return {"logStreams": found[: int(asked.get("limit") or 50)]}

    def put_log_events(self, call: Call) -> Mapping[str, Any]:
        group, stream = self._group(call), self._stream(call)
        for event in call.params["logEvents"]:
            self._store.put(group, stream, at_epoch(event["timestamp"] / 1000), event["message"])
        return {"nextSequenceToken": "0"}

    def get_log_events(self, call: Call) -> Mapping[str, Any]:
        group, stream, asked = self._group(call), self._stream(call), call.params
        events = [event for event in self._window(group, asked) if event.stream == stream]
        most = int(asked.get("limit") or _PAGE)
        shown = events[:most] if asked.get("startFromHead") else events[-most:]
        listed = [{"timestamp": e.timestamp, "message": e.message, "ingestionTime": e.ingested} for e in shown]
        return {"events": listed, "nextForwardToken": "f/0", "nextBackwardToken": "b/0"}

    def filter_log_events(self, call: Call) -> Mapping[str, Any]:
        group, asked = self._group(call), call.params
        matches = _pattern(asked.get("filterPattern") or "")
        streams, prefix = asked.get("logStreamNames"), asked.get("logStreamNamePrefix") or ""
        found = [
            event
            for event in self._window(group, asked)
            if (not streams or event.stream in streams)
            and event.stream.startswith(prefix)
            and matches(event.message, event.document)
        ]
        skip, most = int(asked.get("nextToken") or 0), int(asked.get("limit") or _PAGE)
        page = [
            {
                "logStreamName": event.stream,
                "timestamp": event.timestamp,
                "message": event.message,
                "ingestionTime": event.ingested,
                "eventId": f"{event.number:056d}",
            }
            for event in found[skip : skip + most]
        ]
        token = {"nextToken": str(skip + most)} if len(found) > skip + most else {}
        return {"events": page, "searchedLogStreams": [], **token}

    # -- queries -----------------------------------------------------------------------------------------------------

    def start_query(self, call: Call) -> Mapping[str, Any]:
        self._quota.take("StartQuery")
        asked = call.params
        groups = self._queried_groups(asked)
        try:
            query = compile_query(asked["queryString"])
        except QueryError as error:
            raise AwsError("MalformedQueryException", str(error)) from error
        # Both ends of the window are part of it, in whole seconds.
        start, end = int(asked["startTime"]) * 1000, (int(asked["endTime"]) + 1) * 1000
        events = [
            (f"{self._account}:{group}", event) for group in groups for event in self._store.between(group, start, end)
        ]
        started = _Started(query.run(events, asked.get("limit")))
        name = str(uuid.uuid4())
        with self._lock:
            if sum(query.status == "Running" for query in self._queries.values()) >= _MOST_RUNNING:
                raise AwsError("LimitExceededException", "Account maximum query concurrency limit of 100 reached.")
            self._queries[name] = started
            for old in list(self._queries)[: max(0, len(self._queries) - _MOST_QUERIES)]:
                del self._queries[old]
        return {"queryId": name}

    def get_query_results(self, call: Call) -> Mapping[str, Any]:
        self._quota.take("GetQueryResults")
        with self._lock:
            started = self._queries.get(call.params["queryId"])
            if started is None:
                raise AwsError("ResourceNotFoundException", "The query does not exist.")
            status = started.status
            if status == "Running":
                started.status = "Complete"
        found = started.found
        rows = [[{"field": name, "value": value} for name, value in row.items()] for row in found.rows]
        complete = status == "Complete"
        return {
            "results": rows if complete else [],
            "statistics": {
                "recordsMatched": float(found.matched if complete else 0),
                "recordsScanned": float(found.scanned if complete else 0),
                "bytesScanned": float(found.bytes_scanned if complete else 0),
            },
            "status": status,
        }

    def stop_query(self, call: Call) -> Mapping[str, Any]:
        with self._lock:
            started = self._queries.get(call.params["queryId"])
            if started is None or started.status != "Running":
                raise AwsError("InvalidParameterException", "The query has already ended.")
            started.status = "Cancelled"
        return {"success": True}

    # -- groups and metric filters: moto keeps the definitions ---------------------------------------------------------

    def describe_log_groups(self, call: Call) -> Mapping[str, Any] | None:
        """By prefix, a page at a time, with what only the store knows; anything else that can be asked is left to moto."""
        asked = call.params
        if not set(asked) <= {"logGroupNamePrefix", "nextToken", "limit"}:
            return None
        held = logs_backends[self._account][self._region].groups
        names = sorted(name for name in list(held) if name.startswith(asked.get("logGroupNamePrefix") or ""))
        skip, most = int(asked.get("nextToken") or 0), int(asked.get("limit") or 50)
        groups = []
        for name in names[skip : skip + most]:
            filters, size = self._store.sizes(name)
            groups.append({**held[name].to_describe_dict(), "metricFilterCount": filters, "storedBytes": size})
        token = {"nextToken": str(skip + most)} if len(names) > skip + most else {}
        return {"logGroups": groups, **token}

    def delete_log_group(self, call: Call) -> None:
        self._store.delete_group(self._group(call))

    def put_metric_filter(self, call: Call) -> None:
        asked = call.params
        try:
            transformations = tuple(asked["metricTransformations"])
            self._store.put_filter(self._group(call), asked["filterName"], asked["filterPattern"], transformations)
        except PatternError as error:
            raise AwsError("InvalidParameterException", str(error)) from error

    def delete_metric_filter(self, call: Call) -> None:
        self._store.delete_filter(self._group(call), call.params["filterName"])

    # -- how ---------------------------------------------------------------------------------------------------------

    def _window(self, group: str, asked: Mapping[str, Any]) -> list[Event]:
        return self._store.between(group, int(asked.get("startTime") or 0), int(asked.get("endTime") or 1 << 62) + 1)

    def _group(self, call: Call) -> str:
        asked = call.params
        return self._known(asked.get("logGroupName") or _name(asked.get("logGroupIdentifier") or ""))

    def _queried_groups(self, asked: Mapping[str, Any]) -> Sequence[str]:
        names = asked.get("logGroupNames") or [_name(each) for each in asked.get("logGroupIdentifiers") or ()]
        names = names or [asked.get("logGroupName") or ""]
        return [self._known(name) for name in names]

    def _known(self, group: str) -> str:
        if group not in logs_backends[self._account][self._region].groups:
            raise AwsError("ResourceNotFoundException", f"The specified log group does not exist: {group}")
        return group

    def _stream(self, call: Call) -> str:
        stream: str = call.params["logStreamName"]
        if stream not in self._store.streams(self._group(call)):
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        return stream

    def _described_stream(self, group: str, name: str, created: int, events: Sequence[Event]) -> dict[str, Any]:
        arn = f"arn:aws:logs:{self._region}:{self._account}:log-group:{group}:log-stream:{name}"
        described: dict[str, Any] = {"logStreamName": name, "creationTime": created, "arn": arn, "storedBytes": 0}
        if events:
            first, last = events[0].timestamp, events[-1].timestamp
            described |= {
                "firstEventTimestamp": first,
                "lastEventTimestamp": last,
                "lastIngestionTime": events[-1].ingested,
            }
        return described


def _name(identifier: str) -> str:
    """The group of an ARN or a name."""
    return identifier.split(":log-group:", 1)[-1].removesuffix(":*") if identifier.startswith("arn:") else identifier


def _pattern(text: str) -> Any:
    try:
        return compile_pattern(text)
    except PatternError as error:
        raise AwsError("InvalidParameterException", str(error)) from error
