"""RDS snapshots: moto keeps them and calls them finished at once; here a manual one takes its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.rds.models import rds_backends

from cockpit.rehearsal.aws.wire.routing import Call

TAKES = timedelta(minutes=3)
"""From being asked for to `available`."""
_MEMBERS = {
    "DBSnapshotIdentifier": "db_snapshot_identifier",
    "DBSnapshotArn": "db_snapshot_arn",
    "DBInstanceIdentifier": "db_instance_identifier",
    "DbiResourceId": "dbi_resource_id",
    "Engine": "engine",
    "EngineVersion": "engine_version",
    "AllocatedStorage": "allocated_storage",
    "MasterUsername": "master_username",
    "Port": "port",
    "SnapshotType": "snapshot_type",
    "Encrypted": "storage_encrypted",
    "KmsKeyId": "kms_key_id",
}


class Snapshots:
    """DescribeDBSnapshots, with Status and PercentProgress as they would be by now."""

    def __init__(self, now: Callable[[], datetime], account: str, region: str) -> None:
        self._now = now
        self._account = account
        self._region = region

    def answers(self) -> Mapping[tuple[str, str], Callable[[Call], Mapping[str, Any] | None]]:
        return {("rds", "DescribeDBSnapshots"): self.describe_db_snapshots}

    def describe_db_snapshots(self, call: Call) -> Mapping[str, Any] | None:
        """Of one instance; anything else that can be asked is left to moto."""
        asked = call.params
        if asked.get("Filters") or asked.get("DBSnapshotIdentifier") or not asked.get("DBInstanceIdentifier"):
            return None
        backend = rds_backends[self._account][self._region]
        found = backend.describe_db_snapshots(asked["DBInstanceIdentifier"], None, asked.get("SnapshotType"))
        return {"DBSnapshots": [self._described(snapshot) for snapshot in found]}

    def _described(self, snapshot: Any) -> dict[str, Any]:
        fields = {name: getattr(snapshot, attribute, None) for name, attribute in _MEMBERS.items()}
        created, taken = _aware(snapshot.created), _aware(snapshot.original_snapshot_create_time)
        done = 1.0 if snapshot.snapshot_type == "automated" else min((self._now() - created) / TAKES, 1.0)
        return fields | {
            "SnapshotCreateTime": created,
            "OriginalSnapshotCreateTime": min(created, taken),
            "InstanceCreateTime": _aware(snapshot.instance_create_time),
            "Status": "available" if done >= 1.0 else "creating",
            "PercentProgress": max(int(100 * done), 0),
        }


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
