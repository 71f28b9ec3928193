"""One boto3 session for everybody in the rehearsed world: each new one reads botocore's tables from disk again."""

from __future__ import annotations

from functools import cache

import boto3


@cache
def session() -> boto3.session.Session:
    """The process's own. Clients name their credentials themselves; nothing of the environment is used."""
    return boto3.session.Session()
