"""What a transparency log proves about a line, offline; and nothing that was forged, or is of another line, key or log."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from support.records.short_record import change, make_folder, open_journal
from support.transparency_log import TransparencyLog, audit_path, tree_root

from cockpit.journal.entry import Type, hash_of
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.transparency_log import KEY, BadLogEntry, EntryKey, LogEntry, LogKey, leaf_hash, root_of
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Draft

LINE = b"a line\n"
HEAD = hash_of(LINE)


def logged(log: TransparencyLog, key: EntryKey, head: str = HEAD) -> LogEntry:
    _, answer = log.add(key.proposed(head))
    return LogEntry.answered(head, json.dumps(answer).encode(), "log.test")


def test_a_logged_line_is_proven_with_the_log_s_key() -> None:
    log, key = TransparencyLog(), EntryKey()
    entry = logged(log, key)
    assert entry.time(LogKey.read(log.pem), key.public).timestamp() == entry.entry["integratedTime"]
    assert LogEntry.of(entry.draft().body) == entry


@pytest.mark.parametrize("size", range(1, 20))
def test_every_place_of_every_tree_leads_to_its_root_and_to_no_other(size: int) -> None:
    leaves = [bytes([n]) for n in range(size)]
    root = tree_root(leaves)
    for at in range(size):
        path = audit_path(at, leaves)
        assert root_of(leaf_hash(leaves[at]), at, size, path) == root
        assert root_of(leaf_hash(b"other"), at, size, path) != root
        assert root_of(leaf_hash(leaves[at]), at, size, [*path, root]) is None
        if path:
            assert root_of(leaf_hash(leaves[at]), at, size, path[:-1]) is None
    assert root_of(leaf_hash(leaves[0]), size, size, []) is None


def bent(change: Callable[[dict[str, Any]], object]) -> Callable[[LogEntry], LogEntry]:
    def apply(entry: LogEntry) -> LogEntry:
        copy = deepcopy(dict(entry.entry))
        change(copy)
        return LogEntry(entry.head, copy, entry.where)

    return apply


def proof(entry: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = entry["verification"]["inclusionProof"]
    return found


FORGED: dict[str, tuple[Callable[[LogEntry], LogEntry], str]] = {
    "its time": (bent(lambda e: e.update(integratedTime=e["integratedTime"] - 3600)), "time is not signed"),
    "its index": (bent(lambda e: e.update(logIndex=1)), "time is not signed"),
    "its log": (bent(lambda e: e.update(logID="0" * 64)), "another log"),
    "its promise": (bent(lambda e: e["verification"].update(signedEntryTimestamp="AAAA")), "time is not signed"),
    "no promise": (bent(lambda e: e["verification"].pop("signedEntryTimestamp")), "cannot be read"),
    "no proof": (bent(lambda e: e["verification"].pop("inclusionProof")), "cannot be read"),
    "its place": (bent(lambda e: proof(e).update(logIndex=0)), "does not lead to the root"),
    "its size": (bent(lambda e: proof(e).update(treeSize=7)), "inclusion proof"),
    "its path": (bent(lambda e: proof(e)["hashes"].reverse()), "does not lead to the root"),
    "its root": (bent(lambda e: proof(e).update(rootHash="0" * 64)), "does not lead to the root"),
    "its checkpoint": (
        bent(lambda e: proof(e).update(checkpoint=proof(e)["checkpoint"].replace("log.test - 1", "log.test - 2"))),
        "root of its inclusion proof is not signed",
    ),
    "a body that is none": (bent(lambda e: e.update(body="AAAA")), "cannot be read"),
    "a time that is none": (bent(lambda e: e.update(integratedTime="now")), "cannot be read"),
    "a time beyond all": (bent(lambda e: e.update(integratedTime=10**18)), "cannot be read"),
}


@pytest.mark.parametrize("what", FORGED)
def test_what_was_forged_proves_nothing(what: str) -> None:
    log, key = TransparencyLog(), EntryKey()
    forge, why = FORGED[what]
    with pytest.raises(BadLogEntry, match=why):
        forge(logged(log, key)).time(LogKey.read(log.pem), key.public)


def test_nor_does_what_is_of_another_line_key_or_log() -> None:
    log, other, key = TransparencyLog(), TransparencyLog(), EntryKey()
    entry = logged(log, key)
    with pytest.raises(BadLogEntry, match="another line"):
        LogEntry("0" * 64, entry.entry).time(LogKey.read(log.pem), key.public)
    with pytest.raises(BadLogEntry, match="another key"):
        entry.time(LogKey.read(log.pem), EntryKey().public)
    with pytest.raises(BadLogEntry, match="another log"):
        entry.time(LogKey.read(other.pem), key.public)


def test_nor_does_what_a_log_took_in_without_looking() -> None:
    log, key = TransparencyLog(), EntryKey()
    asked, other = key.proposed(HEAD), key.proposed(hash_of(b"another line\n"))
    asked["spec"]["signature"]["content"] = other["spec"]["signature"]["content"]
    log.leaves.append(json.dumps(asked).encode())
    entry = LogEntry.answered(HEAD, json.dumps({"taken in": log.entry(len(log.leaves) - 1)}).encode(), "log.test")
    with pytest.raises(BadLogEntry, match="not of the line"):
        entry.time(LogKey.read(log.pem), key.public)


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"a": 1}', b'{"a": {"body": 1}}', b"[" * 100_000])
def test_an_answer_that_is_none_is_refused(answer: bytes) -> None:
    with pytest.raises(BadLogEntry):
        LogEntry.answered(HEAD, answer, "log.test")


@pytest.fixture
def folder(tmp_path: Path) -> RecordFolder:
    return make_folder(tmp_path)


def session(folder: RecordFolder, log: TransparencyLog, forge: Callable[[LogEntry], LogEntry] = lambda e: e) -> None:
    """An entry, a line that names the key, its log entry, and the close."""
    journal, key = open_journal(folder), EntryKey()
    journal.add(change(1))
    line = journal.append(Draft(Type.ANCHOR, {"where": "log.test", KEY: key.public}))
    journal.append(forge(logged(log, key, line.hash)).draft())
    journal.close()


def test_a_record_s_log_entries_prove_the_time_of_the_lines_before_them(folder: RecordFolder) -> None:
    log = TransparencyLog()
    session(folder, log)
    row = verify_record(folder.path, log_keys=[LogKey.read(log.pem)]).row("time")
    assert not row.broken
    assert [why for why in row.why if "the last 2 lines" in why] == row.why, "but not of those after"


def test_without_the_log_s_key_they_are_not_provable(folder: RecordFolder) -> None:
    session(folder, TransparencyLog())
    row = verify_record(folder.path).row("time")
    assert row.standing.word == "NOT PROVABLE"
    assert "--plan" in row.why[0]


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_one_is_broken_with_its_line(folder: RecordFolder, what: str) -> None:
    log = TransparencyLog()
    session(folder, log, FORGED[what][0])
    row = verify_record(folder.path, log_keys=[LogKey.read(log.pem)]).row("time")
    assert [problem.line for problem in row.broken] == [4]


def test_one_of_another_log_is_broken(folder: RecordFolder) -> None:
    session(folder, TransparencyLog())
    row = verify_record(folder.path, log_keys=[LogKey.read(TransparencyLog().pem)]).row("time")
    assert row.standing.word == "BROKEN"
    assert "another log than the plan names" in row.why[0]
