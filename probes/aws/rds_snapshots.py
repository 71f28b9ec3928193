"""RDS: the snapshots a database could be brought back from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from probes.aws.rds_status import plain_name
from probes.clients.arns import arn, console
from probes.clients.clients import Clients
from probes.clients.long_list import LongList
from probes.clients.paging import request_id
from probes.demand import AWS_ALONE
from probes.probe import Moment, Params, Probe
from probes.reading import Bounds, Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line

_UNDER_WAY = ("creating", "copying")
_KNOWN = ("available", "deleting", "failed", *_UNDER_WAY)
"""RDS takes an old one away by `deleting`. Another status is not known."""


class SnapshotsParams(Params):
    instance: str
    """Name or ARN of the DB instance."""
    after: Moment | None = None
    """A snapshot must have been taken after this moment for `taken_after`."""


class RdsSnapshots(Probe[SnapshotsParams]):
    """Snapshots of an RDS instance: how old the newest finished ones are, and how far one under way has come.

    Reads rds DescribeDBSnapshots (automated and manual ones of the instance): Status, SnapshotType, PercentProgress,
    SnapshotCreateTime and OriginalSnapshotCreateTime, the earlier of which dates the data: a copy is newer than what it holds.
    Only `available` ones count for ages. An empty list is NOT_FOUND, for a misspelt name gives one too. Up to 500 are read whole
    in every reading. Of more, each reading goes on with 500: until all have been seen once, ages are known from above.
    """

    name = "rds.snapshots"
    params_type = SnapshotsParams
    demands = AWS_ALONE
    subjects = ("rds", "snapshot", "database backup")
    cannot_see = "whether a snapshot can be restored, and those of AWS Backup or of other accounts"
    late = "minutes: progress of a snapshot is told in steps"
    fields = (
        Field("available", int, "snapshots that are finished", 8, "count", low=0),
        Field("creating", int, "snapshots under way", 0, "count", low=0),
        Field("failed", int, "snapshots that failed", 0, "count", low=0),
        Field("newest_age_s", float, "age of the newest finished snapshot", 21600.0, "s", low=0),
        Field("newest_automated_age_s", float, "age of the newest finished automated one", 21600.0, "s", low=0),
        Field("newest_manual_age_s", float, "age of the newest finished manual one", 600.0, "s", low=0),
        Field("newest", str, "name of the newest snapshot, finished or not", "before-cutover"),
        Field("newest_type", str, "its type: automated or manual", "manual"),
        Field("newest_status", str, "its status: available, creating, failed, ...", "available"),
        Field("newest_progress", int, "how far it has come, in percent", 100, low=0, high=100),
        Field("newest_encrypted", bool, "it is encrypted", example=True),
        Field("taken_after", bool, "a finished snapshot was taken after `after`", example=True),
    )
    iam = ("rds:DescribeDBSnapshots",)
    interval = timedelta(seconds=60)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        options = self.clients.options
        return {
            self.iam[0]: (
                arn(options, "rds", f"db:{plain_name(self.params.instance)}"),
                arn(options, "rds", "snapshot:*"),
            )
        }

    def __init__(self, params: SnapshotsParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._list = LongList(
            clients, "rds", "describe_db_snapshots", "DBSnapshots", page_key="Marker",
            DBInstanceIdentifier=plain_name(params.instance),
        )  # fmt: skip

    async def read(self, now: datetime) -> Reading:
        name = plain_name(self.params.instance)
        query = f"rds describe-db-snapshots --db-instance-identifier {name}"
        try:
            found = await self._list.read_on_by("DBSnapshotIdentifier", now)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        snapshots = list(self._list.entries.values())
        evidence = Evidence(query, request_id(found.first), self._url(), _lines(snapshots))
        if not snapshots:
            hint = "take one, or check the name in the plan"
            none = Unknown(Reason.NOT_FOUND, f"RDS lists no snapshot of {name}", hint)
            return self.blind(now, none if self._list.whole else self._list.partial, evidence)
        values, unknown = self._values(snapshots, now)
        if not self._list.whole:
            values, unknown = self._from_some(values)
        as_of = self._list.as_of or now
        reading = self.reading(now, values, unknown=unknown, data_at=as_of, evidence=evidence)
        return replace(reading, lateness=now - as_of)

    def _from_some(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Unknown]]:
        """What holds whatever the snapshots are that have never been read: one that was taken, and no age above those seen."""
        counts = {name: values[name] for name in ("available", "creating", "failed") if name in values}
        unknown = self._list.from_below((field.name for field in self.fields), counts)
        for name, age in values.items():
            if name.endswith("_age_s"):
                unknown[name] = replace(unknown[name], bounds=Bounds(0.0, age))
        taken = {"taken_after": True} if values.get("taken_after") else {}
        return taken, {name: why for name, why in unknown.items() if name not in taken}

    def _values(
        self, snapshots: Sequence[Mapping[str, Any]], now: datetime
    ) -> tuple[dict[str, Any], dict[str, Unknown]]:
        done = [each for each in snapshots if each.get("Status") == "available"]
        creating = sum(each.get("Status") in _UNDER_WAY for each in snapshots)
        failed = sum(each.get("Status") == "failed" for each in snapshots)
        strange = [each for each in snapshots if each.get("Status") not in _KNOWN]
        newest = max(snapshots, key=_begun)
        values: dict[str, Any] = {
            "available": len(done),
            "creating": creating,
            "failed": failed,
            "newest": newest.get("DBSnapshotIdentifier"),
            "newest_type": newest.get("SnapshotType"),
            "newest_status": newest.get("Status"),
            "newest_progress": newest.get("PercentProgress"),
            "newest_encrypted": newest.get("Encrypted"),
        }
        unknown: dict[str, Unknown] = {}
        if strange:
            detail = f"the status of {strange[0].get('DBSnapshotIdentifier')} is {strange[0].get('Status')}"
            within = Bounds(failed, failed + len(strange))
            unknown["failed"] = Unknown(Reason.NO_DATA, one_line(detail), "see it in the console", within)
        for field, kind in (
            ("newest_age_s", ""),
            ("newest_automated_age_s", "automated"),
            ("newest_manual_age_s", "manual"),
        ):
            dates = [_data_at(each) for each in done if not kind or each.get("SnapshotType") == kind]
            if not dates:
                unknown[field] = Unknown(Reason.NOT_FOUND, f"no finished {kind} snapshot".replace("  ", " "))
            elif any(date is None for date in dates):
                unknown[field] = Unknown(Reason.NO_DATA, "RDS gives no time for every finished snapshot")
            else:
                youngest = max(date for date in dates if date is not None)
                values[field] = max((now - youngest).total_seconds(), 0.0)
        if self.params.after is None:
            unknown["taken_after"] = Unknown(Reason.NO_DATA, "the plan gives no after", "set it in the plan")
        else:
            after = self.params.after
            fits = [(date := _data_at(each)) is not None and date > after for each in (*done, *strange)]
            if any(fits[: len(done)]) or not any(fits):
                values["taken_after"] = any(fits)
            else:
                unknown["taken_after"] = replace(unknown["failed"], bounds=None)
        return values, unknown

    def _url(self) -> str:
        region = self.clients.options.region
        return console(region, f"rds/home?region={region}#snapshots-list:")


def unfinished(snapshots: Sequence[Mapping[str, Any]]) -> int | Unknown:
    """How many are under way or have failed; a status that is new is neither."""
    count = sum(each.get("Status") in (*_UNDER_WAY, "failed") for each in snapshots)
    strange = [str(each.get("Status")) for each in snapshots if each.get("Status") not in _KNOWN]
    if not strange:
        return count
    within = Bounds(count, count + len(strange))
    return Unknown(Reason.NO_DATA, one_line(f"a snapshot is {strange[0]}", 100), "see it in the console", within)


def _data_at(snapshot: Mapping[str, Any]) -> datetime | None:
    """What moment a snapshot holds, as far as RDS says: a copy's own time is later than its data's."""
    times = (snapshot.get("SnapshotCreateTime"), snapshot.get("OriginalSnapshotCreateTime"))
    return min((moment for moment in times if moment is not None), default=None)


def _begun(snapshot: Mapping[str, Any]) -> tuple[bool, float]:
    """Newest last; RDS gives a snapshot its time when it is begun to be taken, so one without a time has just been asked for."""
    moment = snapshot.get("SnapshotCreateTime")
    return moment is None, moment.timestamp() if moment else 0.0


def _lines(snapshots: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(_line(each) for each in sorted(snapshots, key=_begun, reverse=True)[:5])


def _line(snapshot: Mapping[str, Any]) -> str:
    moment = _data_at(snapshot)
    when = f"{moment:%Y-%m-%d %H:%M}" if moment else "no time yet"
    state = f"{snapshot.get('SnapshotType')} {snapshot.get('Status')} {snapshot.get('PercentProgress', '?')} %"
    return one_line(f"{when} {state} {snapshot.get('DBSnapshotIdentifier')}")
