"""Under which keys of one's own secrets are encrypted: who reads such a secret needs kms:Decrypt on its key too."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from probes.clients.arns import arn
from probes.clients.clients import Clients
from probes.clients.paging import pages
from probes.reading import Reason, Unknown, Unseen

GET = "secretsmanager:GetSecretValue"
DECRYPT = "kms:Decrypt"
_AWS_OWN = "alias/aws/secretsmanager"
_SUFFIX = "-??????"
"""Secrets Manager ends each secret's ARN with six characters of its own."""


async def customer_keys(clients: Clients, resources: Sequence[str]) -> tuple[str, ...]:
    """ARNs of the keys under which the secrets named by these ARNs (wildcards allowed) are encrypted; sorted, each once.

    Reads secretsmanager ListSecrets (KmsKeyId), and kms DescribeKey for a key that is given by an alias. A secret under AWS's
    own key (aws/secretsmanager) needs no permission on it. Raises Unseen.
    """
    found: set[str] = set()
    for resource in resources:
        if ":secret:" not in resource:
            continue
        for secret in await _secrets(clients, resource):
            key = str(secret.get("KmsKeyId") or "")
            if key and not key.endswith(_AWS_OWN):
                found.add(await _arn_of(clients, key))
    return tuple(sorted(found))


async def _secrets(clients: Clients, resource: str) -> list[dict[str, Any]]:
    name = resource.partition(":secret:")[2]
    prefix = name[: min((at for mark in "*?" if (at := name.find(mark)) >= 0), default=len(name))]
    # Without a wildcard the last hyphen may begin Secrets Manager's own six characters.
    asked = prefix.rpartition("-")[0] if prefix == name and len(name.rpartition("-")[2]) == 6 else prefix
    filters: dict[str, Any] = {"Filters": [{"Key": "name", "Values": [asked]}]} if asked else {}
    answers = await pages(clients, "secretsmanager", "list_secrets", **filters)
    listed = [secret for answer in answers for secret in answer.get("SecretList") or ()]
    pattern = f"*:secret:{name}"
    return [each for each in listed if any(fnmatchcase(str(each.get("ARN")), p) for p in (pattern, pattern + _SUFFIX))]


async def _arn_of(clients: Clients, key: str) -> str:
    if ":alias/" not in key and not key.startswith("alias/"):
        return key if key.startswith("arn:") else arn(clients.options, "kms", f"key/{key}")
    answer = await clients.aws("kms", "describe_key", KeyId=key)
    found = str((answer.get("KeyMetadata") or {}).get("Arn") or "")
    if not found:
        raise Unseen(Unknown(Reason.NO_DATA, f"KMS gives no ARN of {key}", "look at the key's alias"))
    return found
