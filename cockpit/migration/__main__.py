"""`python -m cockpit.migration RUN`: one worker. The connection string comes from COCKPIT_MIGRATION_DATABASE."""

from __future__ import annotations

import logging
import os
import sys

from cockpit.console import door
from cockpit.exit_codes import INTERNAL_ERROR, INTERRUPTED
from cockpit.migration.local_workers import DATABASE, log_plainly
from cockpit.migration.worker import main
from probes.clients.threads import run_loop
from probes.known_secrets import remember


def worker(dsn: str, run: int) -> int:
    """What it leaves behind on standard error holds no secret, its last words included."""
    remember(dsn)
    try:
        return run_loop(main(dsn, run))
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        logging.getLogger(__name__).exception("the worker ends")
        return INTERNAL_ERROR


if __name__ == "__main__":
    log_plainly()
    with door():
        sys.exit(worker(os.environ[DATABASE], int(sys.argv[1])))
