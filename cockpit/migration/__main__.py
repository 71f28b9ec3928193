"""`python -m cockpit.migration RUN`: one worker. The connection string comes from COCKPIT_MIGRATION_DATABASE."""

from __future__ import annotations

import asyncio
import os
import sys

from cockpit.migration.local_workers import DATABASE, log_plainly
from cockpit.migration.worker import main

if __name__ == "__main__":
    log_plainly()
    sys.exit(asyncio.run(main(os.environ[DATABASE], int(sys.argv[1]))))
