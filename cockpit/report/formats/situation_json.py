"""A Situation as JSON: the same names as the dataclasses, times as ISO 8601, durations in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from cockpit.console import json_text
from cockpit.decide.situation import Situation

JSON_VERSION = 1
"""Members may be added; none changes its meaning or goes."""


def situation_json(situation: Situation) -> str:
    """One JSON object, stable key order, with the exit code beside the verdict."""
    plain = {"version": JSON_VERSION, **to_plain(situation)}
    plain["verdict"]["label"] = situation.verdict.label
    plain["verdict"]["exit_code"] = situation.verdict.exit_code
    return json_text(plain)


def to_plain(value: Any) -> Any:
    """Dataclasses to objects (private fields left out), and the rest to what JSON has."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value) if not f.name.startswith("_")}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {str(key): to_plain(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(held) for held in value]
    return value
