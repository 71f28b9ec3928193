"""When a record was written is proven by an authority's timestamps of its lines, and by nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.clock import Machine
from support.records.short_record import ALEX, DIGEST, change, make_folder, open_journal
from support.timestamp_authority import TimestampAuthority

from cockpit.journal.findings import Findings, Result
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.timestamps import FOLDER, BadTimestamp, Timestamp, answered, read_roots, request
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Draft, Journal
from probes.clients.clock_offset import MachineTime


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority(tmp_path_factory.mktemp("authority") / "tsa")


@pytest.fixture
def folder(tmp_path: Path) -> RecordFolder:
    return make_folder(tmp_path)


def stamped(authority: TimestampAuthority, line: bytes) -> Timestamp:
    asked = request(line)
    return answered(asked, line, authority.reply(asked.as_bytes()), "tsa.test")


def session(folder: RecordFolder, authority: TimestampAuthority) -> Timestamp:
    """Three entries, a timestamp of the third, and the close."""
    journal = open_journal(folder)
    journal.add(change(1))
    stamp = stamped(authority, journal.add(change(2)).raw)
    journal.append(stamp.draft())
    journal.close()
    return stamp


def stamp_the_end(folder: RecordFolder, authority: TimestampAuthority) -> Path:
    """A timestamp of the last line, beside the journal."""
    (chain,) = folder.chains()
    path = folder.path / FOLDER / "end.tsr"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(stamped(authority, chain.lines[-1].raw).token)
    return path


def checked(folder: RecordFolder, authority: TimestampAuthority) -> Result:
    return verify_record(folder.path, roots=read_roots(authority.ca))


def time_of(folder: RecordFolder, authority: TimestampAuthority) -> Findings:
    return checked(folder, authority).row("time")


def test_without_timestamps_no_time_is_proven(folder: RecordFolder, authority: TimestampAuthority) -> None:
    open_journal(folder).close()
    row = time_of(folder, authority)
    assert row.standing.word == "NOT PROVABLE"
    assert "cockpit run --tsa" in row.why[0]


def test_a_chain_stamped_at_its_end_is_proven(folder: RecordFolder, authority: TimestampAuthority) -> None:
    session(folder, authority)
    row = time_of(folder, authority)
    assert row.standing.word == "NOT PROVABLE"
    assert "the last 2 lines" in row.why[0]
    stamp_the_end(folder, authority)
    assert time_of(folder, authority) == Findings()


def test_without_the_authority_s_root_it_is_not_provable(folder: RecordFolder, authority: TimestampAuthority) -> None:
    session(folder, authority)
    row = verify_record(folder.path).row("time")
    assert row.standing.word == "NOT PROVABLE"
    assert "--tsa-ca" in row.why[0]


def test_stock_openssl_agrees(folder: RecordFolder, authority: TimestampAuthority, tmp_path: Path) -> None:
    stamp = session(folder, authority)
    (tmp_path / "token").write_bytes(stamp.token)
    command = [
        "openssl",
        "ts",
        "-verify",
        "-digest",
        stamp.head,
        "-in",
        str(tmp_path / "token"),
        "-CAfile",
        str(authority.ca),
    ]
    subprocess.run(command, check=True, capture_output=True)


def test_another_authority_s_timestamp_is_broken(
    folder: RecordFolder, authority: TimestampAuthority, tmp_path: Path
) -> None:
    session(folder, TimestampAuthority(tmp_path / "mallory"))
    row = time_of(folder, authority)
    assert row.standing.word == "BROKEN"
    assert ":4: its timestamp is not signed by the authority given" in row.why[0]


def test_a_timestamp_of_another_line_is_broken(folder: RecordFolder, authority: TimestampAuthority) -> None:
    journal = open_journal(folder)
    other = stamped(authority, b"another line\n")
    journal.append(Timestamp(journal.head, other.token, "tsa.test").draft())
    journal.append(other.draft())
    journal.close()
    row = time_of(folder, authority)
    assert [problem.line for problem in row.broken] == [2, 3]


def test_so_it_is_where_nobody_knows_the_authority(folder: RecordFolder, authority: TimestampAuthority) -> None:
    other = replace(stamped(authority, b"of another line"), head=session(folder, authority).head)
    with pytest.raises(BadTimestamp, match="of another line"):
        other.time()


def test_an_answer_about_another_line_is_not_kept(authority: TimestampAuthority) -> None:
    asked = request(b"another line\n")
    with pytest.raises(BadTimestamp, match="of another line"):
        answered(asked, b"the line\n", authority.reply(asked.as_bytes()), "tsa.test")


def test_no_flipped_byte_of_a_token_is_proven_to_another_time(authority: TimestampAuthority) -> None:
    line = b"a line\n"
    stamp, roots = stamped(authority, line), read_roots(authority.ca)
    at = stamp.time(roots)
    refused = 0
    for place in range(0, len(stamp.token), 7):
        bent = bytearray(stamp.token)
        bent[place] ^= 0x11
        try:
            assert Timestamp(stamp.head, bytes(bent)).time(roots) == at, place
        except BadTimestamp:
            refused += 1
    assert refused > len(stamp.token) / 7 / 2


@pytest.mark.parametrize("answer", [b"", b"no", b"0" * 70_000, b"\x30\x05\x30\x03\x02\x01\x02"])
def test_an_answer_that_is_no_timestamp_is_refused(answer: bytes) -> None:
    with pytest.raises(BadTimestamp):
        answered(request(b"a line\n"), b"a line\n", answer, "tsa.test")


def test_the_answer_to_another_request_is_refused(authority: TimestampAuthority) -> None:
    replayed = authority.reply(request(b"a line\n").as_bytes())
    with pytest.raises(BadTimestamp, match="nonce"):
        answered(request(b"a line\n"), b"a line\n", replayed, "tsa.test")


def journal_at(folder: RecordFolder, clock: Callable[[], datetime], machine: MachineTime | None = None) -> Journal:
    body = {"plan_digest": DIGEST}
    return Journal.open(folder.journal, "alex-laptop", folder.id, actor=ALEX, body=body, clock=clock, machine=machine)


@pytest.mark.parametrize(("off", "how"), [(-6, "is only known to have been there at"), (1, "was there already at")])
def test_a_session_dated_by_a_wrong_clock_is_not_proven(
    folder: RecordFolder, authority: TimestampAuthority, off: int, how: str
) -> None:
    journal = journal_at(folder, lambda: datetime.now(UTC) + timedelta(hours=off))
    journal.add(change(1))
    journal.close()
    stamp_the_end(folder, authority)
    row = time_of(folder, authority)
    assert row.standing.word == "NOT PROVABLE"
    assert how in row.why[0]


def test_a_stamped_end_that_was_cut_off_is_broken(folder: RecordFolder, authority: TimestampAuthority) -> None:
    session(folder, authority)
    token = stamp_the_end(folder, authority)
    path = folder.journal / "alex-laptop.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    row = time_of(folder, authority)
    assert row.standing.word == "BROKEN"
    assert row.broken[0].path == token


def test_a_clock_that_goes_back_is_an_entry_and_a_remark(folder: RecordFolder) -> None:
    machine = Machine()
    journal = journal_at(folder, machine.clock.now, machine.clock.machine)
    journal.add(change(1))
    machine.set_clock(-90)
    (line,) = journal.extend([Draft.of(change(2))])
    assert line.entry.body["kind"] == "change", "the caller gets its own lines"
    journal.close()
    kinds = [line.entry.body.get("kind") for _, line in folder.lines()]
    assert kinds == [None, "change", "clock_went_back", "change", None]
    result = verify_record(folder.path)
    assert not result.broken
    assert [remark for remark in result.remarks if "gone back by 90 s" in remark]
