"""What moto's S3 lacks: it checks no digests, does not ask whose bucket it is, and keeps no request-metrics settings."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Mapping

from moto.s3.models import s3_backends

from cockpit.rehearsal.aws.wire.protocols import Answer, AwsError
from cockpit.rehearsal.aws.wire.routing import Call

_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_ALGORITHMS: Mapping[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
}


class BucketAnswers:
    """Digests of PutObject and UploadPart, ExpectedBucketOwner, and bucket metrics configurations."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._metrics: dict[str, dict[str, str]] = {}

    def answers(self) -> Mapping[tuple[str, str], Callable[[Call], Answer | None]]:
        return {
            ("s3", "PutObject"): self.check_digest,
            ("s3", "UploadPart"): self.check_digest,
            ("s3", "PutBucketMetricsConfiguration"): self.put_metrics,
            ("s3", "GetBucketMetricsConfiguration"): self.get_metrics,
            ("s3", "ListBucketMetricsConfigurations"): self.list_metrics,
            ("s3", "DeleteBucketMetricsConfiguration"): self.delete_metrics,
        }

    def guard(self, call: Call) -> None:
        """Refuse a caller who expects somebody else to own the bucket. Raises AwsError."""
        expected = call.http.headers.get("x-amz-expected-bucket-owner")
        if expected is not None and expected != self._account:
            raise AwsError("AccessDenied", "Access Denied", 403)

    def check_digest(self, call: Call) -> None:
        """Refuse a body that is not what its digest says; moto stores the rest. Raises AwsError BadDigest."""
        headers, body = call.http.headers, call.http.body
        trailers: dict[str, str] = {}
        if "aws-chunked" in headers.get("content-encoding", "") or "x-amz-decoded-content-length" in headers:
            body, trailers = dechunked(body)
        sent = {**headers, **trailers}
        for name, digest in _ALGORITHMS.items():
            if name in sent and sent[name] != _base64(digest(body)):
                kind = name.removeprefix("x-amz-checksum-").upper()
                raise AwsError("BadDigest", f"The {kind} you specified did not match the calculated checksum.", 400)
            if name in headers and "x-amz-sdk-checksum-algorithm" not in headers:
                # moto keeps a checksum only where the algorithm is named too.
                call.extra_environ["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = name.rpartition("-")[2].upper()
        md5 = headers.get("content-md5")
        if md5 is not None and md5 != _base64(hashlib.md5(body, usedforsecurity=False).digest()):
            raise AwsError("BadDigest", "The Content-MD5 you specified did not match what we received.", 400)
        sha256 = headers.get("x-amz-content-sha256", "")
        if re.fullmatch(r"[0-9a-f]{64}", sha256) and sha256 != hashlib.sha256(call.http.body).hexdigest():
            message = "The provided 'x-amz-content-sha256' header does not match what was computed."
            raise AwsError("XAmzContentSHA256Mismatch", message, 400)

    def put_metrics(self, call: Call) -> Answer:
        bucket, text = self._bucket(call), call.http.body.decode()
        inner = re.search(r"<MetricsConfiguration[^>]*>(.*)</MetricsConfiguration>", text, re.DOTALL)
        if inner is None:
            raise AwsError("MalformedXML", "The XML you provided was not well-formed.", 400)
        self._metrics.setdefault(bucket, {})[call.query["id"]] = inner.group(1)
        return Answer(200)

    def get_metrics(self, call: Call) -> Answer:
        held = self._metrics.get(self._bucket(call), {}).get(call.query["id"])
        if held is None:
            raise AwsError("NoSuchConfiguration", "The specified configuration does not exist.", 404)
        return _xml(f"<MetricsConfiguration {_NAMESPACE}>{held}</MetricsConfiguration>")

    def list_metrics(self, call: Call) -> Answer:
        held = self._metrics.get(self._bucket(call), {})
        entries = "".join(f"<MetricsConfiguration>{held[id_]}</MetricsConfiguration>" for id_ in sorted(held))
        whole = f"<IsTruncated>false</IsTruncated>{entries}"
        return _xml(f"<ListMetricsConfigurationsResult {_NAMESPACE}>{whole}</ListMetricsConfigurationsResult>")

    def delete_metrics(self, call: Call) -> Answer:
        self._metrics.get(self._bucket(call), {}).pop(call.query["id"], None)
        return Answer(204)

    def _bucket(self, call: Call) -> str:
        bucket = call.bucket_and_key[0]
        if bucket not in s3_backends[self._account]["aws"].buckets:
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
        return bucket


def dechunked(body: bytes) -> tuple[bytes, dict[str, str]]:
    """The content of an aws-chunked body and its trailers. Raises AwsError for a body that is cut short."""
    parts: list[bytes] = []
    at = 0
    while True:
        end = body.find(b"\r\n", at)
        if end < 0:
            raise AwsError("IncompleteBody", "The request body terminated unexpectedly", 400)
        size = int(body[at:end].split(b";")[0] or b"0", 16)
        if size == 0:
            return b"".join(parts), dict(_trailers(body[end + 2 :]))
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


def _trailers(text: bytes) -> Iterator[tuple[str, str]]:
    for line in text.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip().lower(), value.strip()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _xml(text: str) -> Answer:
    return Answer(200, {"Content-Type": "application/xml"}, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode())
