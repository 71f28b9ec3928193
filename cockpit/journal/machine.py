"""How a cockpit knows the sessions of this machine again: a secret only its user can read, and a mark made with it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

from platformdirs import user_state_path

_BYTES = 32
_KEY = "machine.key"


def _folder() -> Path:
    return Path(user_state_path("cockpit", appauthor=False))


@lru_cache(maxsize=4)
def _secret(folder: Path) -> bytes:
    """Made where it is not there. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / _KEY
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
    if not isinstance(mark, str) or not (_folder() / _KEY).exists():
        return False
    return hmac.compare_digest(mark_of(session).encode(), mark.encode())
