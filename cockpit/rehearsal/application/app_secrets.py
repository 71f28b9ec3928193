"""The application's way to its secrets, with the report's traps: a cache, a silent fallback to the environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError

from cockpit.engine.clock import Clock
from cockpit.rehearsal.application.document_storage import application_client
from cockpit.rehearsal.application.log import Logbook
from probes.clients.threads import DaemonThreads

CACHE_FOR = timedelta(minutes=5)
ENCRYPTION_KEY = "transparent-trust/encryption-key"
ANTHROPIC_KEY = "transparent-trust/anthropic-api-key"
GOOGLE_OAUTH = "transparent-trust/google-oauth"


class SecretMissing(Exception):  # noqa: N818 - the report's getSecret throws "Secret ... not found"
    """Neither Secrets Manager nor the environment has it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Secret {name} not found")
        self.name = name


class Vault:
    """GetSecretValue, cached for five minutes of the cutover's time; then the environment, with a warning nobody reads.

    Values never leave the application: they are compared, not shown.
    """

    def __init__(
        self, endpoint: str, clock: Clock, log: Logbook, environment: Mapping[str, str], field: str = ""
    ) -> None:
        """`field`: the key under which secrets of one value are stored; empty: as they are."""
        self._client = application_client("secretsmanager", endpoint)
        self._thread = DaemonThreads(1, "secrets")
        self._clock = clock
        self._log = log
        self._environment = environment
        self._field = field
        self._cache: dict[str, tuple[str, datetime]] = {}

    async def secret(self, name: str) -> str:
        """The current value. Raises SecretMissing."""
        cached = self._cache.get(name)
        if cached is not None and cached[1] > self._clock.now():
            return cached[0]
        value = await self._thread.run(partial(self._fetch, name))
        if value is None:
            return self._fallback(name)
        self._cache[name] = (value, self._clock.now() + CACHE_FOR)
        return value

    def forget(self) -> None:
        """Drop the cache: what a newly started task begins with."""
        self._cache.clear()

    def close(self) -> None:
        self._thread.close()
        self._client.close()

    def _fetch(self, name: str) -> str | None:
        try:
            return self._value(str(self._client.get_secret_value(SecretId=name)["SecretString"]))
        except (ClientError, BotoCoreError):
            return None

    def _value(self, text: str) -> str:
        """What of a stored text the application uses."""
        if not self._field or not text.startswith("{"):
            return text
        return str(json.loads(text).get(self._field, text))

    def _fallback(self, name: str) -> str:
        self._log.error("Failed to retrieve secret from Secrets Manager", secretName=name)
        value = self._environment.get(name)
        if value is None:
            raise SecretMissing(name)
        self._log.warn(f"Using environment variable fallback for {name}")
        return value
