"""The application's structured log: one JSON object a line, as CloudWatch Logs receives it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from cockpit.engine.clock import Clock

GROUP = "/ecs/transparent-trust-web"

Put = Callable[[str, str, datetime, str], None]
"""group, stream, at, message"""


class Logbook:
    """Writes lines of one task's stream to where logs are kept."""

    def __init__(self, clock: Clock, put: Put, stream: Callable[[], str]) -> None:
        self._clock = clock
        self._put = put
        self._stream = stream

    def info(self, message: str, **extra: Any) -> None:
        self._write("info", message, extra)

    def warn(self, message: str, **extra: Any) -> None:
        self._write("warn", message, extra)

    def error(self, message: str, **extra: Any) -> None:
        self._write("error", message, extra)

    def _write(self, level: str, message: str, extra: dict[str, Any]) -> None:
        now = self._clock.now()
        line = {
            "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": level,
            "message": message,
        }
        self._put(GROUP, self._stream(), now, json.dumps(line | extra))
