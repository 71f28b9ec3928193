"""The session's own signature over every entry: Ed25519 over DSSE's pre-authentication encoding (secure-systems-lab/dsse).

The private half lives in the memory of one process and ends with it, so nobody can sign for that session afterwards. It says
nothing about who the operator was; `ssh.py` does.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PAYLOAD_TYPE = "application/vnd.cutover.entry+json;v=1"


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """The bytes that are signed.

    >>> pae(b"hello world", "http://example.com/HelloWorld")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def key_id(public: bytes) -> str:
    """How signatures name a session key: 16 hex digits of the hash of its 32 bytes."""
    return "session:" + hashlib.sha256(public).hexdigest()[:16]


class SessionKey:
    """A fresh key; signs until the process ends."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public = self._key.public_key().public_bytes_raw()
        self.id = key_id(self.public)

    def sign(self, payload: str) -> Mapping[str, str]:
        """One member of `sigs`."""
        signature = self._key.sign(pae(payload.encode()))
        return {"keyid": self.id, "sig": base64.b64encode(signature).decode()}


class Verifier:
    """Checks what one session key signed."""

    def __init__(self, public: str) -> None:
        """`public` is base64 of 32 bytes, as the `open` entry has it. Raises ValueError."""
        raw = from_base64(public)
        if len(raw) != 32:
            raise ValueError("a session key has 32 bytes")
        self.id = key_id(raw)
        self._key = Ed25519PublicKey.from_public_bytes(raw)

    def accepts(self, payload: str, sig: Mapping[str, str]) -> bool:
        """Whether this is this key's signature of that payload."""
        if set(sig) != {"keyid", "sig"} or sig["keyid"] != self.id:
            return False
        try:
            self._key.verify(from_base64(sig["sig"]), pae(payload.encode()))
        except (InvalidSignature, ValueError):
            return False
        return True


def from_base64(text: str) -> bytes:
    """Raises ValueError unless `text` is exactly how these bytes are written."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from None
    if base64.b64encode(raw).decode() != text:
        raise ValueError("not base64 as it is written")
    return raw
