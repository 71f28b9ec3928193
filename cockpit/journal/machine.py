"""How a cockpit knows the sessions of this machine again, and how others know them: a secret only its user can read.

A mark made with the secret tells this machine that a session was its own. A signature made with a key derived from it tells
everybody that two sessions are of one machine: the name of a writer carries that key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from platformdirs import user_state_path

_BYTES = 32
_FILE = "machine.key"


def _folder() -> Path:
    return Path(user_state_path("cockpit", appauthor=False))


@lru_cache(maxsize=4)
def _secret(folder: Path) -> bytes:
    """Made where it is not there. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / _FILE
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        made = path.read_bytes()
        if len(made) == _BYTES:
            return made
        raise OSError(f"{path} is not as a cockpit wrote it: remove it, and open the cockpit again") from None
    with os.fdopen(file, "wb") as new:
        new.write(made := secrets.token_bytes(_BYTES))
    return made


def mark_of(session: str) -> str:
    """The mark of a session (its public key, base64) of this machine and user. Raises OSError."""
    return hmac.new(_secret(_folder()), session.encode(), hashlib.sha256).hexdigest()


def is_marked(session: str, mark: object) -> bool:
    """Whether the mark was made on this machine, by this user, for that session. Makes no secret. Raises OSError."""
    if not isinstance(mark, str) or not (_folder() / _FILE).exists():
        return False
    return hmac.compare_digest(mark_of(session).encode(), mark.encode())


def machine_id() -> str:
    """The machine and user, as the names of writers carry them: 16 hex digits. Raises OSError."""
    return _id(_key().public_key().public_bytes_raw())


def vouch(record: str, writer: str, session: str) -> dict[str, str]:
    """What an `open` says so that all can see which machine's session it begins. Raises OSError."""
    key = _key()
    public, signature = key.public_key().public_bytes_raw(), key.sign(_vouched(record, writer, session))
    return {"public": base64.b64encode(public).decode(), "sig": base64.b64encode(signature).decode()}


def vouching(body: Mapping[str, Any], session: str) -> str:
    """The id of the machine that vouches for the session an `open` begins; empty where none does."""
    machine, record, writer = body.get("machine"), body.get("record"), body.get("writer")
    if not isinstance(machine, Mapping) or not isinstance(record, str) or not isinstance(writer, str):
        return ""
    try:
        public = base64.b64decode(str(machine.get("public")), validate=True)
        signature = base64.b64decode(str(machine.get("sig")), validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _vouched(record, writer, session))
    except (InvalidSignature, ValueError):
        return ""
    return _id(public)


def _key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hmac.new(_secret(_folder()), b"writer", hashlib.sha256).digest())


def _id(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:16]


def _vouched(record: str, writer: str, session: str) -> bytes:
    return json.dumps(["a session of a cockpit", record, writer, session]).encode()
