"""What a text reveals about the system: names of buckets, clusters, databases, addresses, secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping

_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_NAME = r"[A-Za-z0-9][\w-]{0,120}"
_PATTERNS: Mapping[str, tuple[str, ...]] = {
    "bucket": (
        rf"S3 Bucket:?\**:?\s*`({_BUCKET})`",
        rf"s3://({_BUCKET})",
        rf"--bucket\s+({_BUCKET})",
        rf'S3_\w*BUCKET\s*=\s*"?({_BUCKET})',
    ),
    "cluster": (rf"ECS Cluster:?\**:?\s*`({_NAME})`", rf"--cluster\s+({_NAME})"),
    "service": (rf"ECS Service:?\**:?\s*`({_NAME})`", rf"--service\s+({_NAME})", rf"--services\s+({_NAME})"),
    "database": (rf"RDS Instance:?\**:?\s*`({_NAME})`", rf"--db-instance-identifier\s+({_NAME})"),
    "url": (
        r'(?:NEXTAUTH|APP|BASE|PUBLIC)_URL\s*=\s*"?(https://[\w.-]+)',
        r"(?:URL|Address):?\**:?\s*`?(https://[\w.-]+)",
    ),
    "region": (r'AWS_REGION\s*=\s*"?([a-z]{2}-[a-z]+-\d)', r"--region\s+([a-z]{2}-[a-z]+-\d)"),
}
_SECRET = re.compile(r"create-secret\s+(?:\\\s*)?--name\s+([\w/+=.@-]{1,200})")
_PLACEHOLDER = re.compile(r"your|example|xxx", re.IGNORECASE)


def names(text: str) -> dict[str, str]:
    """What is named, by what it is; the first name that is no placeholder counts.

    >>> names("aws s3 mb s3://docs-prod --region eu-west-1")
    {'bucket': 'docs-prod', 'region': 'eu-west-1'}
    """
    found: dict[str, str] = {}
    for key, patterns in _PATTERNS.items():
        hits = (hit[1] for pattern in patterns for hit in re.finditer(pattern, text))
        if name := next((hit for hit in hits if not _PLACEHOLDER.search(hit)), ""):
            found[key] = name
    return found


def secret_names(text: str) -> tuple[str, ...]:
    """The secrets that the text's commands create, in the order written."""
    return tuple(dict.fromkeys(_SECRET.findall(text)))[:20]
