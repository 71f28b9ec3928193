"""Composite alarms: a rule over the states of other alarms, worked out whenever somebody asks."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cockpit.rehearsal.aws.cloudwatch.alarm_evaluation import AlarmState
from cockpit.rehearsal.aws.cloudwatch.alarms import AlarmBook
from cockpit.rehearsal.aws.wire.protocols import AwsError
from probes.frozen import frozen

_TOKEN = re.compile(
    r'\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*"?(?P<name>[^")]+?)"?\s*\)|(?P<word>AND|OR|NOT|TRUE|FALSE|[()]))\s*'
)
_SETTINGS = ("AlarmRule", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions")
Test = Callable[[str, str], bool]
"""Whether an alarm (name) is in a state."""


@frozen
class CompositeAlarm:
    """One composite alarm; `settings` are as PutCompositeAlarm gave them."""

    name: str
    arn: str
    settings: Mapping[str, Any]
    configured: datetime

    @property
    def names(self) -> tuple[str, ...]:
        """The alarms its rule names, each once."""
        return tuple(dict.fromkeys(token["name"] for token in tokens(self.settings["AlarmRule"]) if token["name"]))


class CompositeAlarms:
    """All composite alarms by name, over a book of alarms on metrics. A composite alarm may stand over another one."""

    def __init__(self, now: Callable[[], datetime], book: AlarmBook, account: str, region: str) -> None:
        self._now = now
        self._book = book
        self._prefix = f"arn:aws:cloudwatch:{region}:{account}:alarm:"
        self._alarms: dict[str, CompositeAlarm] = {}
        self._lock = threading.Lock()

    def put(self, name: str, settings: Mapping[str, Any]) -> None:
        """Create or replace one. Raises AwsError for a rule that cannot be read, or that names an alarm which is not there."""
        kept = {key: settings[key] for key in _SETTINGS if settings.get(key) is not None}
        made = CompositeAlarm(name, self._prefix + name, kept, self._now())
        known = {each.name for each in self._book.all()} | self._alarms.keys()
        if absent := [each for each in made.names if each not in known]:
            raise AwsError("ValidationError", f"Could not save the composite alarm: {absent[0]} does not exist.")
        holds(kept["AlarmRule"], lambda _name, _state: False)
        with self._lock:
            self._alarms = {**self._alarms, name: made}

    def delete(self, name: str) -> None:
        with self._lock:
            self._alarms = {key: each for key, each in self._alarms.items() if key != name}

    def all(self) -> list[CompositeAlarm]:
        return [self._alarms[name] for name in sorted(self._alarms)]

    def state(self, name: str) -> AlarmState:
        """ALARM where its rule holds, else OK; of a metric alarm its own. Raises AwsError."""
        if name not in self._alarms:
            return self._book.find(name).state
        rule = self._alarms[name].settings["AlarmRule"]
        return "ALARM" if holds(rule, lambda child, state: self.state(child) == state) else "OK"

    def described(self, alarm: CompositeAlarm) -> dict[str, Any]:
        """In the shape of DescribeAlarms."""
        state, since = self.state(alarm.name), self._since(alarm)
        actions: dict[str, Any] = {"ActionsEnabled": True}
        actions |= {kind: [] for kind in ("OKActions", "AlarmActions", "InsufficientDataActions")}
        return actions | {
            **alarm.settings,
            "AlarmName": alarm.name,
            "AlarmArn": alarm.arn,
            "AlarmConfigurationUpdatedTimestamp": alarm.configured,
            "StateValue": state,
            "StateReason": f"{alarm.settings['AlarmRule']} is {'TRUE' if state == 'ALARM' else 'FALSE'}",
            "StateUpdatedTimestamp": since,
            "StateTransitionedTimestamp": since,
        }

    def _since(self, alarm: CompositeAlarm) -> datetime:
        """When the newest state below it was entered: no later can its own be."""
        below = [each.transitioned for each in self._book.all() if each.name in alarm.names]
        return max(below, default=alarm.configured)


def tokens(rule: str) -> list[re.Match[str]]:
    """The words of a rule. Raises AwsError."""
    found, at = [], 0
    while at < len(rule):
        match = _TOKEN.match(rule, at)
        if match is None:
            raise AwsError("ValidationError", f"AlarmRule must not be malformed: {rule[at : at + 40]}")
        found.append(match)
        at = match.end()
    return found


def holds(rule: str, test: Test) -> bool:
    """Whether a rule is true; NOT binds closest, then AND, then OR. Raises AwsError for one that is malformed.

    >>> holds('ALARM("a") OR NOT (OK(b) AND TRUE)', lambda name, state: (name, state) == ("b", "OK"))
    False
    """
    reader = _Rule(tokens(rule), test)
    result = reader.either()
    if reader.left:
        raise AwsError("ValidationError", f"AlarmRule must not be malformed: at {reader.left[0][0].strip()}")
    return result


@dataclass(slots=True)
class _Rule:
    """Reads a rule from left to right; `left` is what has not been read."""

    left: list[re.Match[str]]
    test: Test

    def either(self) -> bool:
        found = self._both()
        while self._taken("OR"):
            found = self._both() or found
        return found

    def _both(self) -> bool:
        found = self._single()
        while self._taken("AND"):
            found = self._single() and found
        return found

    def _single(self) -> bool:
        if self._taken("NOT"):
            return not self._single()
        if self._taken("("):
            inner = self.either()
            if not self._taken(")"):
                raise AwsError("ValidationError", "AlarmRule must not be malformed: ) is missing.")
            return inner
        if not self.left or self.left[0]["word"] not in (None, "TRUE", "FALSE"):
            raise AwsError("ValidationError", "AlarmRule must not be malformed: a state is missing.")
        token = self.left.pop(0)
        return token["word"] == "TRUE" if token["word"] else self.test(token["name"], token["state"])

    def _taken(self, word: str) -> bool:
        if self.left and self.left[0]["word"] == word:
            self.left.pop(0)
            return True
        return False
