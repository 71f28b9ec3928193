"""There and back against an S3 somebody else wrote: `rclone serve s3`, without versions and If-None-Match."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from migration.migration_bench import BUCKET, Bench
from support.waiting import wait_until

from cockpit.migration.settings import PART_BYTES
from cockpit.migration.states import PhaseName

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def listens(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where rclone keeps the bucket's objects, as files."""
    (tmp_path / BUCKET).mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rclone = Path(sys.executable).parent / "rclone"
    command = [
        rclone,
        "serve",
        "s3",
        "--addr",
        f"127.0.0.1:{port}",
        "--auth-key",
        "rehearsal,rehearsal-secret",
        tmp_path,
    ]
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        yield tmp_path / BUCKET
    finally:
        process.kill()
        process.wait()


async def test_there_and_back_against_another_implementation(bench: Bench, folder: Path) -> None:
    bench.insert(30)
    bench.insert(id_="empty", body=b"")
    bench.insert(id_="large", body=bytes(range(256)) * (2 * PART_BYTES // 256) + b"tail")
    before = bench.fingerprint()
    assert await bench.phase(PhaseName.COPY, workers=2) == "done"
    for held, key in bench.rows().values():
        assert key is not None
        assert (folder / key).read_bytes() == held
    for phase in (PhaseName.VERIFY, PhaseName.PURGE, PhaseName.RESTORE):
        assert await bench.phase(phase) == "done"
    assert bench.fingerprint() == before
