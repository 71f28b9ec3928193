"""Who outside proves when a record was written, in a plan file."""

from __future__ import annotations

from pydantic import Field

from cockpit.plan.document.field_types import Certificates, Part, PublicKey, WebAddress


class TimestampsPart(Part):
    """An authority that timestamps the record (RFC 3161)."""

    url: WebAddress = Field(description="Where the authority takes requests")
    root: Certificates = Field(description="Its root certificate, in PEM, by which its timestamps are checked")


class TransparencyLogPart(Part):
    """A public log that takes in the record's hashes; it speaks Rekor's v1 API."""

    url: WebAddress = Field(description="Address of the log, without a path: https://rekor.sigstore.dev")
    key: PublicKey = Field(description="Its public key, in PEM, by which its entries are checked")


class RecordPart(Part):
    """Who outside is asked to prove when the record was written. Without these nobody is."""

    timestamps: TimestampsPart | None = Field(None, description="A timestamp authority; default none")
    transparency_log: TransparencyLogPart | None = Field(None, description="A transparency log; default none")
