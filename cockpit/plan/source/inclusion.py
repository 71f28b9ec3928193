"""What a part is called where it is included, and what its texts see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cockpit.plan.position import Position
from probes.frozen import frozen


@frozen
class Input:
    """One value a part asks for. Without a default it must be given."""

    type: str = "text"
    default: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class Inclusion:
    """One part under one name: what its texts see."""

    name: str
    part: str
    at: Position
    """Where the plan includes it."""
    inputs: Mapping[str, Input]
    given: Mapping[str, tuple[tuple[str | int, ...], Any]]
    """Input -> where its value stands, and the value as written; None where there is none that can be."""
    probes: frozenset[str]
    """The part's own names of its probes."""

    def probe(self, name: str) -> str:
        """What a probe of the part is called in the plan."""
        return f"{self.name}_{name}"

    def var(self, name: str) -> str:
        """What an input is called among the plan's vars: no var of a plan can have such a name."""
        return f"{self.name}:{name}"
