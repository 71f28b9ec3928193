"""moto keeps the wall's time; in a rehearsal everything must keep the world's."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from types import SimpleNamespace
from typing import Any

import moto.core.utils
import moto.ecr.models
import moto.secretsmanager.models

_ORIGINAL: Callable[[], datetime] = moto.core.utils.utcnow
_now: Callable[[], datetime] | None = None


def _utcnow() -> datetime:
    """Naive UTC, as moto's own function answers, in the world's time while there is a world."""
    return _ORIGINAL() if _now is None else _now().astimezone(UTC).replace(tzinfo=None)


def _time() -> float:
    return time.time() if _now is None else _now().timestamp()


class _WorldDatetime(datetime):
    """`datetime` for modules that ask it for the time themselves."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.fromtimestamp(_time(), tz)


def keep_time_of(now: Callable[[], datetime] | None) -> None:
    """Give moto the world's time; None gives it back the wall's.

    moto's modules hold `utcnow` by name, so it is replaced in each that is loaded; those loaded later find ours. Two
    modules of those a cutover looks at ask `time` and `datetime` instead.
    """
    global _now  # noqa: PLW0603 - moto itself is global to the process
    _now = now
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.") and vars(module).get("utcnow") is _ORIGINAL:
            setattr(module, "utcnow", _utcnow)  # noqa: B010 - a module has no such attribute for mypy
    for module, name, ours in (
        (moto.secretsmanager.models, "time", SimpleNamespace(time=_time)),
        (moto.ecr.models, "datetime", _WorldDatetime),
    ):
        setattr(module, name, ours)
