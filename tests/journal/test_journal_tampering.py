"""Whatever is done to a record afterwards is found, and the line is named; what cannot be found is said."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.records.short_record import change, make_folder, make_key, not_proven, open_journal, write_session

from cockpit.journal.dsse import SessionKey
from cockpit.journal.entry import hash_of
from cockpit.journal.findings import BROKEN, NOT_PROVABLE
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.ssh.keys import KeyFile
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Journal

Lines = list[bytes]


@pytest.fixture
def record(tmp_path: Path) -> RecordFolder:
    """Two sessions of one writer, the second after a crash that tore a line."""
    folder = make_folder(tmp_path)
    key = KeyFile(make_key(tmp_path))
    write_session(folder, key=key)
    path = folder.journal / "alex-laptop.jsonl"
    path.write_bytes(path.read_bytes() + b'{"payload":"{\\"v')
    journal = open_journal(folder)
    for n in range(4):
        journal.add(change(n))
    journal.close()
    return folder


def the_file(record: RecordFolder) -> Path:
    return record.journal / "alex-laptop.jsonl"


def broken_lines(record: RecordFolder) -> list[int]:
    result = verify_record(record.path)
    assert (result.exit_code == BROKEN) == bool(result.broken)
    return [problem.line for problem in result.broken]


def test_as_written_nothing_is_broken(record: RecordFolder) -> None:
    result = verify_record(record.path)
    assert result.exit_code == NOT_PROVABLE
    assert any("torn in a crash" in each for each in result.unproven)
    assert not result.broken


def test_a_flipped_byte_is_found_and_its_line_named(record: RecordFolder) -> None:
    path = the_file(record)
    whole = path.read_bytes()
    rng = random.Random(7)
    start = 0
    for number, raw in enumerate(whole.splitlines(keepends=True), start=1):
        ends = [0, 1, len(raw) // 2, len(raw) - 3, len(raw) - 2, len(raw) - 1]
        for at in {*ends, *(rng.randrange(len(raw)) for _ in range(10))}:
            bent = bytearray(whole)
            bent[start + at] ^= 1 << rng.randrange(8)
            path.write_bytes(bent)
            found = broken_lines(record)
            assert found, (number, at)
            assert number in found, (number, at, found)
            # Lines 10 and 11 explain the torn line 9: where they no longer do, it is named too.
            assert found[0] == number or (number in (10, 11) and found[0] == 9), (number, at, found)
        start += len(raw)
    path.write_bytes(whole)
    assert not broken_lines(record)


@pytest.mark.parametrize("at", range(13))
def test_a_removed_line_is_found(record: RecordFolder, at: int) -> None:
    lines = the_file(record).read_bytes().splitlines(keepends=True)
    assert len(lines) == 16
    del lines[at]
    the_file(record).write_bytes(b"".join(lines))
    assert at + 1 in broken_lines(record)


@pytest.mark.parametrize("at", range(15))
def test_swapped_lines_are_found(record: RecordFolder, at: int) -> None:
    lines = the_file(record).read_bytes().splitlines(keepends=True)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    the_file(record).write_bytes(b"".join(lines))
    assert {at + 1, at + 2} & set(broken_lines(record))


@pytest.mark.parametrize("at", range(16))
def test_a_doubled_line_is_found(record: RecordFolder, at: int) -> None:
    lines = the_file(record).read_bytes().splitlines(keepends=True)
    lines.insert(at, lines[at])
    the_file(record).write_bytes(b"".join(lines))
    assert {at + 1, at + 2} & set(broken_lines(record))


@pytest.mark.parametrize("kept", [15, 12, 9, 2, 1])
def test_a_shortened_chain_is_found_only_with_an_anchor(tmp_path: Path, kept: int) -> None:
    folder = make_folder(tmp_path)
    journal = open_journal(folder)
    for n in range(14):
        journal.add(change(n))
    head = journal.close()
    assert not_proven(verify_record(folder.path, [head])) == {"time"}
    lines = the_file(folder).read_bytes().splitlines(keepends=True)
    assert len(lines) == 16
    the_file(folder).write_bytes(b"".join(lines[:kept]))
    without = verify_record(folder.path)
    assert without.exit_code == NOT_PROVABLE
    assert any("no anchor" in each for each in without.unproven)
    anchored = verify_record(folder.path, [head])
    assert anchored.exit_code == BROKEN
    assert "cut off" in str(anchored.broken[0])


def test_lines_after_an_anchor_are_not_proven(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    journal = open_journal(folder)
    journal.add(change(1))
    anchor = journal.anchor("slack")
    journal.add(change(2))
    journal.close()
    result = verify_record(folder.path, [anchor])
    assert result.exit_code == NOT_PROVABLE
    assert "its last 2 lines came after the anchor" in result.unproven[0]


def test_an_anchor_of_one_chain_covers_what_it_had_seen_of_another(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    write_session(folder, "bo-desk")
    head = write_session(folder, "alex-laptop")
    assert not any("cut off" in each for each in verify_record(folder.path, [head]).unproven)
    other = folder.journal / "bo-desk.jsonl"
    other.write_bytes(b"".join(other.read_bytes().splitlines(keepends=True)[:-1]))
    result = verify_record(folder.path, [head])
    assert result.exit_code == BROKEN
    assert "bo-desk" in str(result.broken[0])


def swap_files(record: RecordFolder) -> None:
    one, two = record.journal / "alex-laptop.jsonl", record.journal / "bo-desk.jsonl"
    one_text, two_text = one.read_bytes(), two.read_bytes()
    one.write_bytes(two_text)
    two.write_bytes(one_text)


def change_plan(record: RecordFolder) -> None:
    record.plan.write_bytes(b"cutover: another\n")


def drop_chain(record: RecordFolder) -> None:
    (record.journal / "bo-desk.jsonl").unlink()


def foreign_chain(record: RecordFolder) -> None:
    Journal.open(record.journal, "eve-desk", "another-record").close()


@pytest.mark.parametrize("done", [swap_files, change_plan, drop_chain, foreign_chain])
def test_files_exchanged_changed_removed_or_brought_in(tmp_path: Path, done: Callable[[RecordFolder], None]) -> None:
    folder = make_folder(tmp_path)
    write_session(folder, "bo-desk")
    write_session(folder, "alex-laptop")
    assert not verify_record(folder.path).broken
    done(folder)
    assert verify_record(folder.path).exit_code == BROKEN


def test_a_session_cannot_be_gone_on_with_by_another_key(tmp_path: Path) -> None:
    """A line signed with a fresh key, chained rightly, inside a session: the key is not the session's."""
    folder = make_folder(tmp_path)
    journal = open_journal(folder)
    journal.add(change(1))
    journal._key = type(journal._key)()
    journal.add(change(2))
    journal.close()
    result = verify_record(folder.path)
    assert [problem.line for problem in result.broken] == [3, 4]


Entries = list[dict[str, Any]]


def _jump(entries: Entries) -> None:
    for each in entries[2:]:
        each["seq"] += 1


def _go_on_after_the_close(entries: Entries) -> None:
    entries.append({**entries[1], "seq": entries[-1]["seq"] + 1, "mono_ns": entries[-1]["mono_ns"] + 1})


def _turn_the_clock_back(entries: Entries) -> None:
    entries[2]["mono_ns"] = entries[1]["mono_ns"] - 1


@pytest.mark.parametrize(
    ("done", "line", "what"),
    [
        (_jump, 3, "is entry 4, but entry 3 is due: lines were removed"),
        (_go_on_after_the_close, 5, "stands outside any session"),
        (_turn_the_clock_back, 3, "was written before the line before it"),
    ],
)
def test_a_chain_whose_every_line_is_signed_and_follows_is_no_session_s_all_the_same(
    done: Callable[[Entries], None], line: int, what: str, tmp_path: Path
) -> None:
    """Somebody who has the key of the session, as the cockpit's own process does, and writes no journal as a cockpit does."""
    folder = make_folder(tmp_path)
    journal = open_journal(folder)
    for n in range(2):
        journal.add(change(n))
    journal.close()
    entries = [json.loads(json.loads(raw)["payload"]) for raw in journal.path.read_bytes().splitlines()]
    done(entries)
    key, chain = SessionKey(), b""
    entries[0]["body"]["session"]["public"] = base64.b64encode(key.public).decode()
    for number, each in enumerate(entries):
        each["prev"] = hash_of(chain.splitlines(keepends=True)[-1]) if number else ""
        text = json.dumps(each, separators=(",", ":"))
        chain += json.dumps({"payload": text, "sigs": [key.sign(text)]}, separators=(",", ":")).encode() + b"\n"
    journal.path.write_bytes(chain)
    (problem,) = verify_record(folder.path).broken
    assert (problem.line, problem.what[: len(what)]) == (line, what)


def test_an_empty_record_proves_nothing(tmp_path: Path) -> None:
    assert verify_record(make_folder(tmp_path).path).exit_code == NOT_PROVABLE


def test_hostile_files_break_nothing_but_themselves(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    path = folder.journal / "eve.jsonl"
    deep = b'{"payload":' + b"[" * 100_000 + b"\n"
    wide = b'{"payload":"' + b"x" * (2 << 20) + b'","sigs":[]}\n'
    for text in (
        b"\x00" * 5000,
        b"\xff\xfe\n",
        deep,
        wide,
        b"{}\n",
        b"\n",
        b'{"payload":"1","sigs":[]}\n',
        b"9" * 5000 + b"\n",
    ):
        path.write_bytes(text)
        assert verify_record(folder.path).exit_code == BROKEN
