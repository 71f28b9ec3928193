"""SSHSIG against stock OpenSSH, both ways; keys from files and from a real agent."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.records.short_record import make_key, public_line
from support.waiting import LAST_RESORT_S

from cockpit.journal.ssh import keys
from cockpit.journal.ssh.allowed_signers import AllowedSigners, parse, public_of
from cockpit.journal.ssh.keys import KeyFile, agent_keys, find_signer
from cockpit.journal.ssh.sshsig import NAMESPACE, Reader, SshError, armor, packed, read, sign, verify
from cockpit.plan.ssh_public_key import fingerprint

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs OpenSSH")
KINDS = [("ed25519",), ("rsa", "-b", "2048"), ("ecdsa", "-b", "256"), ("ecdsa", "-b", "384"), ("ecdsa", "-b", "521")]
TEXT = b'{"by":"alex","answer":"2 tasks, both healthy"}'
AT = datetime(2026, 1, 2, tzinfo=UTC)


def stock_verify(folder: Path, signature: str, text: bytes, public: str, who: str = "alex") -> bool:
    (folder / "signers").write_text(f"{who} {public}\n")
    (folder / "text.sig").write_text(signature)
    command = ["ssh-keygen", "-Y", "verify", "-f", "signers", "-I", who, "-n", NAMESPACE, "-s", "text.sig"]
    return (
        subprocess.run(
            command, input=text, cwd=folder, capture_output=True, timeout=LAST_RESORT_S, check=False
        ).returncode
        == 0
    )


def stock_sign(folder: Path, key: Path, text: bytes, namespace: str = NAMESPACE) -> str:
    (folder / "text").write_bytes(text)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", namespace, "text"]
    (folder / "text.sig").unlink(missing_ok=True)
    subprocess.run(command, cwd=folder, check=True, timeout=LAST_RESORT_S, capture_output=True)
    return (folder / "text.sig").read_text()


@pytest.mark.parametrize("kind", KINDS, ids="".join)
def test_stock_openssh_accepts_ours_and_we_accept_its(tmp_path: Path, kind: tuple[str, ...]) -> None:
    path = make_key(tmp_path, *kind)
    key = KeyFile(path)
    assert key.public == public_of(public_line(path))
    ours = sign(key, TEXT)
    assert stock_verify(tmp_path, ours, TEXT, public_line(path))
    assert not stock_verify(tmp_path, ours, TEXT + b" ", public_line(path))
    theirs = verify(stock_sign(tmp_path, path, TEXT), TEXT)
    assert theirs.public == key.public
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(path)], capture_output=True, text=True, timeout=LAST_RESORT_S, check=True
    )
    assert theirs.fingerprint == listed.stdout.split()[1]


def test_another_text_namespace_or_byte_is_refused(tmp_path: Path) -> None:
    path = make_key(tmp_path)
    good = sign(KeyFile(path), TEXT)
    with pytest.raises(SshError, match="not of this text"):
        verify(good, TEXT + b".")
    with pytest.raises(SshError, match="is for 'file'"):
        verify(stock_sign(tmp_path, path, TEXT, "file"), TEXT)
    for at in range(len(good)):
        with pytest.raises(SshError):
            verify(good[:at] + chr(ord(good[at]) ^ 1) + good[at + 1 :], TEXT)
        with pytest.raises(SshError):
            verify(good[:at], TEXT)


def test_weak_keys_and_old_hashes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SshError, match="2048 bits"):
        verify(stock_sign(tmp_path, make_key(tmp_path, "rsa", "-b", "1024"), TEXT), TEXT)
    blob = b"SSHSIG" + struct.pack(">I", 1)
    parts = (
        packed(b"ssh-dss") + packed(b"x" * 32),
        NAMESPACE.encode(),
        b"",
        b"sha512",
        packed(b"ssh-dss") + packed(b"y"),
    )
    with pytest.raises(SshError, match="not accepted"):
        verify(armor(blob + b"".join(map(packed, parts))), TEXT)
    with pytest.raises(SshError, match="hash"):
        read(armor(blob + b"".join(map(packed, (*parts[:3], b"sha1", parts[4])))))


def test_an_rsa_signature_by_sha1_and_one_with_more_behind_it_are_refused(tmp_path: Path) -> None:
    """OpenSSH of ten years ago signs by SHA-1; and of one signature there must not be two that hold."""
    good = read(sign(KeyFile(make_key(tmp_path, "rsa", "-b", "2048")), TEXT))
    raw = Reader(good.raw)
    raw.text()

    def made(algorithm: bytes, behind: bytes = b"") -> str:
        parts = (good.public, NAMESPACE.encode(), b"", good.hash_name.encode(), packed(algorithm) + packed(signed))
        return armor(b"SSHSIG" + struct.pack(">I", 1) + b"".join(map(packed, parts)) + behind)

    signed = raw.text()
    verify(made(b"rsa-sha2-512"), TEXT)
    with pytest.raises(SshError, match="rsa-sha2-256 or -512"):
        verify(made(b"ssh-rsa"), TEXT)
    with pytest.raises(SshError, match="more than it may"):
        verify(made(b"rsa-sha2-512", b"more"), TEXT)


@pytest.mark.parametrize("touched", [True, False])
def test_a_security_key_counts_only_when_touched(tmp_path: Path, touched: bool) -> None:
    """A FIDO key made in software, so that stock OpenSSH can be asked about the same signature."""
    key = Ed25519PrivateKey.generate()
    kind, application = b"sk-ssh-ed25519@openssh.com", b"ssh:"
    public = packed(kind) + packed(key.public_key().public_bytes_raw()) + packed(application)

    class Fido:
        def __init__(self) -> None:
            self.public = public

        def sign_raw(self, data: bytes) -> bytes:
            more = bytes([touched]) + struct.pack(">I", 7)
            signed = hashlib.sha256(application).digest() + more + hashlib.sha256(data).digest()
            return packed(kind) + packed(key.sign(signed)) + more

    if not touched:
        with pytest.raises(SshError, match="not touched"):
            sign(Fido(), TEXT)
        return
    line = f"{kind.decode()} {base64.b64encode(public).decode()}"
    assert stock_verify(tmp_path, sign(Fido(), TEXT), TEXT, line)


def test_a_passphrase_is_asked_for_once_and_a_wrong_one_refused(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = tmp_path / "key.pem"
    path.write_bytes(key.private_bytes(pem, form, serialization.BestAvailableEncryption(b"open sesame")))
    asked: list[str] = []

    def passphrase(name: str) -> str:
        asked.append(name)
        return "open sesame"

    opened = KeyFile(path, passphrase)
    verify(sign(opened, TEXT), TEXT)
    assert asked == [str(path)]
    assert "sesame" not in repr(vars(opened))
    with pytest.raises(SshError, match="wrong"):
        KeyFile(path, lambda _: "shut")
    for nothing in (None, lambda _: ""):
        with pytest.raises(SshError, match="none was given"):
            KeyFile(path, nothing)


def test_an_openssh_key_with_a_passphrase(tmp_path: Path) -> None:
    path = make_key(tmp_path, passphrase="open sesame")
    if find_spec("bcrypt") is None:
        with pytest.raises(SshError, match="ssh-add"):
            KeyFile(path, lambda _: "open sesame")
        return
    assert stock_verify(tmp_path, sign(KeyFile(path, lambda _: "open sesame"), TEXT), TEXT, public_line(path))
    with pytest.raises(SshError, match="wrong"):
        KeyFile(path, lambda _: "shut")


@pytest.mark.parametrize(
    "text", [b"", b"nonsense", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"]
)
def test_what_is_no_key_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(text)
    with pytest.raises(SshError, match="key"):
        KeyFile(path)
    with pytest.raises(SshError, match="No such file"):
        KeyFile(tmp_path / "nothing")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """A real ssh-agent of our own; its socket."""
    path = f"/tmp/journal-agent-{os.getpid()}"
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL) as process:
        while not Path(path).exists():
            assert process.poll() is None
        yield path
        process.terminate()


def add(agent: str, path: Path) -> None:
    environ = os.environ | {"SSH_AUTH_SOCK": agent}
    subprocess.run(["ssh-add", "-q", str(path)], env=environ, check=True, timeout=LAST_RESORT_S, capture_output=True)


def test_the_agent_signs_with_every_kind(tmp_path: Path, agent: str) -> None:
    assert agent_keys(agent) == []
    paths = [make_key(tmp_path, *kind) for kind in KINDS]
    for path in paths:
        add(agent, path)
    assert {key.fingerprint for key in agent_keys(agent)} == {
        fingerprint(public_of(public_line(path))) for path in paths
    }
    for path in paths:
        signer = find_signer(public_line(path), agent=agent)
        assert stock_verify(tmp_path, sign(signer, TEXT), TEXT, public_line(path))
    with pytest.raises(SshError, match="name one"):
        find_signer(agent=agent)


def test_which_key_signs(tmp_path: Path, agent: str) -> None:
    held, other = make_key(tmp_path), make_key(tmp_path)
    with pytest.raises(SshError, match="holds 0 keys"):
        find_signer(agent=agent)
    add(agent, held)
    assert find_signer(agent=agent).public == public_of(public_line(held))
    assert isinstance(find_signer(key_file=other, agent=agent), KeyFile)
    assert not isinstance(find_signer(public_line(held), key_file=held, agent=agent), KeyFile)
    with pytest.raises(SshError, match="holds no key SHA256"):
        find_signer(public_line(other), agent=agent)
    with pytest.raises(SshError, match="not SHA256"):
        find_signer(public_line(other), key_file=held, agent="")
    assert isinstance(find_signer(public_line(other), key_file=other, agent=""), KeyFile)


def test_no_agent_a_deaf_one_and_one_that_talks_nonsense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(SshError, match="SSH_AUTH_SOCK"):
        agent_keys()
    with pytest.raises(SshError, match="cannot be reached"):
        agent_keys(str(tmp_path / "nothing"))
    monkeypatch.setattr(keys, "ANSWER_S", 0.2)
    for answer in (b"", None, b"\x00\x00\x00\x01\x05", b"\xff\xff\xff\xff", b"\x00\x00\x00\x05\x0c\x00\x00\x00\x09"):
        path = f"/tmp/journal-deaf-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.bind(path)
            server.listen(1)
            thread = threading.Thread(target=_answer, args=(server, answer))
            thread.start()
            with pytest.raises(SshError, match=r"agent|ends too early"):
                agent_keys(path)
            thread.join()
        Path(path).unlink()


def _answer(server: socket.socket, answer: bytes | None) -> None:
    link, _ = server.accept()
    with link:
        link.recv(100)
        if answer is None:
            link.settimeout(2)
            link.recv(1)
        else:
            link.sendall(answer)


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZpcnN0IGtleSBvZiB0aGlzIHRlc3QgZmlsZSEh"


@pytest.mark.parametrize(
    ("line", "who", "allowed"),
    [
        (f"alex {KEY}", "alex", True),
        (f"alex {KEY} a comment", "bo", False),
        (f"*@example.com,bo {KEY}", "bo", True),
        (f"*@example.com,!eve@example.com {KEY}", "eve@example.com", False),
        (f"*@example.com {KEY}", "x@example.com", True),
        (f"a[l]ex {KEY}", "alex", False),
        (f'alex namespaces="file,git" {KEY}', "alex", False),
        (f'alex namespaces="cutover-*" {KEY}', "alex", True),
        (f'alex valid-after="20260103Z" {KEY}', "alex", False),
        (f'alex valid-after=20260101Z,valid-before="202601022359Z" {KEY}', "alex", True),
        (f'alex Valid-Before="20260101235959Z" {KEY}', "alex", False),
        (f'"alex kim,bo" {KEY}', "alex kim", True),
    ],
)
def test_allowed_signers(line: str, who: str, allowed: bool) -> None:
    signers = AllowedSigners([parse(line)])
    assert signers.allows(who, public_of(KEY), AT) is allowed
    assert signers.knows(public_of(KEY))
    assert not signers.allows(who, b"another", AT)


@pytest.mark.parametrize(
    "line",
    ["alex", "alex ssh-ed25519", "alex ssh-ed25519 !!!", f"alex cert-authority {KEY}", f"alex colour=red {KEY}",
     f"alex valid-after=tomorrow {KEY}", f"alex valid-after=20261301Z {KEY}", f"alex = {KEY}", "alex ssh-ed25519 AAAA"],
)  # fmt: skip
def test_lines_that_make_no_sense_are_skipped_and_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(SshError):
        parse(line)
    path = tmp_path / "signers"
    path.write_text(f"# ours\n\n{line}\nbo {KEY}\n")
    signers = AllowedSigners.read(path)
    assert len(signers.lines) == 1
    assert f"{path}:3:" in signers.skipped[0]


class Rewritten:
    """A person's key that signs under another form of its public half."""

    def __init__(self, key: KeyFile, public: bytes) -> None:
        self.key, self.public = key, public

    def sign_raw(self, data: bytes) -> bytes:
        return self.key.sign_raw(data)


def parts_of(public: bytes) -> list[bytes]:
    reader, found = Reader(public), list[bytes]()
    while sum(4 + len(each) for each in found) < len(public):
        found.append(reader.text())
    return found


def other_forms(public: bytes, path: Path) -> Iterator[bytes]:
    parts = parts_of(public)
    yield public + b"x"
    yield public + packed(b"somebody else")
    if parts[0] == b"ssh-rsa":
        kind, exponent, modulus = map(packed, parts)
        yield kind + packed(b"\0" + parts[1]) + modulus
        yield kind + exponent + packed(b"\0" + parts[2])
        yield kind + exponent + packed(parts[2].lstrip(b"\0"))
        held = serialization.load_ssh_private_key(path.read_bytes(), None)
        assert isinstance(held, rsa.RSAPrivateKey)
        numbers = held.private_numbers()
        larger = numbers.public_numbers.e + (numbers.p - 1) * (numbers.q - 1)
        yield kind + packed(larger.to_bytes(larger.bit_length() // 8 + 1, "big")) + modulus
    if parts[0].startswith(b"ecdsa"):
        kind, curve, _ = map(packed, parts)
        width = len(parts[2]) // 2
        yield kind + curve + packed(bytes([2 + parts[2][-1] % 2]) + parts[2][1 : width + 1])
        yield kind + curve + packed(bytes([6 + parts[2][-1] % 2]) + parts[2][1:])


@pytest.mark.parametrize("kind", [("ed25519",), ("rsa", "-b", "2048"), ("ecdsa", "-b", "256")], ids="".join)
def test_one_key_has_one_form_and_so_one_fingerprint(tmp_path: Path, kind: tuple[str, ...]) -> None:
    """Else one key were two people, each named in the plan with a form of it."""
    path = make_key(tmp_path, *kind)
    key = KeyFile(path)
    verify(sign(key, TEXT), TEXT)
    for form in other_forms(key.public, path):
        with pytest.raises(SshError):
            sign(Rewritten(key, form), TEXT)
