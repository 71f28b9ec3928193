"""Clients of boto3 that tests share: making one costs more than most tests that ask it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import boto3
from botocore.config import Config

_ASKING = threading.local()
Listening = Callable[[Any], None]
"""Registers on a new client what answers for AWS; called once for each client."""


class Lent:
    """One of the shared clients, whose calls are its holder's: whoever answers them finds the holder by `asking`."""

    def __init__(self, client: Any, holder: object) -> None:
        self._client = client
        self._holder = holder

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        @wraps(found)
        def call(*given: Any, **asked: Any) -> Any:
            _ASKING.holder = self._holder
            return found(*given, **asked)

        return call


def asking() -> Any:
    """Whose call this thread is making."""
    return _ASKING.holder


def lend(service: str, region: str, listening: Listening, holder: object) -> Lent:
    """A client of this service and region, made when first asked for."""
    return Lent(_made(service, region, listening), holder)


@cache
def _made(service: str, region: str, listening: Listening) -> Any:
    config = Config(retries={"total_max_attempts": 1})
    client = boto3.client(service, region_name=region, aws_access_key_id="x", aws_secret_access_key="x", config=config)
    listening(client)
    return client
