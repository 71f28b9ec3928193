"""What a plan knows of the world around the cutover: risks, the variables and secrets of the application, its services."""

from __future__ import annotations

from enum import StrEnum

from cockpit.plan.position import Position
from probes.frozen import frozen


class Level(StrEnum):
    """How much a risk matters."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    ACCEPTED = "accepted"


@frozen
class Risk:
    """Something that may go wrong. `watch` names the items, criteria and guards that would show it."""

    id: str
    title: str
    level: Level
    risk: str
    position: Position
    mitigation: str = ""
    fallback: str = ""
    impact: str = ""
    owner: str = ""
    watch: tuple[str, ...] = ()
    caution: str = ""
    ref: str = ""


@frozen
class Variable:
    """A variable of the application's environment. `secret` names where it is taken from; empty: it is set in the clear."""

    name: str
    position: Position
    required: bool = True
    secret: str = ""
    value: str = ""
    group: str = ""
    caution: str = ""
    ref: str = ""


@frozen
class Secret:
    """A secret in Secrets Manager, by name. Its value is nowhere in a plan."""

    name: str
    position: Position
    keys: tuple[str, ...] = ()
    caution: str = ""
    ref: str = ""


@frozen
class Service:
    """A resource or a service the cutover rests on; `probe` looks at it."""

    id: str
    title: str
    at: str
    position: Position
    probe: str = ""
    caution: str = ""
    ref: str = ""
