"""Signatures of people: OpenSSH's SSHSIG, as `ssh-keygen -Y sign` makes it and `ssh-keygen -Y verify` checks it.

Accepted keys: ed25519, RSA from 2048 bits (rsa-sha2-256 and -512), ECDSA on the NIST curves, and the FIDO kinds of ed25519
and ECDSA. Certificates, DSA and SHA-1 are not accepted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from cockpit.plan.ssh_public_key import fingerprint
from probes.frozen import frozen

NAMESPACE = "cutover-signoff@v1"
_MAGIC = b"SSHSIG"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_WIDTH = 70
_SK_ED25519, _SK_ECDSA = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"
_CURVES: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    "ecdsa-sha2-nistp256": (ec.SECP256R1(), hashes.SHA256()),
    "ecdsa-sha2-nistp384": (ec.SECP384R1(), hashes.SHA384()),
    "ecdsa-sha2-nistp521": (ec.SECP521R1(), hashes.SHA512()),
}
_RSA = {"rsa-sha2-256": hashes.SHA256(), "rsa-sha2-512": hashes.SHA512()}
_LONGEST_EXPONENT = 9
"""Bytes of an RSA key's: whoever knows its factors can name a larger one that is of the same key."""
_HASHES = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


class SshError(Exception):
    """A key that cannot sign, or a signature that does not hold; the message says why and is safe to show."""


class Signer(Protocol):
    """Something that signs with one key: a file, or the agent."""

    @property
    def public(self) -> bytes:
        """The public key as SSH writes it (the base64 part of a .pub file, decoded)."""
        ...

    def sign_raw(self, data: bytes) -> bytes:
        """SSH's signature (algorithm and blob) over the data. Raises SshError."""
        ...


@frozen
class Signature:
    """What an SSHSIG says."""

    public: bytes
    namespace: str
    hash_name: str
    raw: bytes
    """Algorithm and blob, as SSH writes them."""

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public)


def sign(signer: Signer, message: bytes, namespace: str = NAMESPACE) -> str:
    """An armored signature, as `ssh-keygen -Y sign -n NAMESPACE` prints it. May wait for a touch. Raises SshError."""
    raw = signer.sign_raw(_signed(message, namespace, "sha512"))
    blob = _MAGIC + struct.pack(">I", 1)
    blob += b"".join(packed(part) for part in (signer.public, namespace.encode(), b"", b"sha512", raw))
    made = armor(blob)
    verify(made, message, namespace)
    return made


def verify(armored: str, message: bytes, namespace: str = NAMESPACE) -> Signature:
    """The signature, if it is one of this message. Says nothing about whose key it is. Raises SshError."""
    signature = read(armored)
    if signature.namespace != namespace:
        raise SshError(f"the signature is for {signature.namespace[:60]!r}, not for {namespace!r}")
    data = _signed(message, namespace, signature.hash_name)
    try:
        _check(signature.public, signature.raw, data)
    except (InvalidSignature, UnsupportedAlgorithm):
        raise SshError("the signature is not of this text") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise SshError(f"the signature or its key is malformed: {error}") from None
    return signature


def read(armored: str) -> Signature:
    """The parts of an armored signature, unchecked. Raises SshError unless it is armored exactly as OpenSSH does it."""
    lines = armored.split("\n")
    if len(lines) < 4 or lines[0] != _BEGIN or lines[-2:] != [_END, ""]:
        raise SshError("not an SSH signature")
    try:
        blob = base64.b64decode("".join(lines[1:-2]), validate=True)
    except (binascii.Error, ValueError):
        raise SshError("not an SSH signature: its base64 is broken") from None
    if armor(blob) != armored:
        raise SshError("not an SSH signature as OpenSSH writes it")
    if not blob.startswith(_MAGIC + struct.pack(">I", 1)):
        raise SshError("not an SSH signature of version 1")
    reader = Reader(blob[len(_MAGIC) + 4 :])
    public, namespace, _, hash_name, raw = (reader.text() for _ in range(5))
    reader.end()
    if hash_name.decode("latin-1") not in _HASHES:
        raise SshError("the signature's hash is not SHA-256 or SHA-512")
    return Signature(public, namespace.decode("utf-8", "replace"), hash_name.decode(), raw)


def armor(blob: bytes) -> str:
    """Base64 in lines of 70 between BEGIN and END."""
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def packed(part: bytes) -> bytes:
    """SSH's string: length, then bytes."""
    return struct.pack(">I", len(part)) + part


class Reader:
    """Takes SSH's types from bytes. Every method raises SshError where the bytes end too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        if length < 0 or self._at + length > len(self._data):
            raise SshError("the data ends too early")
        self._at += length
        return self._data[self._at - length : self._at]

    def number(self) -> int:
        return int(struct.unpack(">I", self.take(4))[0])

    def text(self) -> bytes:
        return self.take(self.number())

    def end(self) -> None:
        if self._at != len(self._data):
            raise SshError("the data holds more than it may")


def key_type(public: bytes) -> str:
    """The kind of a public key: "ssh-ed25519", "ssh-rsa"... Raises SshError."""
    return Reader(public).text().decode("ascii", "replace")


def _signed(message: bytes, namespace: str, hash_name: str) -> bytes:
    digest = _HASHES[hash_name](message).digest()
    return _MAGIC + b"".join(packed(part) for part in (namespace.encode(), b"", hash_name.encode(), digest))


def _check(public: bytes, raw: bytes, data: bytes) -> None:
    """Raises InvalidSignature, ValueError or SshError."""
    _has_its_one_form(public)
    key, sig = Reader(public), Reader(raw)
    kind, algorithm, blob = key.text().decode("ascii"), sig.text().decode("ascii"), sig.text()
    if kind == "ssh-rsa":
        _check_rsa(key, algorithm, blob, data)
        sig.end()
        return
    if algorithm != kind:
        raise SshError("the signature is of another kind than its key")
    checks: dict[str, Callable[[Reader, bytes, bytes], None]] = {
        "ssh-ed25519": _check_ed25519,
        _SK_ED25519: _check_ed25519,
    }
    check = checks.get(kind, _check_ecdsa)
    if kind in (_SK_ED25519, _SK_ECDSA):
        flags, counter = sig.take(1), sig.take(4)
        sig.end()
        application = _application(public)
        if not flags[0] & 1:
            raise SshError("the security key was not touched")
        data = hashlib.sha256(application).digest() + flags + counter + hashlib.sha256(data).digest()
    elif kind != "ssh-ed25519" and kind not in _CURVES:
        raise SshError(f"keys of the kind {kind[:40]!r} are not accepted")
    sig.end()
    check(key, blob, data)


def _has_its_one_form(public: bytes) -> None:
    """Written in two forms, one key would have two fingerprints and be taken for two people. Raises SshError."""
    key, kind = Reader(public), key_type(public)
    key.text()
    if kind == "ssh-rsa":
        exponent, modulus = key.text(), key.text()
        if len(exponent) > _LONGEST_EXPONENT or any(number != _number(number) for number in (exponent, modulus)):
            raise SshError("the numbers of the RSA key are not written as SSH does")
    elif kind in ("ssh-ed25519", _SK_ED25519):
        key.text()
    elif kind in _CURVES or kind == _SK_ECDSA:
        curve, point = key.text().decode("ascii", "replace"), key.text()
        if kind not in (f"ecdsa-sha2-{curve}", f"sk-ecdsa-sha2-{curve}@openssh.com") or point[:1] != b"\x04":
            raise SshError(f"keys of the kind {kind[:40]!r} are not accepted in this form")
    else:
        return  # of a kind that is not accepted
    if kind in (_SK_ED25519, _SK_ECDSA):
        key.text()
    key.end()


def _number(written: bytes) -> bytes:
    """A positive number in the one form that SSH has for it."""
    number = int.from_bytes(written, "big")
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _application(public: bytes) -> bytes:
    """The last part of a FIDO key: what the key was made for."""
    key = Reader(public)
    parts = [key.text() for _ in range(3 if key_type(public) == _SK_ED25519 else 4)]
    return parts[-1]


def _check_ed25519(key: Reader, blob: bytes, data: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(key.text()).verify(blob, data)


def _check_ecdsa(key: Reader, blob: bytes, data: bytes) -> None:
    named = "ecdsa-sha2-" + key.text().decode("ascii")
    if named not in _CURVES:
        raise SshError(f"keys on the curve {named[:40]!r} are not accepted")
    curve, digest = _CURVES[named]
    parts = Reader(blob)
    first, second = (int.from_bytes(parts.text(), "big") for _ in range(2))
    parts.end()
    point = ec.EllipticCurvePublicKey.from_encoded_point(curve, key.text())
    point.verify(encode_dss_signature(first, second), data, ec.ECDSA(digest))


def _check_rsa(key: Reader, algorithm: str, blob: bytes, data: bytes) -> None:
    if algorithm not in _RSA:
        raise SshError(f"RSA signatures must be rsa-sha2-256 or -512, not {algorithm[:40]!r}")
    exponent, modulus = (int.from_bytes(key.text(), "big") for _ in range(2))
    if modulus.bit_length() < 2048:
        raise SshError(f"RSA keys need 2048 bits or more, not {modulus.bit_length()}")
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    public.verify(blob, data, padding.PKCS1v15(), _RSA[algorithm])
