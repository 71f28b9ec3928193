"""What a bucket holds: objects with their versions, and uploads in parts that nobody has finished yet."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from probes.frozen import frozen


@frozen
class Stored:
    """One version of one object. `sha256` is base64 as in `x-amz-checksum-sha256`; of parts it ends in `-N`."""

    key: str
    body: bytes = field(repr=False)
    size: int
    etag: str
    sha256: str
    version: str
    headers: dict[str, str]
    """Content-Type, encryption and metadata, as they were sent."""
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    deleted: bool = False


@dataclass(slots=True)
class Parts:
    """A multipart upload that has begun."""

    key: str
    upload: str
    headers: dict[str, str]
    bodies: dict[int, bytes] = field(default_factory=dict, repr=False)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(slots=True)
class Shelf:
    """One bucket, versioned. `keeps_bytes` False remembers sizes and digests only (for benchmarks)."""

    name: str
    keeps_bytes: bool = True
    versions: dict[str, list[Stored]] = field(default_factory=lambda: defaultdict(list))
    uploads: dict[str, Parts] = field(default_factory=dict)
    puts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """How often a key was written, accepted writes only."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def current(self, key: str) -> Stored | None:
        """The newest version, if it is not a delete marker."""
        versions = self.versions.get(key)
        return versions[-1] if versions and not versions[-1].deleted else None

    def names(self, prefix: str = "") -> list[str]:
        return sorted(key for key in self.versions if key.startswith(prefix) and self.current(key) is not None)

    def put(self, key: str, body: bytes, headers: dict[str, str], *, sha256: str = "", etag: str = "") -> Stored:
        stored = Stored(
            key,
            body if self.keeps_bytes else b"",
            len(body),
            etag or hashlib.md5(body, usedforsecurity=False).hexdigest(),
            sha256 or checksum(body),
            f"v{next(self._numbers):08d}",
            headers,
        )
        self.versions[key].append(stored)
        self.puts[key] += 1
        return stored

    def delete(self, key: str) -> Stored:
        """A delete marker, as a versioned bucket makes one."""
        marker = Stored(key, b"", 0, "", "", f"v{next(self._numbers):08d}", {}, deleted=True)
        self.versions[key].append(marker)
        return marker

    def erase(self, key: str, version: str) -> None:
        """Remove one version permanently."""
        self.versions[key] = [held for held in self.versions[key] if held.version != version]
        if not self.versions[key]:
            del self.versions[key]

    def begin(self, key: str, headers: dict[str, str]) -> Parts:
        parts = Parts(key, f"upload-{next(self._numbers):08d}", headers)
        self.uploads[parts.upload] = parts
        return parts

    def complete(self, parts: Parts, numbers: list[int]) -> Stored:
        bodies = [parts.bodies[number] for number in numbers]
        digests = b"".join(hashlib.sha256(body).digest() for body in bodies)
        md5s = b"".join(hashlib.md5(body, usedforsecurity=False).digest() for body in bodies)
        etag = f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(bodies)}"
        composite = f"{checksum(digests)}-{len(bodies)}"
        del self.uploads[parts.upload]
        return self.put(parts.key, b"".join(bodies), parts.headers, sha256=composite, etag=etag)

    def spoil(self, key: str) -> None:
        """Rot at rest: one bit of the newest version turns, and its recorded digests do not notice."""
        held = self.versions[key][-1]
        body = bytearray(held.body)
        body[len(body) // 2] ^= 1
        rotten = Stored(key, bytes(body), held.size, held.etag, held.sha256, held.version, held.headers, held.modified)
        self.versions[key][-1] = rotten


def checksum(body: bytes) -> str:
    """SHA-256 in base64, as S3 writes it."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode()
