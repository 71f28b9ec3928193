"""Lines of a log: what others wrote begins none, and no secret is in one."""

from __future__ import annotations

import logging

from probes.display_text import visible
from probes.redact import redact

FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class LogLines(logging.Formatter):
    """One line for a record; those of a traceback follow, each behind `  | `. For every handler of the cockpit."""

    def __init__(self) -> None:
        super().__init__(FORM)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        return visible(redact(super().formatMessage(record)), keep="")

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging calls it so
        return _behind(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging calls it so
        return _behind(super().formatStack(stack_info))

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # another handler may have kept it in a form of its own
        return super().format(record)


def _behind(text: str) -> str:
    return "\n".join(f"  | {line}" for line in visible(redact(text)).split("\n"))
