"""The one place where secrets are taken out of text before it is shown, logged or kept."""

from __future__ import annotations

import re

HIDDEN = "***"

_SECRET_NAME = r"[\w.-]*(?:passw(?:or)?d|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|encryption[_-]?key|credential|webhook)[\w.-]*"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/]*@", re.IGNORECASE), rf"\1:{HIDDEN}@"),
    (re.compile(r"\b(authorization|proxy-authorization|cookie|set-cookie|x-api-key|x-amz-security-token)(\"?\s*[:=]\s*\"?)[^\r\n\"]+", re.IGNORECASE), rf"\1\2{HIDDEN}"),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"([?&](?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|sig|AWSAccessKeyId|token|key|password|client_secret|code)=)[^&\s\"']+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf"([\"']?\b{_SECRET_NAME}[\"']?\s*[:=]\s*)(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s,;&}})\]\"']+)", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\bsk-ant-[A-Za-z0-9_-]+"), HIDDEN),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{16,}"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"), HIDDEN),
    (re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{8,}"), HIDDEN),
    (re.compile(r"https://hooks\.slack\.com/\S+"), f"https://hooks.slack.com/{HIDDEN}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"), HIDDEN),
)  # fmt: skip


def redact(text: str) -> str:
    """The text without passwords, keys, tokens and signatures.

    >>> redact("postgresql://app:s3cret@db/x?sslmode=require")
    'postgresql://app:***@db/x?sslmode=require'
    >>> redact('{"client_secret": "abc", "client_id": "me"}')
    '{"client_secret": ***, "client_id": "me"}'
    """
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def one_line(text: str, limit: int = 300) -> str:
    """Redacted, on one line, not longer than `limit` characters."""
    line = " ".join(redact(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
