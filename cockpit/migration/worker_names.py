"""What a worker is called in the ledger, so that whoever started it knows it there: its machine and process, or its task."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Mapping

_OF_FARGATE = re.compile(r"/v4/([0-9a-f]{32})-[^/]*$")


def of_process(pid: int) -> str:
    """A process on this machine."""
    return f"{socket.gethostname()[:40]}-{pid}"


def of_task(task_id: str) -> str:
    """A task of ECS, by the end of its ARN."""
    return f"task-{task_id}"


def name_of(worker_id: str) -> str:
    """What an id begins with, of the process that has it.

    >>> name_of("host-1-77-ab12")
    'host-1-77'
    """
    return worker_id.rpartition("-")[0]


def worker_id(environ: Mapping[str, str]) -> str:
    """This process's, and nobody else's: begins as its starter calls it, where it can know that.

    In a task of Fargate the address of its metadata holds the task's id; elsewhere it is another.

    >>> address = "http://169.254.170.2/v4/" + "0123456789abcdef" * 2 + "-2157775105"
    >>> name_of(worker_id({"ECS_CONTAINER_METADATA_URI_V4": address}))
    'task-0123456789abcdef0123456789abcdef'
    """
    task = _OF_FARGATE.search(environ.get("ECS_CONTAINER_METADATA_URI_V4", ""))
    return f"{of_task(task[1]) if task else of_process(os.getpid())}-{secrets.token_hex(2)}"
