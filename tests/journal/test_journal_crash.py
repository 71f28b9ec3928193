"""Crashes, full disks and two at once: what was acknowledged is there, and the chain goes on."""

from __future__ import annotations

import errno
import os
import random
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.records.short_record import DIGEST, change, make_folder, not_proven, open_journal, sign_off
from support.waiting import LAST_RESORT_S

from cockpit.decide.events import Change, SignOff
from cockpit.journal.chain import read
from cockpit.journal.entry import Type
from cockpit.journal.findings import NOT_PROVABLE
from cockpit.journal.machine import machine_id
from cockpit.journal.persisted_log import PersistedRecord
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Draft, Journal, JournalLost, writer_name
from cockpit.journal.writer_thread import WriterThread

DRIVER = """
import os, sys
from pathlib import Path
from cockpit.journal.entry import Type
from cockpit.journal.writer import Draft, Journal
folder, writer, first, many = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
journal = Journal.open(folder / "journal", writer, folder.name, body={"plan_digest": sys.argv[5]})
print(journal.path, flush=True)
for n in range(first, first + many):
    journal.append(Draft(Type.NOTE, {"n": n, "text": "x" * (n * 37 % 400)}))
    os.write(1, b"%d\\n" % n)
journal.close()
"""


def driver(folder: RecordFolder, writer: str, first: int, many: int, **more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", DRIVER, str(folder.path), writer, str(first), str(many), DIGEST]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | more)


def numbers(path: Path) -> list[int]:
    return [line.entry.body["n"] for line in read(path).lines if "n" in line.entry.body]


@pytest.mark.parametrize("many", [400, pytest.param(4000, marks=pytest.mark.long)])
def test_appends_and_kills_between_lose_nothing_acknowledged(tmp_path: Path, many: int) -> None:
    """A process killed at random moments, its last line then torn at a random byte, as a power cut can."""
    folder = make_folder(tmp_path)
    rng = random.Random(11)
    path = folder.journal / "alex.jsonl"
    acknowledged: list[int] = []
    first = rounds = 0
    while first < many:
        with driver(folder, "alex", first, min(200, many - first)) as process:
            assert process.stdout is not None
            process.stdout.readline()
            told = [int(process.stdout.readline()) for _ in range(min(rng.randrange(120), many - 1 - first))]
            process.kill()
            told += [int(line) for line in process.stdout.read().split()]
        acknowledged += told
        first = max(first, *acknowledged, *numbers(path)) + 1  # the one under way may be there or not
        rounds += 1
        assert set(acknowledged) <= set(numbers(path))
        if rng.random() < 0.7:
            torn = open_journal_line(rng)
            with path.open("ab") as file:
                file.write(torn[: rng.randrange(1, len(torn))])
    Journal.open(folder.journal, "alex", folder.id, body={"plan_digest": DIGEST}).close()
    assert rounds > 3
    found = numbers(path)
    assert set(acknowledged) <= set(found)
    assert found == sorted(set(found))
    result = verify_record(folder.path)
    assert result.exit_code == NOT_PROVABLE
    assert not result.broken


def open_journal_line(rng: random.Random) -> bytes:
    return b'{"payload":"{\\"v\\":1,\\"seq\\":' + rng.randbytes(rng.randrange(1, 300)).replace(b"\n", b" ")


def test_two_processes_of_one_person_write_two_chains(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    with (
        driver(folder, "alex", 0, 150) as one,
        driver(folder, "alex", 1000, 150) as two,
        driver(folder, "bo", 5, 150) as three,
    ):
        for process in (one, two, three):
            process.communicate(timeout=LAST_RESORT_S)
            assert process.returncode == 0
    assert {path.name for path in folder.journal.iterdir()} >= {"alex.jsonl", "bo.jsonl"}
    assert sum(len(numbers(path)) for path in folder.journal.iterdir()) == 450
    assert not verify_record(folder.path).broken
    merged = folder.lines()
    assert len(merged) == 456
    assert [line.entry.ts for _, line in merged] == sorted(line.entry.ts for _, line in merged)


def test_two_open_at_once_in_one_process_too(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    one, two = open_journal(folder), open_journal(folder)
    assert (one.writer, two.writer) == ("alex-laptop", "alex-laptop-2")
    one.append(Draft(Type.NOTE, {"text": "first"}))
    seen = two.append(Draft(Type.NOTE, {"text": "second"})).entry.seen
    assert seen == {"alex-laptop": one.head}
    one.close()
    two.close()
    again = open_journal(folder)
    assert again.writer == "alex-laptop"
    assert again.resumed
    again.close()
    assert not verify_record(folder.path).broken


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = make_folder(tmp_path / "state")
        open_journal(folder).close()
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder.path, *folder.path.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert stat.S_IMODE(folder.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("done", ["shortened", "grown", "replaced", "removed"])
def test_a_file_that_is_not_as_it_was_left_takes_nothing_more(tmp_path: Path, done: str) -> None:
    journal = open_journal(make_folder(tmp_path))
    text = journal.path.read_bytes()
    if done in ("replaced", "removed"):
        journal.path.unlink()
    if done != "removed":
        journal.path.write_bytes({"shortened": text[:-5], "grown": text + b"{}\n", "replaced": text}[done])
    with pytest.raises(OSError, match=r"not as this session|No such file"):
        journal.add(change())
    assert journal.closed
    with pytest.raises(JournalLost):
        journal.add(change())
    journal.close()


def test_a_failing_disk_stops_the_session_and_the_next_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(tmp_path)
    journal = open_journal(folder)
    left = [150]

    def failing(file: int, data: memoryview) -> int:
        """Takes 40 bytes at a time, and 150 in all."""
        if not left[0]:
            raise OSError(errno.EIO, "Input/output error")
        took = write(file, data[: min(40, left[0])])
        left[0] -= took
        return took

    write = os.write
    monkeypatch.setattr(os, "write", failing)
    with pytest.raises(OSError, match="Input/output"):
        journal.add(change(1))
    with pytest.raises(JournalLost):
        journal.add(change(2))
    left[0] = 10_000
    again = open_journal(folder)
    again.add(change(3))
    again.close()
    monkeypatch.undo()
    assert [line.entry.type for line in read(journal.path).lines] == ["open", "open", "recovered", "probe", "close"]
    assert not verify_record(folder.path).broken


def test_many_threads_share_one_journal(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    journal = open_journal(folder)
    threads = [threading.Thread(target=lambda: [journal.add(change(n)) for n in range(40)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    head = journal.close()
    result = verify_record(folder.path, [head])
    assert (not_proven(result), result.entries) == ({"time"}, 162)


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    (folder.journal / "alex.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"symbolic|levels"):
        Journal.open(folder.journal, "alex", folder.id)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("tail", [b"\x00" * 4096, b"{", b"garbage\nmore\n{", b"\n\n"])
def test_what_a_crash_left_is_kept_hashed_and_named(tmp_path: Path, tail: bytes) -> None:
    folder = make_folder(tmp_path)
    journal = open_journal(folder)
    journal.add(change(1))
    os.close(journal._file)
    journal.closed = True
    path = journal.path
    before = path.read_bytes() + tail
    path.write_bytes(before)
    again = open_journal(folder)
    again.add(change(2))
    again.close()
    assert path.read_bytes().startswith(before)
    recovered = [line.entry for line in read(path).lines if line.entry.type is Type.RECOVERED]
    assert [each["line"] for each in recovered[0].body["torn"]] == list(
        range(3, 3 + tail.rstrip(b"\n").count(b"\n") + 1 + tail.startswith(b"\n"))
    )
    result = verify_record(folder.path)
    assert not result.broken
    assert any("torn" in each for each in result.unproven)


@pytest.mark.parametrize("seed", range(5))
def test_cut_at_any_byte_the_chain_goes_on_and_keeps_what_was_whole(tmp_path: Path, seed: int) -> None:
    folder = make_folder(tmp_path)
    rng = random.Random(seed)
    journal = open_journal(folder)
    for n in range(40):
        journal.add(change(n))
        if rng.random() < 0.5:
            os.close(journal._file)
            raw = journal.path.read_bytes()
            last = len(raw) - len(raw.splitlines(keepends=True)[-1])
            journal.path.write_bytes(raw[: rng.randrange(last, len(raw) + 1)])
            journal = open_journal(folder)
            assert journal.path.read_bytes().startswith(raw[:last])
    journal.close()
    assert not verify_record(folder.path).broken


def test_a_record_being_written_is_not_called_broken(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    open_journal(folder, "carol").close()
    with driver(folder, "alex", 0, 400) as one, driver(folder, "bo", 0, 400) as two:
        while one.poll() is None or two.poll() is None:
            assert [str(problem) for problem in verify_record(folder.path).broken] == []
        one.communicate()
        two.communicate()


def test_a_whole_line_that_lacks_only_its_newline_is_an_entry(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    journal = open_journal(folder)
    journal.add(change(1))
    os.close(journal._file)
    journal.path.write_bytes(journal.path.read_bytes()[:-1])
    open_journal(folder).close()
    assert not verify_record(folder.path).broken
    assert [line.entry.seq for line in read(journal.path).lines] == [1, 2, 3, 4]


def test_the_scribe_keeps_the_order_and_names_its_trouble(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    writer_thread = WriterThread(open_journal(folder))
    futures = [writer_thread.submit(Draft(Type.NOTE, {"n": n})) for n in range(500)]
    bad = writer_thread.submit(Draft(Type.NOTE, {"n": object()}))
    after = writer_thread.submit(Draft(Type.NOTE, {"n": 500}))
    with pytest.raises(ValueError, match="object"):
        bad.result(10)
    assert after.result(10).entry.body["n"] == 500
    assert [future.result(10).entry.seq for future in futures] == list(range(2, 502))
    assert writer_thread.trouble == ""
    writer_thread.journal.path.write_bytes(b"")
    with pytest.raises(OSError, match="not as"):
        writer_thread.submit(Draft(Type.NOTE, {})).result(10)
    assert "not being written" in writer_thread.trouble


def test_who_no_longer_waits_for_an_entry_stops_no_other(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    writer_thread = WriterThread(open_journal(folder))
    futures = [writer_thread.submit(Draft(Type.NOTE, {"n": n})) for n in range(300)]
    cancelled = {n for n in range(0, 300, 2) if futures[n].cancel()}
    writer_thread.submit(Draft(Type.NOTE, {"n": 300})).result(LAST_RESORT_S)
    writer_thread.close()
    kept = [line.entry.body["n"] for line in read(writer_thread.journal.path).lines if "n" in line.entry.body]
    assert kept == [n for n in range(301) if n not in cancelled]


def test_a_kept_record_keeps_resumes_and_takes_in_the_others(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    writer_thread = WriterThread(open_journal(folder))
    record = PersistedRecord(writer_thread)
    record.extend([change(1), change(2)])
    other = open_journal(folder, "bo-desk")
    other.add(change(3))
    other.add(sign_off("bo"))
    writer_thread.submit(Draft(Type.NOTE, {})).result(10)
    assert record.take_in() == 1, "what another cockpit saw is its own affair; what its people say is everybody's"
    assert record.take_in() == 0
    assert record.entries == [change(1), change(2), sign_off("bo")]
    writer_thread.close()
    other.close()
    again = WriterThread(open_journal(folder))
    resumed = PersistedRecord(again)
    changes = resumed.all(Change)
    assert sorted(entry.because for entry in changes) == ["reason 1", "reason 2", "reason 3"]
    assert resumed.all(SignOff) == [sign_off("bo")]
    again.close()
    kinds = [line.entry.body.get("kind") for line in read(folder.journal / "alex-laptop.jsonl").lines]
    assert kinds.count("change") == 2, "what is there already is not kept again"


@pytest.mark.parametrize(
    ("person", "host", "name"),
    [
        ("Alex Kim", "laptop.local", "alex-kim-laptop"),
        ("", "", None),
        ("../../etc", "x", "etc-x"),
        ("ж" * 90, "q", "q"),
    ],
)
def test_writers_names_are_safe(person: str, host: str, name: str | None) -> None:
    made = writer_name(person, host)
    assert name is None or made == f"{name}-{machine_id()}"
    assert "/" not in made
    assert made


def test_the_journal_needs_neither_the_cloud_nor_the_terminal() -> None:
    code = (
        "import sys, cockpit.journal.writer_thread, cockpit.journal.verify, cockpit.journal.sharing\n"
        "import cockpit.journal.readings\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LAST_RESORT_S, check=True
    )
    assert not set(done.stdout.split()) & {"boto3", "botocore", "textual", "moto", "httpx", "psycopg"}
