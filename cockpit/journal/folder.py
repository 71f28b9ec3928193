"""The record of a cutover as a folder: the plan it ran by, everyone's journal, and the readings.

<state>/records/<UTC time>-<plan name>/
    plan.yaml  plan-<digest>.yaml ...     the plan at the start, and after each change
    journal/<writer>.jsonl                one chain per writer
    readings.sqlite                       everything the probes saw here
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_state_path

from cockpit.journal.chain import SUFFIX, Chain, files, merged, read_all
from cockpit.journal.entry import Line

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_STAMP = re.compile(r"\d{8}T\d{6}Z-")


def records_root() -> Path:
    """Where records are kept unless told otherwise."""
    return Path(user_state_path("cockpit", appauthor=False)) / "records"


@dataclass(frozen=True, slots=True)
class RecordFolder:
    """One record. Nothing here judges it; `verify.verify_record` does."""

    path: Path

    @classmethod
    def create(cls, plan_name: str, plan_text: bytes, now: datetime, root: Path | None = None) -> RecordFolder:
        """A new record with its copy of the plan, readable by its owner only. Raises OSError."""
        root = records_root() if root is None else root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = _ODD.sub("-", plan_name).strip("-.")[:60] or "plan"
        stem = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{name}"
        for number in range(1, 1000):
            path = root / (stem if number == 1 else f"{stem}-{number}")
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
                folder = cls(path)
                folder.journal.mkdir(mode=0o700)
                folder.keep_plan(plan_text)
                return folder
        raise FileExistsError(f"{root} holds too many records named {stem}")

    @property
    def id(self) -> str:
        """The record's name: what its sessions and people sign for. A shared session gives it to everyone who joins."""
        return self.path.name

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @property
    def readings(self) -> Path:
        return self.path / "readings.sqlite"

    @property
    def plan(self) -> Path:
        return self.path / "plan.yaml"

    def keep_plan(self, text: bytes) -> str:
        """Keep a copy of the plan's file as it is; its digest, as `Plan.digest` has it. Raises OSError.

        The copy is the file, before any variable is put in: what the environment gave never enters.
        """
        digest = hashlib.sha256(text).hexdigest()
        path = self.plan
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            path = self.path / f"plan-{digest[:12]}.yaml"
        if not path.exists():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        return digest

    def plans(self) -> list[Path]:
        """Every copy of the plan it holds: as at the start, then as it was changed to."""
        return [path for path in (self.plan, *sorted(self.path.glob("plan-*.yaml"))) if path.is_file()]

    def chains(self) -> list[Chain]:
        """Every writer's chain, unjudged. Raises OSError."""
        return read_all(self.journal)

    def lines(self) -> list[tuple[str, Line]]:
        """(writer, line) of all chains in one order. Raises OSError."""
        return merged(self.chains())


def find_record(name: str, root: Path | None = None) -> RecordFolder:
    """A record by its path, its name, or "latest". Raises FileNotFoundError."""
    root = records_root() if root is None else root
    if name == "latest":
        newest = next(list_records(root), None)
        if newest is None:
            raise FileNotFoundError(f"no records in {root}")
        return newest
    for path in (Path(name), root / name):
        if (path / "journal").is_dir():
            return RecordFolder(path)
    raise FileNotFoundError(
        f"{name} is not a record: there is no {Path(name) / 'journal'}, and none of that name in {root}"
    )


def list_records(root: Path | None = None) -> Iterator[RecordFolder]:
    """Every record under the root, newest first."""
    root = records_root() if root is None else root
    if not root.is_dir():
        return
    for path in sorted(root.iterdir(), key=lambda path: path.name, reverse=True):
        if _STAMP.match(path.name) and (path / "journal").is_dir():
            yield RecordFolder(path)


def writers(folder: RecordFolder) -> list[str]:
    """Who has a chain in the record."""
    return [path.name.removesuffix(SUFFIX) for path in files(folder.journal)]
