"""RDS: whether a database answers its clients, by the status of its instance or cluster, and what a cluster decides."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from probes.clients.arns import is_arn
from probes.reading import Reason, Unknown

GIB = 1024**3
_ANSWERS = (
    "available backing-up configuring-activity-stream configuring-enhanced-monitoring configuring-iam-database-auth "
    "configuring-log-exports resetting-master-credentials storage-initialization storage-optimization update-iam-db-auth"
)
_DOES_NOT_ANSWER = (
    "cloning-failed creating deleting failed failing-over inaccessible-encryption-credentials "
    "inaccessible-encryption-credentials-recoverable incompatible-create incompatible-network "
    "incompatible-parameters incompatible-restore insufficient-capacity migrating migration-failed preparing-data-migration "
    "rebooting restore-error starting stopped stopping storage-full"
)
_MAY_ANSWER = (
    "backtracking converting-to-vpc delete-precheck incompatible-option-group maintenance modifying moving-to-vpc promoting "
    "renaming scaling-compute scaling-storage storage-config-upgrade upgrading"
)
"""What is done to it interrupts it or does not, and the status does not say which; nor whether it goes on where a change of
its option group failed, or where RDS only looks whether it may be deleted."""
STATUSES: Mapping[str, bool | None] = MappingProxyType(
    dict.fromkeys(_ANSWERS.split(), True)
    | dict.fromkeys(_DOES_NOT_ANSWER.split(), False)
    | dict.fromkeys(_MAY_ANSWER.split(), None)
)
"""Closed: every status that RDS documents for instances and clusters, and whether the database answers in it. By the tables of
"Viewing instance status" (Amazon RDS user guide) and "Viewing cluster status" (Amazon Aurora user guide); where a description
leaves open whether it is operational, this is unknown."""


def answers_in(status: str | None) -> bool | Unknown | None:
    """Whether a database in this status answers its clients; unknown where the status does not tell.

    >>> answers_in("backing-up"), answers_in("storage-full"), answers_in("modifying").detail
    (True, False, 'modifying may interrupt the database, or not')
    """
    if status is None:
        return None
    if status not in STATUSES:
        hint = "look at it in the console: RDS has a status that the cockpit does not know"
        return Unknown(Reason.NO_DATA, f"the status is {status}", hint)
    if (answers := STATUSES[status]) is None:
        hint = "wait until it is over, or see by postgres.pool whether it answers"
        return Unknown(Reason.NO_DATA, f"{status} may interrupt the database, or not", hint)
    return answers


def is_aurora(described: Mapping[str, Any]) -> bool:
    """Whether an instance or cluster is of Aurora, whose storage grows by itself."""
    return str(described.get("Engine", "")).startswith("aurora")


def storage(described: Mapping[str, Any]) -> int | Unknown | None:
    """Bytes allocated. Aurora allocates none: RDS answers 1 GiB for every cluster of it."""
    if is_aurora(described):
        hint = "cloudwatch.metric VolumeBytesUsed says how much it holds"
        return Unknown(Reason.NO_DATA, "Aurora's storage grows by itself", hint)
    allocated = described.get("AllocatedStorage")
    return None if allocated is None else int(allocated) * GIB


def waiting(described: Mapping[str, Any]) -> list[str]:
    """What a modification waits for, by name only: a pending value can hold a password."""
    pending = described.get("PendingModifiedValues") or {}
    return sorted(name for name, value in pending.items() if value not in (None, {}, []))


def plain_name(name: str) -> str:
    """Of a database's ARN its name, as RDS keeps it: in lower case.

    >>> plain_name("arn:aws:rds:us-east-1:123456789012:cluster:orders"), plain_name("Orders")
    ('orders', 'orders')
    """
    return (name.rpartition(":")[2] if is_arn(name) else name).lower()
