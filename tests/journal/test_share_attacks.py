"""What somebody who can write to a shared record puts there: it shadows nobody's lines, is not taken in, and is shown."""

from __future__ import annotations

import base64
import json
import os
import tracemalloc
from pathlib import Path

import pytest
from support.records.short_record import DIGEST, change, make_folder, open_journal

from cockpit.engine.share_at_start import shared_record
from cockpit.journal.chain import Follower, read
from cockpit.journal.dsse import SessionKey
from cockpit.journal.machine import machine_id
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.shared_store import MAX_FETCHED, DirectoryStore, Part
from cockpit.journal.sharing import Sync
from cockpit.journal.vetting import Refused, Vetted, whole_lines
from cockpit.journal.writer import Journal, writer_name


@pytest.fixture
def victim() -> str:
    """The name the victim's machine writes under."""
    return writer_name("ada", "laptop")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, victim: str) -> None:
    """From here on this is another machine."""
    before = machine_id()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    assert machine_id() != before


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "share")


@pytest.fixture
def here(tmp_path: Path) -> RecordFolder:
    return make_folder(tmp_path / "here")


@pytest.fixture
def theirs(tmp_path: Path) -> RecordFolder:
    return make_folder(tmp_path / "theirs")


def forged(folder: RecordFolder, writer: str, n: int = 0) -> bytes:
    """A chain under any name, as the machine this is would write it."""
    journal = open_journal(RecordFolder(folder.path / "forged"), writer)
    for each in range(n):
        journal.add(change(each))
    journal.close()
    data = journal.path.read_bytes()
    journal.path.unlink()
    return data


@pytest.fixture
def shared(here: RecordFolder, store: DirectoryStore, victim: str) -> Journal:
    """The victim's chain, shared so far."""
    journal = open_journal(here, victim)
    assert Sync(here.journal, store, [victim]).once()
    return journal


def test_an_object_in_the_next_place_of_a_chain_holds_up_none_of_its_lines(
    shared: Journal, here: RecordFolder, theirs: RecordFolder, store: DirectoryStore, victim: str, elsewhere: None
) -> None:
    peer, owner = Sync(theirs.journal, store, []), Sync(here.journal, store, [victim])
    assert peer.once()
    data = forged(theirs, victim, 2)
    for start in (shared.size, shared.size + 1, 0):
        assert store.put(Part.of(victim, start, data), data)
    shared.add(change(1))
    assert owner.once()
    assert peer.once()
    assert (theirs.journal / f"{victim}.jsonl").read_bytes() == shared.path.read_bytes()
    assert "this cockpit did not write it" in owner.strange
    assert peer.strange
    assert "follow" in peer.strange or "another text" in peer.strange or "machine whose key" in peer.strange


def test_a_chain_under_the_name_of_another_machine_is_not_taken_in(
    here: RecordFolder, theirs: RecordFolder, store: DirectoryStore, victim: str, elsewhere: None
) -> None:
    """Even where it is there first."""
    data = forged(theirs, victim, 3)
    store.put(Part.of(victim, 0, data), data)
    sync = Sync(here.journal, store, [])
    assert sync.once()
    assert "not written by the machine whose key its name carries" in sync.strange
    assert not (here.journal / f"{victim}.jsonl").exists()


def test_what_a_machine_vouched_for_with_one_session_vouches_for_no_other(shared: Journal, victim: str) -> None:
    """Whoever can read the share can copy it into a session of their own."""
    first = whole_lines(shared.path.read_bytes())[0]
    assert Vetted(victim).then([first]).head
    payload, key = json.loads(json.loads(first)["payload"]), SessionKey()
    payload["body"]["session"]["public"] = base64.b64encode(key.public).decode()
    text = json.dumps(payload)
    theirs = json.dumps({"payload": text, "sigs": [key.sign(text)]}, separators=(",", ":")).encode() + b"\n"
    with pytest.raises(Refused, match="not written by the machine whose key"):
        Vetted(victim).then([theirs])


def test_a_chain_is_its_writer_s_under_no_other_name_of_the_machine(shared: Journal, victim: str) -> None:
    """Else all that was stated in it would stand there twice."""
    lines = whole_lines(shared.path.read_bytes())
    assert Vetted(victim).then(lines).head
    with pytest.raises(Refused, match="not written by the machine whose key"):
        Vetted(f"{victim}-2").then(lines)


def test_a_chain_without_a_key_in_its_name_is_not_taken_in(
    here: RecordFolder, theirs: RecordFolder, store: DirectoryStore, elsewhere: None
) -> None:
    data = forged(theirs, "ada-laptop")
    store.put(Part.of("ada-laptop", 0, data), data)
    sync = Sync(here.journal, store, [])
    assert sync.once()
    assert "carries no key" in sync.strange


def test_lines_nobody_signed_at_the_end_of_a_chain_are_not_taken_in(
    shared: Journal, theirs: RecordFolder, store: DirectoryStore, victim: str
) -> None:
    peer = Sync(theirs.journal, store, [])
    assert peer.once()
    store.put(Part.of(victim, shared.size, b"{}\n"), b"{}\n")
    assert peer.once()
    assert "is not signed by a session of this writer" in peer.strange
    assert (theirs.journal / f"{victim}.jsonl").read_bytes() == shared.path.read_bytes()


def test_what_was_taken_out_of_the_store_is_put_there_again(
    shared: Journal, here: RecordFolder, theirs: RecordFolder, store: DirectoryStore, victim: str, tmp_path: Path
) -> None:
    owner = Sync(here.journal, store, [victim])
    shared.add(change(1))
    assert owner.once()
    for part in store.parts():
        (tmp_path / "share" / part.name).unlink()
    assert owner.once()
    assert Sync(theirs.journal, store, []).once()
    assert (theirs.journal / f"{victim}.jsonl").read_bytes() == shared.path.read_bytes()


def test_a_large_object_is_refused_by_its_length_and_never_read(
    here: RecordFolder, store: DirectoryStore, tmp_path: Path, victim: str
) -> None:
    part = Part(victim, 0, 3 << 29, "0" * 32)
    path = tmp_path / "share" / part.name
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(part.length)
    tracemalloc.start()
    sync = Sync(here.journal, store, [])
    assert sync.once()
    assert shared_record(store, "of this machine", kept=False) == ""
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < MAX_FETCHED
    assert f"it takes {part.length} bytes" in sync.strange


def test_a_pipe_in_the_share_holds_nobody_up(
    shared: Journal, theirs: RecordFolder, store: DirectoryStore, tmp_path: Path, victim: str
) -> None:
    os.mkfifo(tmp_path / "share" / Part(victim, shared.size, 0, "0" * 32).name)
    assert Sync(theirs.journal, store, []).once()
    assert (theirs.journal / f"{victim}.jsonl").read_bytes() == shared.path.read_bytes()


def test_an_object_that_cannot_be_read_holds_up_nobody_else(
    shared: Journal, theirs: RecordFolder, store: DirectoryStore, tmp_path: Path, victim: str
) -> None:
    """It was taken away between the listing and the reading."""
    other = writer_name("aaa", "laptop")

    class Taken(DirectoryStore):
        def get(self, part: Part) -> bytes:
            (tmp_path / "share" / part.name).unlink() if part.writer == other else None
            return super().get(part)

    data = b"{}\n"
    store.put(Part.of(other, 0, data), data)
    sync = Sync(theirs.journal, Taken(tmp_path / "share"), [])
    assert not sync.once()
    assert (theirs.journal / f"{victim}.jsonl").read_bytes() == shared.path.read_bytes()


def test_a_chain_of_another_record_is_not_taken_in(
    shared: Journal, tmp_path: Path, theirs: RecordFolder, store: DirectoryStore, victim: str
) -> None:
    sync = Sync(theirs.journal, store, [], record="another")
    assert sync.once()
    assert "not to another" in sync.strange
    assert not list(theirs.journal.iterdir())


def test_a_share_with_two_records_asks_which(
    shared: Journal, tmp_path: Path, theirs: RecordFolder, store: DirectoryStore, elsewhere: None
) -> None:
    mallory = writer_name("aaa", "laptop")
    journal = Journal.open(theirs.journal, mallory, "another", body={"plan_digest": DIGEST})
    Sync(theirs.journal, store, [mallory]).once()
    with pytest.raises(OSError, match="holds 2 records: choose one with --record"):
        shared_record(store, "of this machine", kept=False)
    assert shared_record(store, shared.record, kept=False) == shared.record
    assert shared_record(store, "of this machine", kept=True) == ""
    journal.close()


@pytest.mark.parametrize("record", ["../../etc", "/etc", "..", "a b", ""])
def test_a_record_named_like_a_path_is_none(
    record: str, theirs: RecordFolder, here: RecordFolder, store: DirectoryStore
) -> None:
    mallory = writer_name("aaa", "laptop")
    journal = Journal.open(theirs.journal, mallory, record, body={"plan_digest": DIGEST})
    Sync(theirs.journal, store, [mallory]).once()
    assert shared_record(store, "of this machine", kept=False) == ""
    sync = Sync(here.journal, store, [])
    assert sync.once()
    assert "is not the name of a record" in sync.strange
    journal.close()


def test_what_a_crash_left_torn_is_shared_with_the_line_that_names_it(
    shared: Journal, here: RecordFolder, theirs: RecordFolder, store: DirectoryStore, victim: str
) -> None:
    shared.close()
    with shared.path.open("ab") as file:
        file.write(b'{"payload":"')
    again = open_journal(here, victim)
    assert Sync(here.journal, store, [victim]).once()
    peer = Sync(theirs.journal, store, [])
    assert peer.once()
    assert peer.strange == ""
    chain = read(theirs.journal / f"{victim}.jsonl")
    assert len(chain.set_aside) == 1
    assert chain.unexplained() == []
    again.close()


@pytest.mark.parametrize("how", ["shortened", "torn", "changed", "added to"])
def test_a_copy_that_was_altered_here_is_put_away_and_fetched_again(
    how: str, shared: Journal, store: DirectoryStore, theirs: RecordFolder
) -> None:
    there = Sync(theirs.journal, store, [])
    assert there.once()
    copy = theirs.journal / shared.path.name
    shared.add(change(1))
    assert Sync(shared.folder, store, [shared.writer]).once()
    assert there.once()
    follower = Follower(theirs.journal)
    assert [len(chain.lines) for chain in follower.new()] == [2]
    text = copy.read_bytes()
    match how:
        case "shortened":
            copy.write_bytes(text[: text.index(b"\n") + 1])
        case "torn":
            copy.write_bytes(text[:-40])
        case "changed":
            copy.write_bytes(text.replace(b"reason 1", b"reason 7"))
        case "added to":
            copy.write_bytes(text + text.splitlines(keepends=True)[-1])
    shared.add(change(2))
    assert Sync(shared.folder, store, [shared.writer]).once()
    assert there.once()
    assert copy.read_bytes() == shared.path.read_bytes()
    assert [[line.entry.body["because"] for line in chain.lines] for chain in follower.new()][-1] == ["reason 2"]
    altered = list(theirs.journal.glob("*.altered-1"))
    assert bool(altered) == (how in ("changed", "added to"))
    assert ("was altered on this machine, and fetched again" in there.strange) == bool(altered)
