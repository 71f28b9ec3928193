"""What every part of the furnishing uses: the operator's clients and the fixed names of the rehearsed account."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.config import Config

from cockpit.rehearsal.aws.sessions import session

NAME = "transparent-trust"
CLUSTER, SERVICE, CONTAINER, PORT = f"{NAME}-prod", f"{NAME}-web", "web", 3000
DATABASE, BUCKET, LOG_GROUP = f"{NAME}-db-prod", f"{NAME}-documents-prod", f"/ecs/{NAME}-web"
TASK_ROLE, EXECUTION_ROLE = f"{NAME}-task", f"{NAME}-execution"
TOPIC, DASHBOARD, REPOSITORY = f"{NAME}-alerts", f"{NAME}-prod", NAME
SITE = f"{NAME}.company.com"
REQUEST_METRICS = "EntireBucket"
OPERATOR_KEY = "AKIAOPERATOR00000000"
"""Whoever set the account up: neither the application nor the cockpit, and spared by faults."""


@dataclass(slots=True)
class Tools:
    """Clients of one endpoint, made when first used."""

    endpoint: str
    account: str
    region: str
    now: datetime
    site_url: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(connect_timeout=2, read_timeout=10, proxies={}, s3={"addressing_style": "path"})
            self._clients[service] = session().client(
                service,
                endpoint_url=self.endpoint,
                region_name=self.region,
                aws_access_key_id=OPERATOR_KEY,
                aws_secret_access_key="rehearsed-operator",  # noqa: S106 - the simulated AWS checks no signature
                config=config,
            )
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def arn(self, service: str, rest: str, *, regional: bool = True) -> str:
        return f"arn:aws:{service}:{self.region if regional else ''}:{self.account}:{rest}"


def policy(statements: Sequence[Mapping[str, Any]]) -> str:
    """A policy document that allows what the statements say."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]})
