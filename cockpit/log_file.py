"""The log file: tracebacks and warnings go there, never to the screen."""

from __future__ import annotations

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from platformdirs import user_log_path

from cockpit.console import output
from probes.log_lines import LogLines


class _PrivateFile(RotatingFileHandler):
    """A log that only its user can read, the file begun at a rollover included."""

    def _open(self) -> TextIOWrapper:
        # Without O_NONBLOCK a pipe in its place would wait for somebody who reads it.
        how = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
        return open(os.open(self.baseFilename, how, 0o600), "a", encoding="utf-8")  # noqa: PTH123


def log_folder() -> Path:
    """This user's folder for logs, made if it is not there."""
    return user_log_path("cockpit", appauthor=False, ensure_exists=True)


def log_to_file() -> Path | None:
    """Send every log record of this process to the user's log folder (mode 0600), redacted; gives the file.

    None, with a line on standard error, where no file can be there: a night is not put off for want of a log.
    """
    handler: logging.Handler
    path: Path | None = None
    try:
        path = log_folder() / "cockpit.log"
        handler = _PrivateFile(path, maxBytes=2_000_000, backupCount=2)
        handler.setFormatter(LogLines())
    except OSError as error:
        output(f"no log is kept: cannot write {path or error.filename}: {error.strerror}", err=True)
        path, handler = None, logging.NullHandler()
    root = logging.getLogger()
    for earlier in root.handlers:
        if isinstance(earlier, RotatingFileHandler):
            earlier.close()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    return path
