"""Who said what: signed, claimed, or pretended."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from support.records.short_record import (
    ALEX,
    START,
    make_folder,
    make_key,
    not_proven,
    open_journal,
    public_line,
    sign_off,
    write_session,
)
from support.waiting import LAST_RESORT_S

from cockpit.decide.events import Acknowledgement
from cockpit.journal.entry import Actor, Line, Type
from cockpit.journal.findings import BROKEN, NOT_PROVABLE, Standing
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.signed_text import SignedText, personal_signature
from cockpit.journal.ssh.allowed_signers import AllowedSigners
from cockpit.journal.ssh.keys import KeyFile
from cockpit.journal.ssh.sshsig import SshError
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Draft, Journal


def signers(tmp_path: Path, **people: Path) -> AllowedSigners:
    path = tmp_path / "allowed_signers"
    path.write_text("".join(f"{who} {public_line(key)}\n" for who, key in people.items()))
    return AllowedSigners.read(path)


def test_signed_by_known_keys_and_anchored_it_is_intact(tmp_path: Path) -> None:
    folder, key = make_folder(tmp_path), make_key(tmp_path)
    head = write_session(folder, key=KeyFile(key))
    result = verify_record(folder.path, [head], signers(tmp_path, alex=key))
    assert (result.broken, not_proven(result)) == ([], {"time"})
    without = verify_record(folder.path, [head])
    assert without.exit_code == NOT_PROVABLE
    assert "--allowed-signers" in without.unproven[0]


def test_a_key_that_is_valid_for_a_time_proves_nothing_by_the_time_the_writer_says(tmp_path: Path) -> None:
    """Somebody with a key that was withdrawn can date a session back to when it was valid."""
    folder, key = make_folder(tmp_path), make_key(tmp_path)
    head = write_session(folder, key=KeyFile(key))
    path = tmp_path / "allowed_signers"
    path.write_text(f'alex valid-before="20990101" {public_line(key)}\n')
    result = verify_record(folder.path, [head], AllowedSigners.read(path))
    assert result.row("signers").standing is Standing.NOT_PROVABLE
    assert "the time is what the writer says" in result.row("signers").unproven[0]


def test_without_a_key_a_name_is_only_claimed(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    head = write_session(folder)
    result = verify_record(folder.path, [head])
    assert result.exit_code == NOT_PROVABLE
    assert result.row("signers").unproven == ["that alex made 3 entries under this name: not cryptographically signed"]


@pytest.mark.parametrize("other", ["stranger", "colleague"])
def test_another_key_than_the_persons(tmp_path: Path, other: str) -> None:
    folder, own, used = make_folder(tmp_path), make_key(tmp_path), make_key(tmp_path)
    head = write_session(folder, key=KeyFile(used))
    known = signers(tmp_path, alex=own) if other == "stranger" else signers(tmp_path, alex=own, bo=used)
    result = verify_record(folder.path, [head], known)
    assert result.exit_code == (NOT_PROVABLE if other == "stranger" else BROKEN)
    if other == "colleague":
        assert [problem.line for problem in result.broken] == [4, 5, 6]
        assert "is not a key of alex" in result.broken[0].what


def test_stock_openssh_verifies_what_stands_in_a_line(tmp_path: Path) -> None:
    folder, key = make_folder(tmp_path), make_key(tmp_path)
    write_session(folder, key=KeyFile(key))
    sig = json.loads((folder.journal / "alex-laptop.jsonl").read_text().splitlines()[3])["sigs"][1]
    (tmp_path / "one.sig").write_text(sig["sshsig"])
    (tmp_path / "who").write_text(f"alex {public_line(key)}\n")
    command = ["ssh-keygen", "-Y", "verify", "-f", "who", "-I", "alex", "-n", "cutover-signoff@v1", "-s", "one.sig"]
    done = subprocess.run(
        command, input=sig["statement"].encode(), cwd=tmp_path, capture_output=True, timeout=LAST_RESORT_S, check=True
    )
    assert b'Good "cutover-signoff@v1" signature for alex' in done.stdout
    assert json.loads(sig["statement"])["record"] == folder.id


def test_a_writer_refuses_a_signature_that_does_not_fit(tmp_path: Path) -> None:
    folder, key = make_folder(tmp_path), KeyFile(make_key(tmp_path))
    journal = open_journal(folder)
    draft = Draft.of(sign_off(), ALEX)
    good = journal.signed_text(draft).signed(key)
    for wrong in (
        replace(draft, body={**draft.body, "answer": "3 tasks"}),
        replace(draft, actor=Actor("bo")),
        replace(draft, type=Type.VOTE),
        replace(draft, type=Type.NOTE),
        Draft.of(sign_off(by="bo"), ALEX),
    ):
        with pytest.raises(ValueError, match="sign"):
            journal.append(replace(wrong, signature=good))
    with pytest.raises(ValueError, match="not a person's"):
        journal.append(replace(draft, signature={**good, "more": ""}))
    assert journal.append(replace(draft, signature=good)).entry.seq == 2
    journal.close()


def test_nobody_signs_what_another_is_recorded_to_have_stated(tmp_path: Path) -> None:
    """The text that was signed names both."""
    folder, key = make_folder(tmp_path), KeyFile(make_key(tmp_path))
    journal = open_journal(folder)
    draft = Draft.of(sign_off(by="bo"), ALEX)
    with pytest.raises(SshError, match="alex signed what bo is recorded to have stated"):
        journal.signed_text(draft).check(journal.signed_text(draft).signed(key))
    journal.close()


def test_a_line_has_one_person_s_signature(tmp_path: Path) -> None:
    folder, key = make_folder(tmp_path), KeyFile(make_key(tmp_path))
    journal = open_journal(folder)
    draft = Draft.of(sign_off(), ALEX)
    line = journal.append(replace(draft, signature=journal.signed_text(draft).signed(key)))
    journal.close()
    assert personal_signature(line, folder.id)
    with pytest.raises(SshError, match="more than one"):
        personal_signature(replace(line, sigs=(*line.sigs, line.sigs[1])), folder.id)


def test_a_statement_of_another_record_or_copied_is_found(tmp_path: Path) -> None:
    """Somebody who holds the session's key, but not the person's."""
    key = KeyFile(make_key(tmp_path))
    folder = make_folder(tmp_path / "one")
    journal = open_journal(folder)
    draft = Draft.of(sign_off(), ALEX)
    signed = replace(draft, signature=journal.signed_text(draft).signed(key))
    journal.append(signed)
    journal.append(signed)
    foreign = SignedText("another", draft.type, "alex", draft.body).signed(key)
    _force(journal, draft, foreign)
    journal.close()
    result = verify_record(folder.path)
    assert [problem.line for problem in result.broken] == [3, 4]
    assert "twice" in result.broken[0].what
    assert "not what the entry says" in result.broken[1].what


def test_signatures_taken_off_or_put_on_are_found(tmp_path: Path) -> None:
    folder, key = make_folder(tmp_path), make_key(tmp_path)
    write_session(folder, key=KeyFile(key))
    path = folder.journal / "alex-laptop.jsonl"
    whole = path.read_bytes().splitlines(keepends=True)
    for at, change in (
        (3, lambda sigs: sigs[:1]),
        (3, lambda sigs: sigs[::-1]),
        (3, lambda sigs: [*sigs, sigs[1]]),
        (7, lambda sigs: sigs * 2),
    ):
        line = json.loads(whole[at])
        raw = (
            json.dumps({"payload": line["payload"], "sigs": change(line["sigs"])}, separators=(",", ":")).encode()
            + b"\n"
        )
        path.write_bytes(b"".join([*whole[:at], raw, *whole[at + 1 :]]))
        broken = verify_record(folder.path).broken
        assert broken[0].line in (at + 1, at + 2)


def test_an_acknowledgement_is_a_persons_too(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    journal = open_journal(folder)
    journal.add(Acknowledgement(START, "errors", "alex", "seen"), ALEX)
    journal.close()
    assert any("alex made 1 entry" in each for each in verify_record(folder.path).unproven)


def _force(journal: Journal, draft: Draft, signature: Mapping[str, str]) -> Line:
    """Append past the writer's own checks."""
    journal._check = lambda draft: None  # type: ignore[method-assign]
    return journal.append(replace(draft, signature=signature))


def test_the_record_a_copy_stands_in_keeps_its_own_name(tmp_path: Path) -> None:
    """A record may be copied and renamed; its id is in what was signed."""
    folder, key = make_folder(tmp_path), make_key(tmp_path)
    head = write_session(folder, key=KeyFile(key))
    moved = RecordFolder(folder.path.rename(tmp_path / "evidence"))
    assert not_proven(verify_record(moved.path, [head], signers(tmp_path, alex=key))) == {"time"}
