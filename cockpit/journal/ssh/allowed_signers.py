"""OpenSSH's allowed_signers: which key stands for whom, for what, and when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from cockpit.journal.ssh.sshsig import NAMESPACE, SshError
from cockpit.ordinary_file import read_ordinary
from cockpit.plan import ssh_public_key
from cockpit.plan.ssh_public_key import KEY_TYPE
from probes.frozen import frozen

_OPTION = re.compile(r'([A-Za-z-]+)(?:=(?:"([^"]*)"|([^,"\s]*)))?(?:,|\Z)')
_WORD = re.compile(r'(?:"[^"]*"|[^\s"])+')


@frozen
class Allowed:
    """One line of the file."""

    principals: tuple[str, ...]
    """Patterns with * and ?; one beginning with ! excludes."""
    public: bytes
    namespaces: tuple[str, ...] = ()
    after: datetime | None = None
    before: datetime | None = None

    def names(self, principal: str) -> bool:
        if any(pattern.startswith("!") and _matches(principal, pattern[1:]) for pattern in self.principals):
            return False
        return any(not pattern.startswith("!") and _matches(principal, pattern) for pattern in self.principals)

    def valid(self, at: datetime, namespace: str = NAMESPACE) -> bool:
        if self.namespaces and not any(_matches(namespace, pattern) for pattern in self.namespaces):
            return False
        return not ((self.after and at < self.after) or (self.before and at > self.before))


@frozen
class AllowedSigners:
    """A whole file. `skipped` says which lines are not used, and why."""

    lines: Sequence[Allowed]
    skipped: Sequence[str] = ()

    @classmethod
    def read(cls, path: Path) -> AllowedSigners:
        """Raises OSError; a line that makes no sense is skipped and named."""
        lines, skipped = [], []
        for number, text in enumerate(read_ordinary(path).decode(errors="replace").splitlines(), start=1):
            if not text.strip() or text.lstrip().startswith("#"):
                continue
            try:
                lines.append(parse(text))
            except SshError as error:
                skipped.append(f"{path}:{number}: {error}")
        return cls(lines, skipped)

    def knows(self, public: bytes) -> bool:
        return any(line.public == public for line in self.lines)

    def bounded(self, principal: str, public: bytes) -> bool:
        """Whether this key stands for this person only within a time: then it matters when it signed."""
        lines = [line for line in self.lines if line.public == public and line.names(principal)]
        return bool(lines) and all(line.after or line.before for line in lines)

    def allows(self, principal: str, public: bytes, at: datetime) -> bool:
        """Whether this key stood for this person then, for sign-offs."""
        return any(line.public == public and line.names(principal) and line.valid(at) for line in self.lines)


def parse(text: str) -> Allowed:
    """One line: principals, options, key type, key, comment. Raises SshError."""
    words = _WORD.findall(text)
    if len(words) < 3:
        raise SshError("not: PRINCIPALS [OPTIONS] TYPE KEY")
    principals = tuple(words[0].strip('"').split(","))
    options = {}
    if not KEY_TYPE.fullmatch(words[1]):
        options = _options(words[1])
        words = words[:1] + words[2:]
    if len(words) < 3 or not KEY_TYPE.fullmatch(words[1]):
        raise SshError("names no key")
    if "cert-authority" in options:
        raise SshError("certificate authorities are not supported")
    spaces = options.get("namespaces", "")
    after, before = (_time(options[name]) if name in options else None for name in ("valid-after", "valid-before"))
    return Allowed(principals, public_of(words[2]), tuple(spaces.split(",")) if spaces else (), after, before)


def public_of(text: str) -> bytes:
    """The key of "ssh-ed25519 AAAA... comment", or of its base64 alone. Raises SshError."""
    try:
        return ssh_public_key.public_of(text)
    except ValueError as error:
        raise SshError(str(error)) from None


def _options(text: str) -> dict[str, str]:
    options, at = {}, 0
    while at < len(text):
        match = _OPTION.match(text, at)
        if match is None:
            raise SshError(f"cannot read the options {text[:60]!r}")
        name = match[1].lower()
        if name not in ("cert-authority", "namespaces", "valid-after", "valid-before") or name in options:
            raise SshError(f"option {name!r} is not known, or given twice")
        options[name] = match[2] if match[2] is not None else match[3] or ""
        at = match.end()
    return options


def _time(text: str) -> datetime:
    """YYYYMMDD[HHMM[SS]], with Z for UTC; without it the zone of this machine, as OpenSSH reads it."""
    digits = text.removesuffix("Z")
    shape = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(digits))
    if shape is None or not digits.isascii() or not digits.isdigit():
        raise SshError(f"{text[:20]!r} is not a time")
    try:
        naive = datetime.strptime(digits, shape)  # noqa: DTZ007 - given its zone in the next line
    except ValueError:
        raise SshError(f"{text[:20]!r} is not a time") from None
    return naive.replace(tzinfo=UTC) if text.endswith("Z") else naive.astimezone()


def _matches(text: str, pattern: str) -> bool:
    """OpenSSH's patterns know * and ?, not [sets]."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))
