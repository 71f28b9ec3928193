"""Where a record is shared by several machines: a folder all can reach, or an S3 prefix, with parts of chains in it.

Whoever shares the record may put anything there. The name of a part says who wrote it, where it belongs and what it holds, so
that nobody can take the place of a part that is not written yet; `sharing.py` takes in only what its writer vouches for.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from cockpit.journal.chain import SUFFIX
from probes.clients.proxies import prepare
from probes.clients.signing_time import correct_signing
from probes.frozen import frozen
from probes.redact import one_line

_PART = re.compile(r"(?P<writer>[a-z0-9][a-z0-9._-]{0,62})/(?P<start>\d{12})-(?P<sha>[0-9a-f]{32})\.jsonl")
MAX_FETCHED = 64 << 20
"""Bytes of one object that is fetched: a part takes a few MiB."""
MOST_PARTS = 200_000
LONGEST_CLAIM = 120
"""Bytes of a claim that are fetched: it is the name of a record."""


class StoreUnreachable(Exception):  # noqa: N818 - where the store is
    """The store cannot be reached, or refuses; the message says why. Try again later."""


@frozen
class Part:
    """One batch of whole lines of a chain, as it lies in a store; `start` and `length` in bytes of the chain's file."""

    writer: str
    start: int
    length: int
    sha: str
    """The first half of its SHA-256, hex."""

    @classmethod
    def of(cls, writer: str, start: int, data: bytes) -> Part:
        return cls(writer, start, len(data), _sha(data))

    def holds(self, data: bytes) -> bool:
        """Whether these are the bytes it is named for."""
        return len(data) == self.length and _sha(data) == self.sha

    @property
    def name(self) -> str:
        return f"{self.writer}/{self.start:012d}-{self.sha}.jsonl"

    @property
    def end(self) -> int:
        return self.start + self.length

    @classmethod
    def named(cls, name: str, length: int) -> Part | None:
        """None for a name that is no part's."""
        match = _PART.fullmatch(name)
        return cls(match["writer"], int(match["start"]), length, match["sha"]) if match else None


class Store(Protocol):
    """Holds parts, and claims of which record is kept there. What is once there is never changed.

    Every method may wait, and raises StoreUnreachable.
    """

    def parts(self) -> Sequence[Part]:
        """All there is, in any order."""
        ...

    def get(self, part: Part) -> bytes:
        """The object that has the part's name; no more of it than the part's length and a byte."""
        ...

    def put(self, part: Part, data: bytes) -> bool:
        """Add a part; False if something already has its name."""
        ...

    def claimed(self, number: int) -> bytes | None:
        """What the claim of that number says, no more of it than a claim's length and a byte; None where there is none."""
        ...

    def claim(self, number: int, data: bytes) -> bool:
        """Put a claim; False if there is one of that number."""
        ...


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _claim_name(number: int) -> str:
    return f"record-{number}.claim"


class DirectoryStore:
    """A folder that all machines can reach (a network drive, a synchronised folder)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._device: int | None = None
        """Which file system it is on; None until it was seen."""

    def parts(self) -> Sequence[Part]:
        try:
            self._look_where_it_is()
            # A pipe or a folder in the place of an object says still what its name announces.
            there = [(path, path.lstat()) for path in self._folder.glob("*/*" + SUFFIX)]
            found = [
                Part.named(
                    path.relative_to(self._folder).as_posix(), about.st_size if stat.S_ISREG(about.st_mode) else 0
                )
                for path, about in there
            ]
        except OSError as error:
            raise StoreUnreachable(f"{self._folder}: {error.strerror}") from None
        return [part for part in found if part is not None]

    def _look_where_it_is(self) -> None:
        """A drive that is not mounted any more leaves nothing, or an empty folder, in its place. Raises StoreUnreachable."""
        try:
            about = self._folder.stat()
            device = about.st_dev if stat.S_ISDIR(about.st_mode) else None  # a file in its place is no share
        except FileNotFoundError:
            device = None
        if self._device not in (None, device):
            raise StoreUnreachable(f"{self._folder}: it is not what was there before: is its drive still mounted?")
        self._device = device

    def get(self, part: Part) -> bytes:
        try:
            return self._read(part.name, part.length + 1)
        except OSError as error:
            raise StoreUnreachable(f"{self._folder / part.name}: {error.strerror}") from None

    def put(self, part: Part, data: bytes) -> bool:
        return self._create(part.name, data)

    def claimed(self, number: int) -> bytes | None:
        name = _claim_name(number)
        try:
            return self._read(name, LONGEST_CLAIM + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnreachable(f"{self._folder / name}: {error.strerror}") from None

    def claim(self, number: int, data: bytes) -> bool:
        return self._create(_claim_name(number), data)

    def _read(self, name: str, most: int) -> bytes:
        # A pipe that was put in its place must not hold this up.
        handle = os.open(self._folder / name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            return file.read(most)

    def _create(self, name: str, data: bytes) -> bool:
        path = self._folder / name
        # Of two machines with processes of one number, neither may write to what the other has just put.
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                path.hardlink_to(draft)  # appears whole, and only where nothing is
            except FileExistsError:
                return False
            finally:
                draft.unlink()
        except OSError as error:
            raise StoreUnreachable(f"{path}: {error.strerror}") from None
        return True


class S3Store:
    """A prefix of a bucket. Objects are created with `If-None-Match: *`, so nothing is ever written over.

    Needs s3:ListBucket, s3:GetObject and s3:PutObject. Where the bucket has a default retention (Object Lock) it holds for
    these objects too, and nobody can delete them.
    """

    def __init__(self, client: Any, bucket: str, prefix: str, *, account: str = "") -> None:
        """`client` is boto3's for S3, with short timeouts. `account` is the bucket's owner, checked with every call."""
        self._client = client
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._owner = {"ExpectedBucketOwner": account} if account else {}
        self._refuses: bool | None = None
        """Whether it refuses what would be written over something; None until that was seen."""

    @classmethod
    def at(cls, url: str, *, profile: str = "", region: str = "", account: str = "") -> S3Store:
        """The store of `s3://bucket/prefix`. Raises ValueError for another address."""
        import boto3.session
        from botocore.config import Config

        place = urlsplit(url)
        if place.scheme != "s3" or not place.netloc:
            raise ValueError(f"{url!r} is not s3://BUCKET/PREFIX")
        config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 2})
        prepare()
        correct_signing()
        session = boto3.session.Session(profile_name=profile or None, region_name=region or None)
        return cls(session.client("s3", config=config), place.netloc, place.path, account=account)

    def parts(self) -> Sequence[Part]:
        found: list[Part] = []
        more: dict[str, str] = {}
        while True:
            answer = self._call("list_objects_v2", Prefix=self._prefix, **more)
            for each in answer.get("Contents", ()):
                part = Part.named(str(each["Key"]).removeprefix(self._prefix), int(each["Size"]))
                found += [part] if part else []
            if len(found) > MOST_PARTS:
                raise StoreUnreachable(
                    f"it holds more than {MOST_PARTS} objects: share this record under a prefix of its own"
                )
            if not answer.get("IsTruncated"):
                return found
            more = {"ContinuationToken": str(answer["NextContinuationToken"])}

    def get(self, part: Part) -> bytes:
        try:
            return self._read(part.name, part.length + 1)
        except FileNotFoundError as error:
            raise StoreUnreachable(f"get_object: {error}") from None

    def put(self, part: Part, data: bytes) -> bool:
        return self._create(part.name, data)

    def claimed(self, number: int) -> bytes | None:
        try:
            return self._read(_claim_name(number), LONGEST_CLAIM + 1)
        except FileNotFoundError:
            return None

    def claim(self, number: int, data: bytes) -> bool:
        return self._create(_claim_name(number), data)

    def _read(self, name: str, most: int) -> bytes:
        answer = self._call("get_object", Key=self._prefix + name)
        try:
            return bytes(answer["Body"].read(most))
        except Exception as error:  # noqa: BLE001 - whatever a broken connection raises
            raise StoreUnreachable(f"get_object: {one_line(str(error))}") from None
        finally:
            answer["Body"].close()

    def _create(self, name: str, data: bytes) -> bool:
        """Some that speak S3 pay no heed to `If-None-Match`: whether this one does is tried with the first object put there."""
        is_new = self._put(name, data)
        if self._refuses is None:
            self._refuses = not (is_new and self._put(name, data))
            self._refuse_if_heedless()
        return is_new

    def _refuse_if_heedless(self) -> None:
        if self._refuses is False:
            raise StoreUnreachable(
                "it writes over what is there (no heed to If-None-Match), so nothing is safe there: "
                "share in a store that refuses that, such as Amazon S3"
            )

    def _put(self, name: str, data: bytes) -> bool:
        try:
            self._call("put_object", Key=self._prefix + name, Body=data, IfNoneMatch="*")
        except FileExistsError:
            return False
        return True

    def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Raises StoreUnreachable; FileExistsError and FileNotFoundError of one key."""
        from botocore.exceptions import BotoCoreError, ClientError

        self._refuse_if_heedless()
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(Bucket=self._bucket, **self._owner, **params)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            code = error.response.get("Error", {}).get("Code")
            if status == 412 or code == "ConditionalRequestConflict":  # another is just putting it
                raise FileExistsError from None
            if code == "NoSuchKey":
                raise FileNotFoundError(one_line(str(error))) from None
            raise StoreUnreachable(f"{operation}: {one_line(str(error))}") from None
        except BotoCoreError as error:
            raise StoreUnreachable(f"{operation}: {one_line(str(error))}") from None
        return answer


def store_at(place: str, *, profile: str = "", region: str = "", account: str = "") -> Store:
    """The store at `s3://bucket/prefix`, or in a folder."""
    if place.startswith("s3://"):
        return S3Store.at(place, profile=profile, region=region, account=account)
    return DirectoryStore(Path(place))
