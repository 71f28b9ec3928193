"""The catalogue of what can be broken in a rehearsal: ids for scenarios, titles for a tired person.

Imports nothing heavy. `fault_injection.py` is where each of them is done for real.
"""

from __future__ import annotations

from probes.frozen import frozen
from probes.suggestion import suggestion


@frozen
class FaultState:
    """One entry of the fault panel."""

    id: str
    title: str
    active: bool = False


CATALOGUE: dict[str, str] = {
    "app.errors": "The application answers 12 % of requests with a 500",
    "app.slow": "Every request takes about 4 seconds longer",
    "app.crash": "Tasks exit with code 1 about 45 seconds after they start",
    "app.leak": "The application never gives database connections back: its pool runs dry (P2024)",
    "db.connections": "A reporting job takes every free connection slot of the database",
    "db.down": "The database is stopped",
    "s3.denied": "S3 denies the application's uploads: they fall back to the database, silently",
    "s3.slow_down": "S3 answers the application SlowDown (503)",
    "cloudwatch.throttled": "CloudWatch throttles the cockpit",
    "cloudwatch.denied": "CloudWatch denies the cockpit (AccessDenied)",
    "ecs.throttled": "ECS throttles the cockpit",
    "credentials.expired": "The cockpit's AWS credentials have expired",
    "network.slow": "Every answer of AWS reaches the cockpit 150 ms later",
    "network.drop": "The cockpit's network drops: AWS and the site no longer answer it",
    "llm.down": "The LLM vendor is down (529): answers fail inside the stream, no 5xx",
    "llm.slow": "The LLM takes four times as long",
    "oauth.broken": "Google does not know the callback URL (redirect_uri_mismatch)",
    "oauth.secret": "Google refuses the client secret: sign-ins fail at the callback",
    "secrets.missing": "The Anthropic key and the encryption key are deleted from Secrets Manager",
    "alarm.old": "The batch system's alarm has been firing for two hours",
    "users.asleep": "Nobody uses the site: only probes and monitors reach it",
    "redis.down": "Redis is gone: the application caches in memory",
}


class UnknownFault(ValueError):  # noqa: N818 - what was asked for
    """No fault of that id; the message suggests the nearest."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"there is no fault '{fault}'{suggestion(fault, CATALOGUE)}")


def known(fault: str) -> str:
    """The id, if there is such a fault. Raises UnknownFault."""
    if fault not in CATALOGUE:
        raise UnknownFault(fault)
    return fault
