"""The server itself: requests come in, are verified, and are answered as S3 answers them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Self
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from cockpit.rehearsal.object_store import listings
from cockpit.rehearsal.object_store.answers import Refused, error, xml
from cockpit.rehearsal.object_store.faults import StoreFault, choose
from cockpit.rehearsal.object_store.shelf import Parts, Shelf, Stored, checksum
from cockpit.rehearsal.object_store.signing import MOST_SKEW_S, signature_holds, signed_at, unsigned_headers
from cockpit.rehearsal.object_store.wire import Connection, Request, Response, unchunk

KEPT_HEADERS = (
    "content-type",
    "content-encoding",
    "content-disposition",
    "cache-control",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
)


class ObjectStore:
    """S3 on 127.0.0.1, in a thread of its own. Use as a context manager; `faults` may be changed at any time."""

    def __init__(
        self,
        *buckets: str,
        secrets: Mapping[str, str] | None = None,
        latency_s: float = 0.0,
        seed: int = 1,
        keeps_bytes: bool = True,
    ) -> None:
        self.buckets = {name: Shelf(name, keeps_bytes) for name in buckets}
        self.secrets = dict(secrets or {"rehearsal": "rehearsal-secret"})
        self.latency_s = latency_s
        self.faults: list[StoreFault] = []
        self.requests: Counter[str] = Counter()
        self.versioned = True
        self.aborts_after_days: int | None = 7
        self.locked_days: int | None = None
        """For so long Object Lock keeps every version."""
        self.requester_pays = False
        self.owner = ""
        """The account the buckets are of; empty: of whichever a caller expects."""
        self.foreign = 0
        """Requests refused because their caller expected another account to own the bucket."""
        self.unowned: Counter[str] = Counter()
        """Requests, by method, whose caller did not say whose bucket it expects."""
        self.clock_ahead_s = 0.0
        """How far this store's clock is ahead of the machine's."""
        self.url = ""
        self._chance = random.Random(seed)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._open: set[asyncio.Transport] = set()

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self, port: int = 0) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(port, ready), name="object-store", daemon=True)
        self._thread.start()
        ready.wait(10)
        return self

    def stop(self) -> None:
        loop = self._loop
        if loop is not None and self._thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join(5)
            self._loop = None

    def cut(self) -> None:
        """Break every connection, as a firewall does that has forgotten them."""

        def abort() -> None:
            for transport in list(self._open):
                transport.abort()

        if self._loop is not None:
            self._loop.call_soon_threadsafe(abort)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, port: int, ready: threading.Event) -> None:
        loop = self._loop = asyncio.new_event_loop()
        tasks: set[asyncio.Task[None]] = set()
        server = loop.run_until_complete(
            loop.create_server(lambda: Connection(self.handle, tasks, self._open), "127.0.0.1", port, backlog=1024)
        )
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        try:
            loop.run_forever()
        finally:
            server.close()
            for task in list(tasks):
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks, timeout=2))
            for transport in list(self._open):
                transport.abort()
            loop.run_until_complete(asyncio.sleep(0.01))
            loop.close()

    # -- one request -------------------------------------------------------------------------------------------------

    async def handle(self, request: Request) -> Response | None:
        """Answer one request, with whatever goes wrong with it."""
        bucket, _, key = request.path.lstrip("/").partition("/")
        struck = choose(self.faults, request.method, key, self._chance) if self.faults else []
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        for fault in struck:
            if fault.kind == "stall":
                await asyncio.sleep(fault.seconds)
            elif fault.kind == "reset_before":
                return None
            elif fault.kind == "status":
                return error(Refused(fault.status, fault.code, "as asked"))
            elif fault.kind == "flip" and request.body:
                body = bytearray(request.body)
                body[len(body) // 2] ^= 1
                request.body = bytes(body)
        try:
            response = self._obey(request, bucket, key)
        except Refused as refused:
            response = error(refused)
        if any(fault.kind == "reset_after" for fault in struck):
            return None
        return response

    def _obey(self, request: Request, bucket: str, key: str) -> Response:
        headers = request.headers
        if not signature_holds(request.method, request.raw_path, request.raw_query, headers, self.secrets):
            raise Refused(403, "SignatureDoesNotMatch")
        if unsigned_headers(headers):
            raise Refused(403, "AccessDenied", "There were headers present in the request which were not signed")
        if abs(signed_at(headers) - time.time() - self.clock_ahead_s) > MOST_SKEW_S:
            raise Refused(403, "RequestTimeTooSkewed", "The difference between the request time and ours is too large.")
        body = self._verified(request)
        shelf = self.buckets.get(bucket)
        query = request.query
        if shelf is None:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist")
        expected = headers.get("x-amz-expected-bucket-owner", "")
        self.unowned[request.method] += not expected
        if expected and self.owner and expected != self.owner:
            self.foreign += 1
            raise Refused(403, "AccessDenied", "Access Denied")
        if not key:
            return self._about_bucket(request.method, shelf, query)
        operation = f"{request.method}{''.join('?' + k for k in ('uploads', 'uploadId') if k in query)}"
        self.requests[operation] += 1
        if self.requester_pays and headers.get("x-amz-request-payer") != "requester":
            raise Refused(403, "AccessDenied", "Access Denied")
        if "uploads" in query and request.method == "POST":
            return xml("InitiateMultipartUploadResult", _begun(shelf, key, _kept(headers)))
        if "uploadId" in query:
            return self._in_parts(request.method, shelf, key, query, headers, body)
        if request.method == "PUT":
            return self._put(shelf, key, headers, body)
        return self._existing(request.method, shelf, key, query, headers)

    def _verified(self, request: Request) -> bytes:
        """The body as meant, once every digest that came with it fits."""
        headers, body = request.headers, request.body
        claimed = headers.get("x-amz-content-sha256", "")
        if claimed.startswith("STREAMING-"):
            decoded = unchunk(body)
            if decoded is None:
                raise Refused(400, "IncompleteBody")
            body = decoded[0]
        elif len(claimed) == 64 and claimed != hashlib.sha256(body).hexdigest():
            raise Refused(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' does not match")
        if (sha := headers.get("x-amz-checksum-sha256")) and sha != checksum(body):
            raise Refused(400, "BadDigest", "The SHA256 you specified did not match the calculated checksum.")
        if md5 := headers.get("content-md5"):
            actual = hashlib.md5(body, usedforsecurity=False).digest()
            if base64.b64decode(md5) != actual:
                raise Refused(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
        return body

    # -- objects -----------------------------------------------------------------------------------------------------

    def _put(self, shelf: Shelf, key: str, headers: Mapping[str, str], body: bytes) -> Response:
        _unless_there(shelf, key, headers)
        stored = shelf.put(key, body, _kept(headers))
        return Response(200, _described(stored) | {"x-amz-checksum-sha256": stored.sha256})

    def _existing(
        self, method: str, shelf: Shelf, key: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Response:
        if method == "DELETE":
            if "versionId" in query:
                if self.locked_days is not None:
                    raise Refused(403, "AccessDenied", "Access Denied because object protected by object lock.")
                shelf.erase(key, query["versionId"])
            elif shelf.current(key) is not None:
                shelf.delete(key)
            return Response(204)
        stored = shelf.current(key)
        if "versionId" in query:
            stored = next((v for v in shelf.versions.get(key, ()) if v.version == query["versionId"]), None)
        if stored is None or stored.deleted:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
        about = _described(stored) | stored.headers
        if headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            about["x-amz-checksum-sha256"] = stored.sha256
            about["x-amz-checksum-type"] = "COMPOSITE" if "-" in stored.sha256 else "FULL_OBJECT"
        about["last-modified"] = stored.modified.strftime("%a, %d %b %Y %H:%M:%S GMT")
        if method == "HEAD":
            return Response(200, about, length=stored.size)
        if (asked := headers.get("range", "")).startswith("bytes="):
            first, _, last = asked[6:].partition("-")
            start, stop = int(first or 0), min(int(last or stored.size), stored.size - 1)
            about["content-range"] = f"bytes {start}-{stop}/{stored.size}"
            return Response(206, about, stored.body[start : stop + 1])
        return Response(200, about, stored.body)

    def _in_parts(
        self,
        method: str,
        shelf: Shelf,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Response:
        parts = shelf.uploads.get(query["uploadId"])
        if parts is None or parts.key != key:
            raise Refused(404, "NoSuchUpload", "The specified upload does not exist.")
        if method == "PUT":
            parts.bodies[int(query["partNumber"])] = body
            digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
            return Response(200, {"etag": f'"{digest}"', "x-amz-checksum-sha256": checksum(body)})
        if method == "GET":
            return xml("ListPartsResult", _listed_parts(parts, int(query.get("part-number-marker") or 0)))
        if method == "DELETE":
            del shelf.uploads[parts.upload]
            return Response(204)
        _unless_there(shelf, key, headers)
        stored = shelf.complete(parts, _numbers(body, parts))
        found = f"<Key>{escape(key)}</Key><ETag>&quot;{stored.etag}&quot;</ETag>"
        found += f"<ChecksumSHA256>{stored.sha256}</ChecksumSHA256>"
        return xml("CompleteMultipartUploadResult", found, {"x-amz-version-id": stored.version})

    # -- buckets -----------------------------------------------------------------------------------------------------

    def _about_bucket(self, method: str, shelf: Shelf, query: Mapping[str, str]) -> Response:
        if method == "HEAD":
            return Response(200, {"x-amz-bucket-region": "us-east-1"})
        if method == "PUT":
            return Response(200)
        if "location" in query:
            return xml("LocationConstraint", "")
        if "versioning" in query:
            return xml("VersioningConfiguration", "<Status>Enabled</Status>" if self.versioned else "")
        if "object-lock" in query:
            if self.locked_days is None:
                raise Refused(404, "ObjectLockConfigurationNotFoundError")
            kept = f"<DefaultRetention><Mode>COMPLIANCE</Mode><Days>{self.locked_days}</Days></DefaultRetention>"
            enabled = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"
            return xml("ObjectLockConfiguration", f"{enabled}<Rule>{kept}</Rule>")
        if "lifecycle" in query:
            if self.aborts_after_days is None:
                raise Refused(404, "NoSuchLifecycleConfiguration")
            rule = (
                "<Rule><ID>abort</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>"
                f"<AbortIncompleteMultipartUpload><DaysAfterInitiation>{self.aborts_after_days}</DaysAfterInitiation>"
                "</AbortIncompleteMultipartUpload></Rule>"
            )
            return xml("LifecycleConfiguration", rule)
        if "uploads" in query:
            prefix = query.get("prefix", "")
            items = "".join(
                f"<Upload><Key>{escape(p.key)}</Key><UploadId>{p.upload}</UploadId>"
                f"<Initiated>{p.begun:%Y-%m-%dT%H:%M:%S.000Z}</Initiated></Upload>"
                for p in shelf.uploads.values()
                if p.key.startswith(prefix)
            )
            return xml("ListMultipartUploadsResult", f"<IsTruncated>false</IsTruncated>{items}")
        return listings.versions(shelf, query) if "versions" in query else listings.objects(shelf, query)


def _unless_there(shelf: Shelf, key: str, headers: Mapping[str, str]) -> None:
    if headers.get("if-none-match") == "*" and shelf.current(key) is not None:
        raise Refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")


def _begun(shelf: Shelf, key: str, headers: dict[str, str]) -> str:
    upload = shelf.begin(key, headers).upload
    return f"<Bucket>{shelf.name}</Bucket><Key>{escape(key)}</Key><UploadId>{upload}</UploadId>"


def _listed_parts(parts: Parts, after: int) -> str:
    found = "".join(
        f"<Part><PartNumber>{number}</PartNumber><Size>{len(body)}</Size>"
        f"<ETag>&quot;{hashlib.md5(body, usedforsecurity=False).hexdigest()}&quot;</ETag>"
        f"<ChecksumSHA256>{checksum(body)}</ChecksumSHA256></Part>"
        for number, body in sorted(parts.bodies.items())
        if number > after
    )
    return f"<UploadId>{parts.upload}</UploadId><IsTruncated>false</IsTruncated>{found}"


def _numbers(body: bytes, parts: Parts) -> list[int]:
    """The part numbers a CompleteMultipartUpload names, each with the ETag it really has."""
    root = ElementTree.fromstring(body)
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    numbers = []
    for part in root.iter(f"{space}Part"):
        number = int(part.findtext(f"{space}PartNumber") or 0)
        etag = (part.findtext(f"{space}ETag") or "").strip('"')
        held = parts.bodies.get(number)
        if held is None or hashlib.md5(held, usedforsecurity=False).hexdigest() != etag:
            raise Refused(400, "InvalidPart", f"part {number} is not there or has another ETag")
        given = part.findtext(f"{space}ChecksumSHA256")
        if given and given != checksum(held):
            raise Refused(400, "InvalidPart", f"part {number} has another checksum")
        numbers.append(number)
    if not numbers or numbers != sorted(numbers):
        raise Refused(400, "InvalidPartOrder")
    return numbers


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k in KEPT_HEADERS or k.startswith("x-amz-meta-")}


def _described(stored: Stored) -> dict[str, str]:
    return {"etag": f'"{stored.etag}"', "x-amz-version-id": stored.version}
