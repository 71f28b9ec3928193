"""The one place where secrets are taken out of text before it is shown, logged or kept: known values first, then by shape.

Text of any shape costs linear time: repeats are bounded, or possessive over stretches that cannot overlap; long text is cut.
Most text is no secret: a shape is looked for only where a word occurs that it cannot be without.
"""

from __future__ import annotations

import re

from probes.known_secrets import HIDDEN, hide

__all__ = ["HIDDEN", "LIMIT", "holds_secret", "one_line", "redact"]

LIMIT = 64 * 1024
"""Characters looked at; the rest of a longer text is left out, with a note of how much."""
PASSES = 5
"""What one pass hides can uncover another secret's shape beside it; two passes are the rule."""
TOKEN = 4096
"""A cut goes back this far to find the end of a word, so that it does not go through the middle of a secret."""

_FLAGS = re.IGNORECASE | re.DOTALL
_NAME = (
    r"(?:passw(?:or)?d|pass(?:phrase|code)|[_-]pass(?!\w)|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|encryption[_-]?key|credential|webhook)[\w.-]{0,64}+"
)
_HEADER = r"\b(?:proxy-authorization|authorization|set-cookie|cookie|x-api-key|x-amz-security-token)"
_QUOTE = r"\\{0,7}[\"']"
_EQUALS = r"\s*+[:=]{1,2}+>?\s*+"

# A quoted text to its closing quote, or to the end; an escaped quote (JSON in JSON) closes with as many backslashes.
_QUOTED = (
    r"\"[^\"\\]*+(?:\\.[^\"\\]*+)*+(?:\"|\\?\Z)"
    r"|'[^'\\]*+(?:\\.[^'\\]*+)*+(?:'|\\?\Z)"
    r"|(?P<esc>\\{1,7}[\"'])(?:(?!(?<!\\)(?P=esc)).)*+(?:(?P=esc)|\Z)"
)
_GROUPED = r"\[[^\]]*+(?:\]|\Z)|\{[^}]*+(?:\}|\Z)"
# A bare text ends at a space, or at punctuation after which something new begins.
_BARE = r"(?:[^\s,;&)\]}\"']|[,;&)\]}\"'](?![,;&)\]}\"'\s]|\Z|[\w.-]{1,32}+[\"']?[=:]))++"
_LITERAL = r"[^\s,}\]]++"

_NAMES = ("pass", "pwd", "secret", "token", "key", "credential", "webhook")
_HEADERS = ("authorization", "cookie", "x-api-key", "x-amz-security-token")
_PATTERNS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (
        ("private key",),
        re.compile(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        HIDDEN,
    ),
    (
        _HEADERS,
        re.compile(rf"({_HEADER}{_QUOTE}{_EQUALS})(?:{_QUOTED}|{_GROUPED}|{_LITERAL})", _FLAGS),
        rf"\1{HIDDEN}",
    ),
    (_HEADERS, re.compile(rf"({_HEADER}{_EQUALS})(?:{_QUOTED}|[^\r\n]++)", _FLAGS), rf"\1{HIDDEN}"),
    (
        ("bearer", "basic"),
        re.compile(r"\b(bearer|basic)\s++[A-Za-z0-9._~+/=-]{6,}+", re.IGNORECASE),
        rf"\1 {HIDDEN}",
    ),
    (
        ("x-amz-", "sig", "accesskeyid", "token", "key", "password", "client_secret", "code"),
        re.compile(
            r"([?&](?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|sig|AWSAccessKeyId|token|key|password"
            r"|client_secret|code)=)[^&\s\"']++",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (
        _NAMES,
        re.compile(rf"({_NAME}{_QUOTE}{_EQUALS})(?:{_QUOTED}|{_GROUPED}|{_LITERAL})", _FLAGS),
        rf"\1{HIDDEN}",
    ),
    (_NAMES, re.compile(rf"({_NAME}{_EQUALS})(?:{_QUOTED}|{_GROUPED}|{_BARE})", _FLAGS), rf"\1{HIDDEN}"),
    (
        _NAMES,
        re.compile(rf"(--(?:[a-z]{{1,20}}+-){{0,3}}{_NAME}(?<!-id)\s++)(?!-)(?:{_QUOTED}|\S++)", _FLAGS),
        rf"\1{HIDDEN}",
    ),
    (
        ("password", "identified"),
        re.compile(rf"(\b(?:password|identified\s++by)\s++)(?:{_QUOTED})", _FLAGS),
        rf"\1{HIDDEN}",
    ),
    (("sk-ant-",), re.compile(r"\bsk-ant-[A-Za-z0-9_-]++"), HIDDEN),
    (("sk-",), re.compile(r"\bsk-[A-Za-z0-9_-]{16,}+"), HIDDEN),
    (("gocspx-",), re.compile(r"\bGOCSPX-[A-Za-z0-9_-]++"), HIDDEN),
    (("gh",), re.compile(r"\bgh[oprsu]_[A-Za-z0-9]{20,}+"), HIDDEN),
    (("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}+"), HIDDEN),
    (("xox",), re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{8,}+"), HIDDEN),
    (("hooks.slack.com",), re.compile(r"(https://hooks\.slack\.com/)[^\s\"'\\]++"), rf"\1{HIDDEN}"),
    (
        ("eyj",),
        re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]*+)?"),
        HIDDEN,
    ),
)
"""Words of which one occurs, in small letters, in every text that holds the shape; the shape; and what is left of it."""
_PLACE = re.compile(r"\S*+")
_PORT = re.compile(r":\d{1,5}(?:[/?#,]|\Z)")
_CUT_NOTE = re.compile(r"… \[\d{1,12} more characters\]\Z")
_BOUNDARY = re.compile(r"[\s\"'][^\s\"']*+\Z")


def redact(text: str) -> str:
    """The text without passwords, keys, tokens and signatures; after 64 KiB, only how much was left out.

    >>> redact("postgresql://app:s3cret@db/x?sslmode=require")
    'postgresql://app:***@db/x?sslmode=require'
    >>> redact('{"client_secret": "abc", "client_id": "me"}')
    '{"client_secret": ***, "client_id": "me"}'
    """
    text, note = _cut(hide(text))
    return _by_shape(text) + note


def holds_secret(text: str) -> bool:
    """Whether something in the text has the shape of a secret: judged alike wherever it is asked, whatever is known here."""
    text, _ = _cut(text)
    return _by_shape(text) != text


def _by_shape(text: str) -> str:
    for _ in range(PASSES):
        hidden = _hide(text)[:LIMIT]
        if hidden == text:
            break
        text = hidden
    return text


def one_line(text: str, limit: int = 300) -> str:
    """Redacted, on one line, not longer than `limit` characters."""
    line = " ".join(redact(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _hide(text: str) -> str:
    text = "://".join(_hide_password(part, first=at == 0) for at, part in enumerate(text.split("://")))
    # Outside ASCII other letters pass for these: "\u017f" is an "s" to a pattern that ignores case.
    small = text.lower() if text.isascii() else None
    for words, pattern, replacement in _PATTERNS:
        if small is None or any(word in small for word in words):
            text = pattern.sub(replacement, text)
    return text


def _cut(text: str) -> tuple[str, str]:
    """At most LIMIT characters, ending with a whole word where there is one, and a note of how many were left out."""
    if len(text) <= LIMIT + 40 and (cut := _CUT_NOTE.search(text, max(len(text) - 40, 0))):
        return text[: cut.start()][:LIMIT], cut[0]
    if len(text) <= LIMIT:
        return text, ""
    boundary = _BOUNDARY.search(text, LIMIT - TOKEN, LIMIT)
    end = boundary.start() if boundary else LIMIT
    return text[:end], f"… [{len(text) - end} more characters]"


def _hide_password(part: str, *, first: bool) -> str:
    """What follows `://` in a URL: the password runs to the last @ of the word, for it may hold / and @ itself."""
    word = "" if first else _PLACE.match(part)[0]  # type: ignore[index]  # the pattern matches anything
    colon = word.find(":")
    if colon < 0 or any(mark in word[:colon] for mark in "/?#") or (colon and _PORT.match(word, colon)):
        return part
    quote = min((at for at in (word.find('"', colon), word.find("'", colon)) if at >= 0), default=len(word))
    end = word.rfind("@", colon, quote)
    if end < 0:
        end = word.rfind("@", colon)
    return part if end < 0 else f"{part[: colon + 1]}{HIDDEN}{part[end:]}"
