"""What a worker loads at its start; imported by the process that workers are forked from."""

from __future__ import annotations

import obstore.store  # noqa: F401
from botocore.config import Config

import cockpit.migration.worker  # noqa: F401
from probes.clients.aws_sessions import aws_session

aws_session(keys=("x", "y", None)).create_client("s3", region_name="us-east-1", config=Config()).close()
