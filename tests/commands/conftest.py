"""What tests of commands stand on."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from commands.watched_site import Answers, Site


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
