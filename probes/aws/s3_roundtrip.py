"""S3: may we write, read back and delete, as the application must."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from probes.clients.arns import arn
from probes.clients.clients import Clients
from probes.clients.threads import DaemonThreads
from probes.demand import Writes
from probes.probe import Probe, WritingParams
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, every, sorted_out

PREFIX = "cutover-probe/"
READ_WITHIN_S = 5.0
_ASKS_FIRST = Unknown(
    Reason.NO_DATA, "asks first: it writes an object and deletes it", "set consent: true once that is agreed"
)
Answer = dict[str, Any] | Unknown


class RoundtripParams(WritingParams):
    bucket: str
    """Name of the bucket."""
    encryption: Literal["", "AES256", "aws:kms"] = ""
    """Encryption to ask for, as the application does; without it the bucket's default is used."""


class S3Roundtrip(Probe[RoundtripParams]):
    """One small object, written, looked at, read back and deleted, under `cutover-probe/`. Only with `consent`.

    Uses s3 PutObject (with its SHA-256), HeadObject (ChecksumSHA256, ServerSideEncryption, VersionId), GetObject,
    DeleteObject, with ExpectedBucketOwner where the plan names an account. In a versioned bucket the deleted object stays
    as an old version: let the lifecycle expire the prefix. A refusal (403) makes its fields unknown.
    """

    name = "s3.roundtrip"
    params_type = RoundtripParams
    demands = (Writes("an object to the bucket", "bucket", when=lambda params: params.consent),)
    subjects = ("write", "written")
    cannot_see = "whether the application's own role may: this is the operator's"
    late = "not at all: the object is written when it is read"
    fields = (
        Field("ok", bool, "written, read back the same, encrypted, and deleted", example=True),
        Field("written", bool, "the object was taken", example=True),
        Field("read_back", bool, "what came back is what was written", example=True),
        Field("checksum_matches", bool, "S3's own SHA-256 is that of what was written", example=True),
        Field("encrypted", bool, "it is kept encrypted", example=True),
        Field("versioned", bool, "it was given a version", example=True),
        Field("deleted", bool, "it was deleted", example=True),
    )
    iam = ("s3:PutObject", "s3:GetObject", "s3:DeleteObject")
    interval = timedelta(minutes=10)
    writes = True

    @classmethod
    def never_known(cls, params: RoundtripParams) -> Mapping[str, str]:
        why = f"{_ASKS_FIRST.detail}: {_ASKS_FIRST.hint}"
        return {} if params.consent else dict.fromkeys((field.name for field in cls.fields), why)

    def __init__(self, params: RoundtripParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._threads = DaemonThreads(size=1, name="s3-body")

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        return dict.fromkeys(self.iam, (arn(self.clients.options, "s3", f"{self.params.bucket}/{PREFIX}*"),))

    async def close(self) -> None:
        self._threads.close()

    async def read(self, now: datetime) -> Reading:
        key = f"{PREFIX}{now:%Y%m%dT%H%M%S}-{secrets.token_hex(6)}"
        query = f"s3api put-object, head-object, get-object, delete-object --bucket {self.params.bucket} --key {key}"
        if not self.params.consent:
            return self.blind(now, _ASKS_FIRST, Evidence(query.replace(key, PREFIX)))
        body = f"cutover probe {key}\n".encode()
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        put = await self._put(key, body, digest)
        if isinstance(put, Unknown) and put.reason not in _MAYBE_WRITTEN:
            return self.blind(now, put, Evidence(query))
        try:
            head = put if isinstance(put, Unknown) else await self._ask("head_object", Key=key, ChecksumMode="ENABLED")
            back = put if isinstance(put, Unknown) else await self._body(key)
        finally:
            gone = await self._ask("delete_object", Key=key)
        fields = self._values(put, head, back == body if isinstance(back, bytes) else back, digest)
        fields["deleted"] = deleted = gone if isinstance(gone, Unknown) else True
        fields["ok"] = every(*(_sure(fields[name]) for name in _NEEDED), deleted)
        values, unknown = sorted_out(fields)
        request = str(put.get("ResponseMetadata", {}).get("RequestId", "")) if isinstance(put, dict) else ""
        return self.reading(now, values, unknown=unknown, evidence=Evidence(query, request, lines=_lines(head, gone)))

    def _values(self, put: Answer, head: Answer, read_back: bool | Unknown, digest: str) -> dict[str, FieldValue]:
        if isinstance(put, Unknown):
            return dict.fromkeys((*_NEEDED, "versioned"), put)
        fields: dict[str, FieldValue] = {
            "written": True,
            "read_back": read_back,
            "versioned": _is_version(put.get("VersionId")),
        }
        if isinstance(head, Unknown):
            return fields | {"checksum_matches": head, "encrypted": head}
        kept, wanted = head.get("ServerSideEncryption"), self.params.encryption
        checksum = head.get("ChecksumSHA256")
        silent = Unknown(Reason.NO_DATA, "S3 answered without ChecksumSHA256", "check that this store keeps checksums")
        return fields | {
            "checksum_matches": checksum == digest if checksum else silent,
            "encrypted": kept == wanted if wanted else bool(kept),
        }

    async def _put(self, key: str, body: bytes, digest: str) -> Answer:
        encryption = {"ServerSideEncryption": self.params.encryption} if self.params.encryption else {}
        return await self._ask(
            "put_object", Key=key, Body=body, ChecksumAlgorithm="SHA256", ChecksumSHA256=digest, **encryption
        )

    async def _body(self, key: str) -> bytes | Unknown:
        answer = await self._ask("get_object", Key=key)
        if isinstance(answer, Unknown):
            return answer
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                read: bytes = await self._threads.run(lambda: answer["Body"].read(64 * 1024))
        except TimeoutError:
            detail = f"the object did not come within {READ_WITHIN_S:g} s"
            return Unknown(Reason.TIMEOUT, detail, "slow, or the route drops packets")
        except Exception as error:  # noqa: BLE001 - whatever the library raises while it reads
            if type(error).__name__ == "FlexibleChecksumError":
                return b""  # botocore compared it with S3's checksum: what came is not what was written
            return Unknown(Reason.ERROR, one_line(f"reading the object: {error}", 200), "it is tried again")
        return read

    async def _ask(self, operation: str, **params: Any) -> Answer:
        owner = {"ExpectedBucketOwner": self.clients.options.account} if self.clients.options.account else {}
        try:
            return await self.clients.aws("s3", operation, Bucket=self.params.bucket, **owner, **params)
        except Unseen as unseen:
            return unseen.unknown


_NEEDED = ("written", "read_back", "checksum_matches", "encrypted")
_MAYBE_WRITTEN = (Reason.TIMEOUT, Reason.UNREACHABLE, Reason.ERROR)
"""Reasons after which the object may be there all the same, and is deleted to be sure."""


def _is_version(version: Any) -> bool:
    return bool(version) and version != "null"


def _sure(deleted: FieldValue) -> bool | Unknown:
    return deleted if isinstance(deleted, Unknown) else deleted is True


def _lines(head: Answer, gone: Answer) -> tuple[str, ...]:
    lines = []
    if isinstance(head, dict):
        lines.append(
            one_line(f"{head.get('ServerSideEncryption') or 'not encrypted'}, {head.get('ContentLength')} bytes")
        )
    if isinstance(gone, Unknown):
        lines.append(one_line(f"left behind: {gone.detail}"))
    return tuple(lines)
