"""The application's document storage: real PutObject and GetObject calls, signed with the application's own key."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cockpit.rehearsal.aws.sessions import session
from probes.clients.threads import DaemonThreads

APPLICATION_KEY = "AKIAAPPROLE000000000"
"""The access key id by which the simulated AWS recognizes the application's calls."""
BUCKET = "transparent-trust-documents-prod"
REGION = "us-east-1"
_THREADS = 4


class UploadFailed(Exception):  # noqa: N818 - the report's uploadToS3 throws "File upload failed"
    """S3 did not take the file; `code` is its error code."""

    def __init__(self, code: str) -> None:
        super().__init__("File upload failed")
        self.code = code


def storage_key(file_type: str, filename: str, id_: str, at: datetime) -> str:
    """The report's generateS3Key: `documents/{type}/{id}_{milliseconds}_{sanitized name}`."""
    sanitized = re.sub(r"[^a-zA-Z0-9.-]", "_", filename)
    return f"documents/{file_type}/{id_}_{int(at.timestamp() * 1000)}_{sanitized}"


def application_client(service: str, endpoint: str) -> Any:
    """A boto3 client as the task role would have it: nothing from the environment, short deadlines."""
    config = Config(
        connect_timeout=2,
        read_timeout=5,
        retries={"total_max_attempts": 2, "mode": "standard"},
        max_pool_connections=_THREADS,
        s3={"addressing_style": "path"},
        proxies={},
    )
    return session().client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=APPLICATION_KEY,
        aws_secret_access_key="rehearsed-task-role",  # noqa: S106 - the simulated AWS checks no signature
        config=config,
    )


class DocumentStorage:
    """Puts and gets documents in a thread: a slow S3 delays nobody else. `on_put` hears every attempt's status."""

    def __init__(self, endpoint: str, on_put: Callable[[int], None]) -> None:
        self._client = application_client("s3", endpoint)
        self._threads = DaemonThreads(_THREADS, "s3")
        self._on_put = on_put

    async def upload(self, key: str, body: bytes, content_type: str) -> None:
        """Store one object. Raises UploadFailed with S3's error code."""
        code, status = await self._threads.run(partial(self._put, key, body, content_type))
        if status:
            self._on_put(status)
        if code:
            raise UploadFailed(code)

    async def download(self, key: str) -> bytes:
        """Read one object. Raises UploadFailed with S3's error code."""
        return await self._threads.run(partial(self._get, key))

    def close(self) -> None:
        self._threads.close()
        self._client.close()

    def _put(self, key: str, body: bytes, content_type: str) -> tuple[str, int]:
        """Error code (empty when stored) and HTTP status (0 when S3 never answered, which S3's metrics cannot see)."""
        try:
            self._client.put_object(
                Bucket=BUCKET, Key=key, Body=body, ContentType=content_type, ServerSideEncryption="AES256"
            )
        except ClientError as error:
            return str(error.response["Error"]["Code"]), int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        except BotoCoreError as error:
            return type(error).__name__, 0
        return "", 200

    def _get(self, key: str) -> bytes:
        try:
            body: bytes = self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except ClientError as error:
            raise UploadFailed(str(error.response["Error"]["Code"])) from error
        except BotoCoreError as error:
            raise UploadFailed(type(error).__name__) from error
        return body
