"""Signing with a person's SSH key: from its file, or through the agent that holds it."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from cockpit.journal.ssh.allowed_signers import public_of
from cockpit.journal.ssh.sshsig import Reader, Signer, SshError, key_type, packed
from cockpit.ordinary_file import read_ordinary
from cockpit.plan.ssh_public_key import fingerprint
from probes.frozen import frozen

Passphrase = Callable[[str], str]
"""Asks a person for the passphrase of the key file it is given; an empty answer gives up."""
ANSWER_S = 3.0
TOUCH_S = 60.0
"""How long the agent may take to sign: a security key waits for a touch."""
_MAX_ANSWER = 1 << 18
_RSA_SHA2_512 = 4
_Private = Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class KeyFile:
    """A private key from its file. The key stays in memory; the passphrase is forgotten at once."""

    def __init__(self, path: Path, passphrase: Passphrase | None = None) -> None:
        """Raises SshError when the file cannot be read, unlocked or used."""
        self._key = _load(path, passphrase)
        encoding, form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        text = self._key.public_key().public_bytes(encoding, form).decode()
        self.public = public_of(text.split()[1])

    def sign_raw(self, data: bytes) -> bytes:
        key = self._key
        if isinstance(key, Ed25519PrivateKey):
            return packed(b"ssh-ed25519") + packed(key.sign(data))
        if isinstance(key, rsa.RSAPrivateKey):
            return packed(b"rsa-sha2-512") + packed(key.sign(data, padding.PKCS1v15(), hashes.SHA512()))
        digest = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key.curve.key_size]
        numbers = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        return packed(key_type(self.public).encode()) + packed(b"".join(_mpint(number) for number in numbers))


def _load(path: Path, passphrase: Passphrase | None) -> _Private:
    try:
        raw = read_ordinary(path)
    except OSError as error:
        raise SshError(f"{path}: {error.strerror}") from None
    try:
        key = _unlocked(raw, None)
        if key is None:
            given = passphrase(str(path)) if passphrase else ""
            if not given:
                raise SshError(f"{path} has a passphrase, and none was given")
            key = _unlocked(raw, given.encode())
    except UnsupportedAlgorithm as error:
        hint = "add it to the agent (ssh-add) and sign through that"
        raise SshError(f"{path} cannot be read here ({error}): {hint}") from None
    except ValueError:
        raise SshError(f"{path}: not a private key, or the passphrase is wrong") from None
    usable = isinstance(key, Ed25519PrivateKey | rsa.RSAPrivateKey) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in ("secp256r1", "secp384r1", "secp521r1")
    )
    if not usable:
        raise SshError(f"{path}: a key of this kind cannot sign here; use the agent")
    return key  # type: ignore[return-value]  # just looked at


def _unlocked(raw: bytes, password: bytes | None) -> object | None:
    """The key, or None if it needs a passphrase."""
    openssh = raw.lstrip().startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
    load = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        return load(raw, password)
    except TypeError:
        return None
    except ValueError as error:
        if password is None and "encrypted" in str(error).lower():
            return None
        raise


def _mpint(number: int) -> bytes:
    return packed(number.to_bytes(number.bit_length() // 8 + 1, "big"))


@frozen
class AgentKey:
    """A key the agent holds; signing asks the agent, and may wait for a touch or a confirmation."""

    public: bytes
    comment: str
    socket_path: str

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public)

    def sign_raw(self, data: bytes) -> bytes:
        flags = _RSA_SHA2_512 if key_type(self.public) == "ssh-rsa" else 0
        request = b"\x0d" + packed(self.public) + packed(data) + struct.pack(">I", flags)
        answer = _ask(self.socket_path, request, TOUCH_S)
        if answer[:1] != b"\x0e":
            raise SshError("the agent did not sign: it refused, or no longer holds the key")
        reader = Reader(answer[1:])
        raw = reader.text()
        reader.end()
        return raw


def agent_keys(socket_path: str | None = None) -> Sequence[AgentKey]:
    """Every key the agent holds. Raises SshError when there is no agent or it does not answer."""
    path = os.environ.get("SSH_AUTH_SOCK", "") if socket_path is None else socket_path
    if not path:
        raise SshError("no SSH agent: SSH_AUTH_SOCK is not set")
    answer = _ask(path, b"\x0b", ANSWER_S)
    if answer[:1] != b"\x0c":
        raise SshError("the agent did not list its keys")
    reader = Reader(answer[1:])
    return [
        AgentKey(reader.text(), reader.text().decode("utf-8", "replace"), path)
        for _ in range(min(reader.number(), 1000))
    ]


def find_signer(
    ssh_key: str = "", key_file: Path | None = None, passphrase: Passphrase | None = None, agent: str | None = None
) -> Signer:
    """The key to sign with. Raises SshError when there is none.

    `ssh_key` is a public key ("ssh-ed25519 AAAA...", as a plan names a person's) or a fingerprint: the agent's key that is
    that one, else the file, if it is. With neither given, the only key the agent holds.
    """
    wanted = ssh_key if ssh_key.startswith("SHA256:") else fingerprint(public_of(ssh_key)) if ssh_key else ""
    try:
        held = agent_keys(agent)
    except SshError:
        if key_file is None:
            raise
        held = []
    fitting = [key for key in held if not wanted or key.fingerprint == wanted]
    if fitting and (wanted or (len(fitting) == 1 and key_file is None)):
        return fitting[0]
    if key_file is not None:
        key = KeyFile(key_file, passphrase)
        if wanted and fingerprint(key.public) != wanted:
            raise SshError(f"{key_file} is {fingerprint(key.public)}, not {wanted}")
        return key
    raise SshError(f"the agent holds no key {wanted}" if wanted else f"the agent holds {len(held)} keys: name one")


def _ask(path: str, request: bytes, timeout_s: float) -> bytes:
    """One exchange with the agent: the answer without its length."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(timeout_s)
            link.connect(path)
            link.sendall(packed(request))
            length = struct.unpack(">I", _exactly(link, 4))[0]
            if not 0 < length <= _MAX_ANSWER:
                raise SshError("the agent's answer makes no sense")
            return _exactly(link, length)
    except TimeoutError:
        raise SshError(f"the agent did not answer within {timeout_s:g} s") from None
    except OSError as error:
        raise SshError(f"the agent cannot be reached: {error.strerror or error}") from None


def _exactly(link: socket.socket, length: int) -> bytes:
    got = b""
    while len(got) < length:
        part = link.recv(length - len(got))
        if not part:
            raise SshError("the agent hung up")
        got += part
    return got
