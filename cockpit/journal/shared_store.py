"""A record shared by several machines: each pushes its own chain and fetches the others', and no two ever write the same.

Everybody's local folder holds the whole journal; the store in the middle is a folder all can reach, or an S3 prefix. Without a
connection each goes on alone, and what is missing is made up for at the next `Sync.once`.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from cockpit.journal.chain import SUFFIX, files
from probes.redact import one_line

log = logging.getLogger(__name__)
_PART = re.compile(r"(?P<writer>[a-z0-9][a-z0-9._-]{0,62})/(?P<start>\d{12})\.jsonl")
MAX_PART = 4 << 20
"""Bytes of one batch of lines."""


class StoreUnreachable(Exception):  # noqa: N818 - where the store is
    """The store cannot be reached, or refuses; the message says why. Try again later."""


class Conflict(Exception):  # noqa: N818 - a fact about the store
    """Another text stands where this one belongs: two machines used one writer's name, or somebody changed it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One batch of whole lines of a chain, as it lies in a store; `start` and `length` in bytes of the chain's file.

    Named by where it starts, so that there is one text for every place, whatever was retried.
    """

    writer: str
    start: int
    length: int

    @property
    def name(self) -> str:
        return f"{self.writer}/{self.start:012d}.jsonl"

    @property
    def end(self) -> int:
        return self.start + self.length

    @classmethod
    def named(cls, name: str, length: int) -> Part | None:
        """None for a name that is no part's."""
        match = _PART.fullmatch(name)
        return cls(match["writer"], int(match["start"]), length) if match else None


class Store(Protocol):
    """Holds parts. A part once there is never changed. Every method may wait, and raises StoreUnreachable."""

    def parts(self) -> Sequence[Part]:
        """All there is, in any order."""
        ...

    def get(self, part: Part) -> bytes:
        """The whole object that has the part's name."""
        ...

    def put(self, part: Part, data: bytes) -> bool:
        """Add a part; False if something already has its name."""
        ...


class DirectoryStore:
    """A folder that all machines can reach (a network drive, a synchronised folder)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def parts(self) -> Sequence[Part]:
        try:
            found = [
                Part.named(path.relative_to(self._folder).as_posix(), path.stat().st_size)
                for path in self._folder.glob("*/*" + SUFFIX)
            ]
        except OSError as error:
            raise StoreUnreachable(f"{self._folder}: {error.strerror}") from None
        return [part for part in found if part is not None]

    def get(self, part: Part) -> bytes:
        try:
            return (self._folder / part.name).read_bytes()
        except OSError as error:
            raise StoreUnreachable(f"{self._folder / part.name}: {error.strerror}") from None

    def put(self, part: Part, data: bytes) -> bool:
        path = self._folder / part.name
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
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

    @classmethod
    def at(cls, url: str, *, profile: str = "", region: str = "", account: str = "") -> S3Store:
        """The store of `s3://bucket/prefix`. Raises ValueError for another address."""
        import boto3.session
        from botocore.config import Config

        place = urlsplit(url)
        if place.scheme != "s3" or not place.netloc:
            raise ValueError(f"{url!r} is not s3://BUCKET/PREFIX")
        config = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 2})
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
            if not answer.get("IsTruncated"):
                return found
            more = {"ContinuationToken": str(answer["NextContinuationToken"])}

    def get(self, part: Part) -> bytes:
        answer = self._call("get_object", Key=self._prefix + part.name)
        try:
            return bytes(answer["Body"].read())
        except Exception as error:  # noqa: BLE001 - whatever a broken connection raises
            raise StoreUnreachable(f"get_object: {one_line(str(error))}") from None

    def put(self, part: Part, data: bytes) -> bool:
        try:
            self._call("put_object", Key=self._prefix + part.name, Body=data, IfNoneMatch="*")
        except FileExistsError:
            return False
        return True

    def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = getattr(self._client, operation)(Bucket=self._bucket, **self._owner, **params)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status == 412:
                raise FileExistsError from None
            raise StoreUnreachable(f"{operation}: {one_line(str(error))}") from None
        except BotoCoreError as error:
            raise StoreUnreachable(f"{operation}: {one_line(str(error))}") from None
        return answer


def store_at(place: str, *, profile: str = "", region: str = "", account: str = "") -> Store:
    """The store at `s3://bucket/prefix`, or in a folder."""
    if place.startswith("s3://"):
        return S3Store.at(place, profile=profile, region=region, account=account)
    return DirectoryStore(Path(place))


class Sync:
    """Keeps one record's `journal/` and a store equal. Call `once` every few seconds, in a thread."""

    def __init__(
        self,
        journal: Path,
        store: Store,
        own: Sequence[str] | None = None,
        size: Callable[[], int] = lambda: -1,
    ) -> None:
        """`own`: the writers whose chains are pushed; by default every chain in the folder that did not come from the store.

        `size`: how much of a chain that is pushed counts, in bytes: a full disk takes back what lies behind. -1: all of it.
        """
        self._size = size
        self._journal = journal
        self._store = store
        self._own = own
        self._checked: set[str] = set()
        self.trouble = ""
        """Why the last round failed, in one line; empty when it did not."""

    def once(self) -> bool:
        """Push and fetch what is missing on either side; whether all went well, else `trouble` says why. Never raises."""
        try:
            self._round()
        except (StoreUnreachable, Conflict, OSError) as error:
            log.warning("sharing the journal: %s", error)
            self.trouble = str(error)
            return False
        self.trouble = ""
        return True

    def _round(self) -> None:
        there: dict[str, list[Part]] = {}
        for part in self._store.parts():
            there.setdefault(part.writer, []).append(part)
        here = {path.stem: path for path in files(self._journal)}
        mine = set(here) if self._own is None else set(self._own) & set(here)
        troubles: list[str] = []
        for writer in sorted(set(there) | mine):
            try:
                parts = _in_order(writer, there.get(writer, []))
                end = parts[-1].end if parts else 0
                path = here.get(writer, self._journal / (writer + SUFFIX))
                size = path.stat().st_size if path.exists() else 0
                if size < end and (self._own is None or writer not in self._own):
                    self._fetch(path, parts)
                elif writer in mine:
                    self._push(path, writer, parts)
            except Conflict as error:
                troubles.append(str(error))
        if troubles:
            raise Conflict("; ".join(troubles))

    def _push(self, path: Path, writer: str, parts: Sequence[Part]) -> None:
        """What the store lacks of a chain; the first time, whether it goes on from what the store has."""
        end = parts[-1].end if parts else 0
        start = parts[-1].start if parts and writer not in self._checked else end
        with path.open("rb") as file:
            file.seek(start)
            upto = self._size()
            data = file.read() if upto < 0 else file.read(max(0, upto - start))
        if start < end and self._store.get(parts[-1]) != data[: end - start]:
            raise Conflict(f"the store holds another {writer}{SUFFIX} than this machine")
        self._checked.add(writer)
        data = data[end - start : data.rfind(b"\n") + 1]
        while data:
            batch = data if len(data) <= MAX_PART else data[: data.rfind(b"\n", 0, MAX_PART) + 1]
            part = Part(writer, end, len(batch))
            if not self._store.put(part, batch):
                batch = self._store.get(part)  # an earlier try got through, or another process was first
                if not batch or not data.startswith(batch):
                    raise Conflict(f"{part.name} is in the store, and says something else than this machine")
            data, end = data[len(batch) :], end + len(batch)

    def _fetch(self, path: Path, parts: Sequence[Part]) -> None:
        """What is missing of another writer's chain, added to its file here. Its lock is held by whoever writes it here."""
        self._journal.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            size = os.fstat(handle).st_size
            for part in parts:
                if part.end <= size:
                    continue
                data = self._store.get(part)
                if len(data) != part.length or not data.endswith(b"\n"):
                    raise Conflict(f"{part.name} is not what its name says")
                if part.start < size and os.pread(handle, size - part.start, part.start) != data[: size - part.start]:
                    raise Conflict(f"the store holds another {path.name} than this machine")
                left = memoryview(data[size - part.start :])
                while left:
                    left = left[os.write(handle, left) :]
                size = part.end
            os.fsync(handle)
        except BlockingIOError:
            raise Conflict(f"the store has more of {path.name} than the process that writes it here") from None
        finally:
            os.close(handle)


def _in_order(writer: str, parts: Sequence[Part]) -> list[Part]:
    """The parts of one chain without gaps; what lies beyond a gap waits. Raises Conflict where two overlap."""
    made: list[Part] = []
    for part in sorted(parts, key=lambda part: (part.start, part.length)):
        end = made[-1].end if made else 0
        if part.start < end:
            raise Conflict(f"the store holds two texts for one place of {writer}{SUFFIX}")
        if part.start > end:
            break
        made.append(part)
    return made
