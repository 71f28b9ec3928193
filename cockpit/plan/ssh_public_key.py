"""A public SSH key as people write it: its bytes, and the fingerprint `ssh-keygen -l` shows."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache

SHORTEST = 16
"""Bytes of a key at least."""
KEY_TYPE = re.compile(r"(?:ssh|ecdsa|sk)-[\w@.-]+")


def public_of(text: str) -> bytes:
    """The key of "ssh-ed25519 AAAA... comment", or of its base64 alone. Raises ValueError."""
    words = text.split()
    encoded = words[1] if len(words) > 1 and KEY_TYPE.fullmatch(words[0]) else words[0] if words else ""
    try:
        raw = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise ValueError("the key is not base64") from None
    if len(raw) < SHORTEST:
        raise ValueError("the key is too short to be one")
    return raw


def fingerprint(public: bytes) -> str:
    """SHA256:..., as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


@lru_cache(maxsize=256)
def fingerprint_of(text: str) -> str:
    """Of a key as `public_of` reads it, or of a fingerprint itself; empty for no text. One that cannot be read matches none."""
    if not text or text.startswith("SHA256:"):
        return text
    try:
        return fingerprint(public_of(text))
    except ValueError:
        return "a key that cannot be read"
