"""The versions of a secret, each with when it was made: moto says now, whenever it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.secretsmanager.models import secretsmanager_backends

from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.routing import Call


class SecretVersions:
    """ListSecretVersionIds, without those that no stage names, as AWS lists them unless it is asked for more."""

    def __init__(self, account: str, region: str) -> None:
        self._account = account
        self._region = region

    def answers(self) -> Mapping[tuple[str, str], Callable[[Call], Mapping[str, Any]]]:
        return {("secretsmanager", "ListSecretVersionIds"): self.list_secret_version_ids}

    def list_secret_version_ids(self, call: Call) -> Mapping[str, Any]:
        asked = str(call.params["SecretId"])
        held = secretsmanager_backends[self._account][self._region].secrets
        secret = held.get(asked) or next((each for each in held.values() if each.arn == asked), None)
        if secret is None:
            raise AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        versions = [
            {"VersionId": name, "VersionStages": list(each["version_stages"]), "CreatedDate": each["createdate"]}
            for name, each in secret.versions.items()
            if each["version_stages"]
        ]
        return {"ARN": secret.arn, "Name": secret.name, "Versions": versions}
