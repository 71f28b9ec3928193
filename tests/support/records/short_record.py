"""Records made for tests: small, real, and with everything in them."""

from __future__ import annotations

import hashlib
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cockpit.decide.events import Change, Decision, PhaseBegan, SignOff, Vote
from cockpit.journal.entry import Actor
from cockpit.journal.findings import Result, Standing
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.ssh.keys import KeyFile
from cockpit.journal.writer import Draft, Journal
from cockpit.plan.model import Phase

START = datetime(2026, 1, 2, 22, 0, tzinfo=UTC)
PLAN = b"cutover: test\n"
DIGEST = hashlib.sha256(PLAN).hexdigest()
ALEX = Actor("alex", "on_call", "123456789012", "arn:aws:sts::123456789012:assumed-role/ops/alex", "AROAEXAMPLE:alex")


def make_folder(root: Path) -> RecordFolder:
    return RecordFolder.create("test", PLAN, START, root)


def open_journal(folder: RecordFolder, writer: str = "alex-laptop") -> Journal:
    return Journal.open(folder.journal, writer, folder.id, actor=ALEX, body={"plan_digest": DIGEST})


def change(n: int = 0) -> Change:
    return Change(START + timedelta(seconds=n), "verdict", "HOLD", "GO", f"reason {n}")


def sign_off(by: str = "alex", subject: str = "db.ready", n: int = 0) -> SignOff:
    return SignOff(START + timedelta(seconds=n), subject, by, "on_call", "2 tasks, both healthy", DIGEST)


def write_session(folder: RecordFolder, writer: str = "alex-laptop", key: KeyFile | None = None) -> str:
    """A session from open to close with one entry of most kinds; the last head."""
    journal = open_journal(folder, writer)
    journal.add(PhaseBegan(START, Phase.PRE_DEPLOY))
    journal.add(change(1))
    signed = Draft.of(sign_off(), ALEX)
    journal.add(sign_off(), ALEX, journal.signed_text(signed).signed(key) if key else None)
    vote = Vote(START, "deploy", "alex", "on_call", "go", plan_digest=DIGEST)
    journal.add(vote, ALEX, journal.signed_text(Draft.of(vote, ALEX)).signed(key) if key else None)
    decided = Decision(START, "proceed", "alex", "all is well")
    journal.add(decided, ALEX, journal.signed_text(Draft.of(decided, ALEX)).signed(key) if key else None)
    journal.anchor("gate deploy")
    return journal.close()


def not_proven(result: Result) -> set[str]:
    """The subjects that are not proven."""
    return {str(subject) for subject, row in result.rows.items() if row.standing is not Standing.PROVEN}


def make_key(folder: Path, kind: str = "ed25519", *options: str, passphrase: str = "") -> Path:
    """A key pair by the stock tool."""
    path = folder / f"id_{kind}_{len(list(folder.iterdir()))}"
    command = ["ssh-keygen", "-q", "-t", kind, *options, "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def public_line(path: Path) -> str:
    """ "ssh-ed25519 AAAA..." of a key pair."""
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])
