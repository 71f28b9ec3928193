"""A part is hashed once: the SHA-256 S3 checks it by signs it, too, where botocore would hash it again for its signature."""

from __future__ import annotations

import base64
from typing import Any

from botocore.auth import AUTH_TYPE_MAPS, S3SigV4Auth

USUAL = ("v4", "s3v4")
BY_CHECKSUM = "s3v4-by-checksum"
CHECKSUM = "x-amz-checksum-sha256"


class SignedByChecksum(S3SigV4Auth):
    """AWS Signature Version 4, the payload's hash taken from the SHA-256 that goes with it; S3 refuses bytes that have another.

    Botocore hashes each body for its signature, with TLS and without, whether or not a checksum of it was given.
    """

    def payload(self, request: Any) -> str:
        """The SHA-256 of the body, in hexadecimal."""
        held = request.headers.get(CHECKSUM)
        return base64.b64decode(held).hex() if held else str(super().payload(request))  # type: ignore[no-untyped-call]


def hash_parts_once(client: Any) -> None:
    """Of this client; its other requests are signed as ever."""
    AUTH_TYPE_MAPS.setdefault(BY_CHECKSUM, SignedByChecksum)
    client.meta.events.register_first("choose-signer.s3.UploadPart", _by_checksum)


def _by_checksum(signature_version: str, **_: Any) -> str | None:
    return BY_CHECKSUM if signature_version in USUAL else None
