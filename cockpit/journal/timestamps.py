"""Timestamps by an authority (RFC 3161): proof that a line was there at a time, whatever this machine's clock says.

What is stamped is the line itself by SHA-256, so the message imprint of a token is the line's hash as the chain has it:
`openssl ts -verify -digest HASH -in TOKEN -CAfile CA` checks one with stock tools.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from cockpit.journal.dsse import from_base64
from cockpit.journal.entry import Type, hash_of
from cockpit.journal.writer import Draft
from cockpit.ordinary_file import read_ordinary
from probes.frozen import frozen

KIND = "timestamp"
SHA256 = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")
FOLDER, SUFFIX = "timestamps", ".tsr"
"""Tokens that were taken after a chain was closed lie beside the journal."""
MOST_BYTES = 64 * 1024
"""Of one token."""


class BadTimestamp(ValueError):  # noqa: N818 - what is wrong with it
    """A token that proves nothing; the message says why."""


@frozen
class Timestamp:
    """A token over one line of a chain."""

    head: str
    """Hash of the line it was asked for, hex."""
    token: bytes
    where: str = ""
    """The authority's host."""

    def draft(self) -> Draft:
        token = base64.b64encode(self.token).decode()
        return Draft(Type.ANCHOR, {"kind": KIND, "where": self.where, "head": self.head, "rfc3161": token})

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Timestamp | None:
        """The timestamp a body holds; None for a body of another kind. Raises BadTimestamp."""
        if body.get("kind") != KIND:
            return None
        try:
            return cls(str(body["head"]), from_base64(str(body["rfc3161"])), str(body.get("where", "")))
        except (KeyError, ValueError) as error:
            raise BadTimestamp(f"its timestamp cannot be read: {error}") from None

    def time(self, roots: Sequence[x509.Certificate] = ()) -> datetime:
        """When the authority saw the line. Raises BadTimestamp.

        With `roots` its signature and its certificates, as they were valid then, are checked up to one of those; without them
        only that it is of this line.
        """
        response = _decoded(self.token)
        imprint = response.tst_info.message_imprint
        if imprint.hash_algorithm != SHA256 or imprint.message.hex() != self.head:
            raise BadTimestamp("its timestamp is of another line")
        if roots:
            try:
                VerifierBuilder(roots=list(roots)).build().verify(response, bytes.fromhex(self.head))
            except (VerificationError, ValueError) as error:
                why = "is not signed by the authority given (--tsa-ca)"
                raise BadTimestamp(f"its timestamp {why}: {error}") from None
        return response.tst_info.gen_time

    @classmethod
    def in_file(cls, path: Path) -> Timestamp:
        """A token as it lies beside the journal; of whatever line it is. Raises OSError, BadTimestamp."""
        with path.open("rb") as file:
            token = file.read(MOST_BYTES + 1)
        return cls(_decoded(token).tst_info.message_imprint.message.hex(), token)


def request(line: bytes) -> TimeStampRequest:
    """What to ask an authority for this line: POST it as DER, `application/timestamp-query`."""
    return (
        TimestampRequestBuilder()
        .data(line)
        .hash_algorithm(HashAlgorithm.SHA256)
        .cert_request(cert_request=True)
        .build()
    )


def answered(asked: TimeStampRequest, line: bytes, answer: bytes, where: str) -> Timestamp:
    """The timestamp an authority answered with. Raises BadTimestamp where it refused, or stamped something else."""
    response = _decoded(answer)
    if response.tst_info.nonce != asked.nonce:
        raise BadTimestamp("the answer is not to this request: its nonce differs")
    made = Timestamp(hash_of(line), answer, where)
    made.time()
    return made


def read_roots(path: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file. Raises OSError, ValueError."""
    try:
        return x509.load_pem_x509_certificates(read_ordinary(path))
    except ValueError as error:
        raise ValueError(f"{path} holds no PEM certificates: {error}") from None


def _decoded(token: bytes) -> TimeStampResponse:
    """Raises BadTimestamp unless it was granted."""
    if len(token) > MOST_BYTES:
        raise BadTimestamp(f"the timestamp takes {len(token)} bytes; {MOST_BYTES} are allowed")
    try:
        response = decode_timestamp_response(token)
        if response.status not in (0, 1):
            raise BadTimestamp(f"the authority refused: {', '.join(response.status_string) or 'no reason given'}"[:200])
        response.tst_info.message_imprint  # noqa: B018 - raises where there is no token
    except BadTimestamp:
        raise
    except ValueError as error:
        raise BadTimestamp(f"not a timestamp: {error}"[:200]) from None
    return response
