"""S3 as the migration uses it: obstore carries the bytes, boto3 asks the questions. Errors come out as what to do about them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from cockpit.migration.settings import Settings
from cockpit.migration.store_errors import Busy, Halting, Missing, Rejected, StoreError, of_boto, of_obstore
from cockpit.migration_scope import Storage
from probes.clients.aws_sessions import aws_session
from probes.clients.threads import DaemonThreads
from probes.frozen import frozen

TIMEOUT_S = 30
ASKED_AGAIN = timedelta(minutes=6)
"""The data plane asks for credentials again when they hold for less than five minutes."""
_THREADS = 8
REQUESTER_PAYS = frozenset(
    {
        "abort_multipart_upload",
        "complete_multipart_upload",
        "create_multipart_upload",
        "delete_object",
        "get_object",
        "head_object",
        "list_multipart_uploads",
        "list_object_versions",
        "list_objects_v2",
        "list_parts",
        "upload_part",
    }
)
"""What is asked here that a bucket whose requester pays refuses without a word about who does."""


@frozen
class Head:
    """What S3 says about an object. `sha256` is empty where S3 has none of the whole object (parts)."""

    size: int
    sha256: bytes
    content_type: str
    encryption: str
    version: str
    in_parts: bool
    kms_key: str = ""
    bucket_key: bool = False


@frozen
class Body:
    """What was read back: the digest of every byte."""

    size: int
    sha256: bytes
    content_type: str
    version: str


@frozen
class Version:
    """One version of one key; `size` is None for a delete marker."""

    key: str
    id: str
    size: int | None = None


class Store:
    """One bucket. `open` makes the clients (credentials by AWS's usual chain); `close` lets go of the threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.bucket = settings.bucket
        self._threads = DaemonThreads(_THREADS, "s3")
        self._client: Any = None
        self._objects: Any = None
        self._not_open = ""
        self._renewing = asyncio.Lock()
        self.generation = 0
        """How often the credentials were looked for again."""
        self.of_environment = False
        """The credentials are variables of this process, which nothing can renew while it lives."""

    async def begin(self) -> None:
        """Open; where that cannot be done now, every request is refused with what was in the way, until `renew` has opened it."""
        with suppress(StoreError):
            await self._opened()

    async def renew(self, known: int) -> None:
        """Look for credentials again, in every place they may come from, unless that was done since this generation."""
        async with self._renewing:
            if known == self.generation:
                try:
                    await self._opened()
                finally:
                    self.generation += 1

    async def _opened(self) -> None:
        try:
            await self._threads.run(self.open)
        except StoreError as error:
            self._not_open = str(error)
            raise
        except Exception as error:  # noqa: BLE001 - botocore's many ways to have no credentials
            meant = of_boto(error)
            self._not_open = str(meant)
            raise meant from None

    def _client_of(self, made: Any) -> Any:
        """The client itself. Raises Halting where there is none, because nothing gave out credentials yet."""
        if made is None:
            raise Halting("NoCredentials", self._not_open or "nobody has looked for any", "log in, then resume")
        return made

    def open(self) -> None:
        from botocore import __version__ as version
        from botocore.config import Config

        from cockpit.migration.part_signing import hash_parts_once

        session = aws_session()
        found = session.get_credentials()
        if found is None:
            raise Halting("NoCredentials", "no AWS credentials were found", "log in, then resume")
        self.of_environment = found.method == "env"
        config = Config(
            connect_timeout=5,
            read_timeout=TIMEOUT_S,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=_THREADS + 2,
            s3={"addressing_style": "auto"},
            # Ours whole: botocore builds its own twice for every request.
            user_agent=f"cutover-cockpit/migration Botocore/{version}",
        )
        self._client = session.create_client("s3", region_name=self.settings.region or None, config=config)
        hash_parts_once(self._client)
        self._objects = _objects(session, self._client, self.settings)

    def close(self) -> None:
        self._threads.close()
        if self._client is not None:
            self._client.close()

    # -- the bytes ---------------------------------------------------------------------------------------------------

    async def put(self, key: str, body: bytes, content_type: str) -> str:
        """Create one object, encrypted, its SHA-256 checked by S3; its version. Never replaces one."""
        import obstore

        objects = self._client_of(self._objects)
        try:
            result = await obstore.put_async(
                objects, key, body, mode="create", attributes={"Content-Type": content_type}, use_multipart=False
            )
        except Exception as error:  # noqa: BLE001 - whatever obstore raises becomes a message that says what to do
            raise of_obstore(error) from None
        return str(result.get("version") or "")

    async def read(self, key: str) -> Body:
        """Read an object whole, in pieces."""
        import obstore

        digest, size = hashlib.sha256(), 0
        objects = self._client_of(self._objects)
        try:
            got = await obstore.get_async(objects, key)
            async for piece in got.stream(min_chunk_size=1024 * 1024):
                digest.update(piece)
                size += len(piece)
        except Exception as error:  # noqa: BLE001
            raise of_obstore(error) from None
        kind = str(got.attributes.get("Content-Type", ""))
        return Body(size, digest.digest(), kind, str(got.meta.get("version") or ""))

    async def fetch(self, key: str, start: int, length: int, size: int) -> bytes:
        """A stretch of an object of `size` bytes. Raises StoreError; also where the answer is of another length."""
        import obstore

        if length < size:
            # Not every S3 answers a range with 206, as obstore insists on.
            answer = await self.ask("get_object", Key=key, Range=f"bytes={start}-{start + length - 1}", whole_body=True)
            body: bytes = answer["Body"]
        else:
            objects = self._client_of(self._objects)
            try:
                body = bytes(await (await obstore.get_async(objects, key)).bytes_async())
            except Exception as error:  # noqa: BLE001
                raise of_obstore(error) from None
        if len(body) != length:
            raise Busy("IncompleteBody", f"{len(body)} bytes received of {length}")
        return body

    # -- questions and uploads in parts ------------------------------------------------------------------------------

    async def ask(self, operation: str, *, whole_body: bool = False, **given: Any) -> dict[str, Any]:
        """One boto3 call about the bucket, in a thread; with `whole_body` the answer's is read there too."""
        if self.settings.account:
            given["ExpectedBucketOwner"] = self.settings.account
        if self.settings.storage.requester_pays and operation in REQUESTER_PAYS:
            given["RequestPayer"] = "requester"

        client = self._client_of(self._client)

        def call() -> dict[str, Any]:
            answer: dict[str, Any] = getattr(client, operation)(Bucket=self.bucket, **given)
            return answer | {"Body": answer["Body"].read()} if whole_body else answer

        try:
            answer = await self._threads.run(call)
        except Exception as error:  # noqa: BLE001
            raise of_boto(error) from None
        return answer

    async def head(self, key: str) -> Head:
        """What S3 says about an object. A refusal without a reason is the object's own where the bucket answers."""
        try:
            answer = await self.ask("head_object", Key=key, ChecksumMode="ENABLED")
        except Halting as halting:
            if halting.code != "400":
                raise
            await self.ask("head_bucket")
            raise Rejected(halting.code, "S3 refuses this object alone, without saying why") from None
        sha = str(answer.get("ChecksumSHA256", ""))
        whole = sha and "-" not in sha and answer.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
        return Head(
            int(answer["ContentLength"]),
            base64.b64decode(sha) if whole else b"",
            str(answer.get("ContentType", "")),
            str(answer.get("ServerSideEncryption", "")),
            str(answer.get("VersionId", "")),
            "-" in str(answer.get("ETag", "")),
            str(answer.get("SSEKMSKeyId", "")),
            bool(answer.get("BucketKeyEnabled", False)),
        )

    async def begin_parts(self, key: str, content_type: str) -> str:
        answer = await self.ask(
            "create_multipart_upload",
            Key=key,
            ContentType=content_type,
            ChecksumAlgorithm="SHA256",
            **_encryption(self.settings.storage),
        )
        return str(answer["UploadId"])

    async def put_part(self, key: str, upload: str, number: int, body: bytes, sha256: bytes) -> dict[str, Any]:
        encoded = base64.b64encode(sha256).decode()
        answer = await self.ask(
            "upload_part", Key=key, UploadId=upload, PartNumber=number, Body=body, ChecksumSHA256=encoded
        )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": encoded}

    async def parts(self, key: str, upload: str) -> dict[int, dict[str, Any]]:
        """The parts that are there, by number. Raises Missing when the upload is not."""
        found: dict[int, dict[str, Any]] = {}
        marker = 0
        while True:
            answer = await self.ask("list_parts", Key=key, UploadId=upload, PartNumberMarker=marker)
            found |= {part["PartNumber"]: part for part in answer.get("Parts", [])}
            if not answer.get("IsTruncated"):
                return found
            marker = int(answer["NextPartNumberMarker"])

    async def finish_parts(self, key: str, upload: str, parts: list[dict[str, Any]]) -> str:
        answer = await self.ask(
            "complete_multipart_upload", Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
        )
        return str(answer.get("VersionId", ""))

    async def abort_parts(self, key: str, upload: str) -> None:
        try:
            await self.ask("abort_multipart_upload", Key=key, UploadId=upload)
        except Missing:
            return

    async def uploads(self, prefix: str) -> list[tuple[str, str]]:
        """Keys and ids of uploads in parts that nobody has finished."""
        found: list[tuple[str, str]] = []
        marker: dict[str, Any] = {}
        while True:
            answer = await self.ask("list_multipart_uploads", Prefix=prefix, **marker)
            found += [(upload["Key"], upload["UploadId"]) for upload in answer.get("Uploads", [])]
            if not answer.get("IsTruncated"):
                return found
            marker = {"KeyMarker": answer["NextKeyMarker"], "UploadIdMarker": answer["NextUploadIdMarker"]}

    async def delete(self, key: str, version: str = "") -> None:
        given: dict[str, Any] = {"VersionId": version} if version else {}
        await self.ask("delete_object", Key=key, **given)

    async def versions(self, prefix: str) -> AsyncIterator[Version]:
        """Every version of every key that begins so, in the order of keys."""
        marker: dict[str, Any] = {}
        while True:
            answer = await self.ask("list_object_versions", Prefix=prefix, **marker)
            found = [Version(one["Key"], one["VersionId"], int(one["Size"])) for one in answer.get("Versions", [])]
            found += [Version(one["Key"], one["VersionId"]) for one in answer.get("DeleteMarkers", [])]
            for version in sorted(found, key=lambda one: one.key):
                yield version
            if not answer.get("IsTruncated"):
                return
            marker = {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}

    async def keys(self, prefix: str, after: str) -> list[str]:
        """Up to a thousand keys after this one, in order."""
        answer = await self.ask("list_objects_v2", Prefix=prefix, StartAfter=after)
        return [str(found["Key"]) for found in answer.get("Contents", [])]


def _objects(session: Any, client: Any, settings: Settings) -> Any:
    from obstore.store import S3Store

    endpoint, region = str(client.meta.endpoint_url), settings.region or str(client.meta.region_name)
    # Any other (a VPC's, FIPS, dual-stack, another partition's, one that is no Amazon's) is the data plane's too, by path.
    amazon = endpoint in (f"https://s3.{region}.amazonaws.com", "https://s3.amazonaws.com")
    config = {
        "aws_region": region,
        "aws_checksum_algorithm": "sha256",
        "aws_virtual_hosted_style_request": str(amazon and "." not in settings.bucket).lower(),
    }
    storage = settings.storage
    if storage.encryption:
        config["aws_server_side_encryption"] = storage.encryption
    if storage.kms_key:
        config["aws_sse_kms_key_id"] = storage.kms_key
    if storage.bucket_key:
        config["aws_sse_bucket_key_enabled"] = "true"
    if storage.requester_pays:
        config["aws_request_payer"] = "true"
    if not amazon:
        config["aws_endpoint"] = endpoint
    # No idle connection is kept for long: S3 closes them after about 20 seconds, and a reset would look like trouble.
    options: dict[str, Any] = {
        "timeout": f"{TIMEOUT_S}s",
        "connect_timeout": "5s",
        "pool_idle_timeout": "15s",
        "allow_http": str(endpoint.startswith("http:")).lower(),
    }
    if settings.account:  # signed with the rest: S3 refuses a bucket that is somebody else's before it takes a byte
        options["default_headers"] = {"x-amz-expected-bucket-owner": settings.account}
    return S3Store(
        settings.bucket,
        config=config,  # type: ignore[arg-type]
        client_options=options,  # type: ignore[arg-type]
        retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=TIMEOUT_S)},
        credential_provider=_SharedCredentials(session.get_credentials()),
    )


def _encryption(storage: Storage) -> dict[str, Any]:
    """The same, in the words of boto3."""
    given: dict[str, Any] = {"ServerSideEncryption": storage.encryption} if storage.encryption else {}
    given |= {"SSEKMSKeyId": storage.kms_key} if storage.kms_key else {}
    return given | ({"BucketKeyEnabled": True} if storage.bucket_key else {})


class _SharedCredentials:
    """The credentials of boto's session, which renews them in time, for the data plane too; asked for once a minute at least."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def __call__(self) -> Any:
        held = self._credentials.get_frozen_credentials()
        until = datetime.now(UTC) + ASKED_AGAIN
        ends = getattr(self._credentials, "_expiry_time", None)  # of those that boto renews
        return {
            "access_key_id": held.access_key,
            "secret_access_key": held.secret_key,
            "token": held.token,
            "expires_at": min(until, ends.astimezone(UTC)) if ends else until,
        }
