"""Signature Version 4, checked as S3 checks it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, unquote_plus

UNSIGNED = "UNSIGNED-PAYLOAD"
MOST_SKEW_S = 15 * 60.0
"""S3 refuses what was signed longer ago, or will be."""


@lru_cache(maxsize=64)
def _key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def signature_holds(method: str, path: str, query: str, headers: Mapping[str, str], secrets: Mapping[str, str]) -> bool:
    """Whether the Authorization header fits the request. `secrets`: access key id -> secret."""
    given = headers.get("authorization", "")
    if not given.startswith("AWS4-HMAC-SHA256 "):
        return False
    parts = dict(part.strip().partition("=")[::2] for part in given[len("AWS4-HMAC-SHA256 ") :].split(","))
    scope = parts.get("Credential", "").split("/")
    if len(scope) != 5 or scope[0] not in secrets:
        return False
    access, day, region, service, _ = scope
    signed = parts.get("SignedHeaders", "").split(";")
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in signed)
    payload = headers.get("x-amz-content-sha256", UNSIGNED)
    canonical = "\n".join((method, path, _canonical_query(query), lines, ";".join(signed), payload))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", headers.get("x-amz-date", ""), "/".join(scope[1:]), digest))
    expected = hmac.new(_key(secrets[access], day, region, service), text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts.get("Signature", ""))


def unsigned_headers(headers: Mapping[str, str]) -> list[str]:
    """Headers of Amazon's own that the signature leaves out; S3 takes no request with one.

    >>> unsigned_headers({"authorization": "AWS4-HMAC-SHA256 SignedHeaders=host;x-amz-date, Signature=0", "x-amz-acl": "private"})
    ['x-amz-acl']
    """
    signed = headers.get("authorization", "").partition("SignedHeaders=")[2].partition(",")[0].split(";")
    return [name for name in headers if name.startswith("x-amz-") and name not in signed]


def signed_at(headers: Mapping[str, str]) -> float:
    """When a request was signed, in seconds since 1970; 0 where it does not say so."""
    try:
        return datetime.strptime(headers.get("x-amz-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = (part.partition("=")[::2] for part in query.split("&"))
    encoded = ((quote(unquote_plus(k), safe="-_.~"), quote(unquote_plus(v), safe="-_.~")) for k, v in pairs)
    return "&".join(f"{k}={v}" for k, v in sorted(encoded))
