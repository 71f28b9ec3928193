"""What an action would do, looked at once and shown: it is done as it was shown, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime

from cockpit import formatting
from cockpit.plan.step_action import StepAction
from probes.frozen import frozen


@frozen
class Proposal:
    """One action on one target, by one principal."""

    step: str
    """Id of the step."""
    action: StepAction
    account: str
    region: str
    principal: str
    """ARN, as STS answered."""
    runs: str
    """ARN of the task definition that the service runs now."""
    goes_to: str
    """ARN of the one it goes back to."""
    digests: str
    """What that one ran, as it was noted."""
    checks: tuple[str, ...]
    """What was looked at, each in a line."""
    at: datetime
    """When all of it was looked at."""

    @property
    def title(self) -> str:
        return f"ROLL BACK {self.action.on} to {_short(self.goes_to)} on {self.account} in {self.region}"

    @property
    def words(self) -> str:
        """To be typed exactly, and then why."""
        return f"roll back {self.action.on}"

    @property
    def line(self) -> str:
        """All of it that names who changes what, and where: for the record."""
        return (
            f"{self.action} in account {self.account}, region {self.region}, as {self.principal}: "
            f"from {_short(self.runs)} to {_short(self.goes_to)}, {self.digests}"
        )

    def shown(self) -> Iterator[tuple[str, str]]:
        """Name and value of each line of the confirmation page."""
        yield "service", str(self.action.on)
        yield "account", self.account
        yield "region", self.region
        yield "as", self.principal
        yield "from", _short(self.runs)
        yield "to", f"{_short(self.goes_to)}, {self.digests}"
        for each in self.checks:
            yield "checked", f"{each}, at {formatting.clock(self.at)}"
        yield (
            "then",
            "ECS replaces the tasks; the database and the files stay as they are. The cockpit follows it to the end",
        )

    def differences(self, now: Proposal) -> tuple[str, ...]:
        """What is no longer as it was shown; nothing but the time may differ."""
        return tuple(
            f"{each.name.replace('_', ' ')} was {getattr(self, each.name)}, and is {getattr(now, each.name)}"
            for each in fields(self)
            if each.name != "at" and getattr(self, each.name) != getattr(now, each.name)
        )


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]
