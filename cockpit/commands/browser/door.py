"""Who may see the screens: the browser that comes with the token, once, and from then on that browser alone."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

HOST = "127.0.0.1"
TOKEN = "token"
COOKIE = "cockpit"


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(slots=True)
class Door:
    """One browser may enter. Whoever has no session is refused, whatever it asks for."""

    port: int
    token: str = field(default_factory=_secret, repr=False)
    _session: str = field(default="", repr=False)
    """What that browser shows from then on; empty until one has entered."""

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def address(self) -> str:
        """To be opened once."""
        return f"{self.origin}/?{TOKEN}={self.token}"

    @property
    def cookie(self) -> str:
        """Its name: cookies do not know of ports."""
        return f"{COOKIE}-{self.port}"

    def enter(self, token: str) -> str:
        """The session of whoever comes first with the token; empty for everybody else, then and later."""
        if self._session or not hmac.compare_digest(token.encode(), self.token.encode()):
            return ""
        self._session = _secret()
        return self._session

    def knows(self, session: str) -> bool:
        return bool(self._session) and hmac.compare_digest(session.encode(), self._session.encode())

    def is_ours(self, host: str, origin: str | None) -> bool:
        """Whether a request was meant for this address, and by no page of another site."""
        return host == f"{HOST}:{self.port}" and origin in (None, self.origin)
