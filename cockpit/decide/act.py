"""What a person can do next, and how it is worded for them and for everybody else."""

from __future__ import annotations

from enum import StrEnum

from cockpit import formatting
from probes.frozen import frozen


class Act(StrEnum):
    """What a person does next. The value is the id of the terminal's action that does it; waiting has none."""

    DECIDE = "go_rollback"
    RUN_STEP = "go_runbook"
    WATCH = "go_cutover"
    CHECK = "go_checklist"
    PROBES = "go_probes"
    MIGRATE = "go_migration"
    ACKNOWLEDGE = "acknowledge"
    SIGN = "next"
    VOTE = "vote"
    BEGIN = "begin"
    ACCEPT = "accept"
    IDENTIFY = "who"
    WAIT = ""


@frozen
class NextAction:
    """The one thing a person of the plan does next."""

    act: Act
    what: str
    """For that person: "sign your 2 open lines"."""
    by: str = ""
    """Their id; empty where it is for whoever is there."""
    role: str = ""
    """The role in which they do it; empty where it needs none."""
    owed: str = ""
    """For everybody else: "has 2 lines to sign"; empty where others do not wait for it."""
    subject: str = ""
    """Id of the line, gate or step it begins with."""

    @property
    def for_others(self) -> str:
        """`second (DB owner) has 2 lines to sign`; empty where others do not wait for it."""
        return f"{formatting.person(self.by, self.role)} {self.owed}" if self.owed else ""
