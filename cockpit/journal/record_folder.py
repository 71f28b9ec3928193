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
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from cockpit.journal.chain import SUFFIX, Chain, files, merged, raw_lines, read_all
from cockpit.journal.entry import BadLine, Line, parse
from cockpit.journal.provenance import marked_sessions, session_of
from cockpit.journal.validity import why_not
from cockpit.plan.load import PlanError, load_plan
from cockpit.plan.model import Plan
from probes.frozen import frozen
from probes.redact import HIDDEN

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_STAMP = re.compile(r"\d{8}T\d{6}Z-")
_TRIES = 100
"""To make a record while others make theirs."""


class PlanUnknown(ValueError):  # noqa: N818 - what is so of the plan
    """The plan a session ran by cannot be loaded from its record; the message says why."""


class NoPlanCopy(PlanUnknown):
    """The record holds no copy of it."""


def records_root() -> Path:
    """Where records are kept by default."""
    return Path(user_state_path("cockpit", appauthor=False)) / "records"


@frozen
class RecordFolder:
    """One record. Nothing here judges it; `verify.verify_record` does."""

    path: Path

    @classmethod
    def create(cls, plan_name: str, plan_text: bytes, now: datetime, root: Path | None = None) -> RecordFolder:
        """A new record with its copy of the plan, readable by its owner only. Raises OSError."""
        root = records_root() if root is None else root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(_TRIES):
            path = cls.free(plan_name, now, root)
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
                folder = cls(path)
                folder.journal.mkdir(mode=0o700)
                folder.keep_plan(plan_text)
                return folder
        raise FileExistsError(f"{root} holds too many records named {path.name}")

    @classmethod
    def free(cls, plan_name: str, now: datetime, root: Path) -> Path:
        """Where a new record would lie; nothing is made. Raises FileExistsError."""
        name = _ODD.sub("-", plan_name).strip("-.")[:60] or "plan"
        stem = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{name}"
        for number in range(1, 1000):
            path = root / (stem if number == 1 else f"{stem}-{number}")
            if not os.path.lexists(path):  # a link that leads nowhere is in the way, too
                return path
        raise FileExistsError(f"{root} holds too many records named {stem}")

    @property
    def id(self) -> str:
        """What its sessions and people sign for, whatever its folder is called by now: as the first chain of this machine
        says, else the first of all.
        """
        found: list[Line] = []
        for path in files(self.journal):
            with suppress(OSError, BadLine, StopIteration):
                first = parse(next(raw_lines(path)))
                found += [first] if first.entry.body.get("record") and not why_not(first.entry) else []
        own = set(marked_sessions(found))
        named = [line for line in found if session_of(line) in own] or found
        return str(named[0].entry.body["record"]) if named else self.path.name

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
        if path.exists() and digest_of_copy(path) != digest:
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

    def load_plan(self, opened: Mapping[str, Any], stand_in: Path | None = None) -> Plan:
        """The plan a session ran by, with the vars it was given; `opened` is the body of its `open` entry.

        A var whose value the record hides keeps what the plan itself says: see `hidden_vars`. What the environment gave is not
        in the record, and decides nothing. `stand_in` is used where the record's copy is missing and this is the same file.
        Raises PlanUnknown, OSError.
        """
        digest = str(opened.get("plan_digest", ""))
        copies = [*self.plans(), *([stand_in] if stand_in else ())]
        path = next((path for path in copies if digest_of_copy(path) == digest), None)
        if path is None:
            raise NoPlanCopy(f"the record holds no copy of the plan {digest[:12] or 'it was made with'}")
        try:
            return load_plan(path, overrides=given_vars(opened), environ={}, require_environment=False)
        except PlanError as error:
            first, hidden = error.problems[0], hidden_vars(opened)
            why = f"; the record hides the value of {', '.join(hidden)}" if hidden else ""
            raise PlanUnknown(f"line {first.position.line} {first.message}{why}") from None

    def chains(self) -> list[Chain]:
        """Every writer's chain, unjudged. Raises OSError."""
        return read_all(self.journal)

    def lines(self) -> list[tuple[str, Line]]:
        """(writer, line) of all chains in one order. Raises OSError."""
        return merged(self.chains())


def digest_of_copy(path: Path) -> str:
    """SHA-256 of a copy of the plan, hex; empty for what is no file, and might never end. Raises OSError."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_record(name: str, root: Path | None = None) -> RecordFolder:
    """A record by its path, its name, or "latest"; of a folder of records (`rehearse --keep FOLDER`), the newest.

    Raises FileNotFoundError.
    """
    root = records_root() if root is None else root
    if name == "latest":
        newest = next(list_records(root), None)
        if newest is None:
            raise FileNotFoundError(f"no records in {root}")
        return newest
    for path in (Path(name), root / name):
        if (path / "journal").is_dir():
            return RecordFolder(path)
    if (kept := next(list_records(Path(name)), None)) is not None:
        return kept
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


def given_vars(opened: Mapping[str, Any]) -> dict[str, str]:
    """The vars a session's plan was loaded with, name to value, without those whose value the record hides."""
    return {name: value for name, value in _vars(opened) if HIDDEN not in value}


def hidden_vars(opened: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of those whose value was a secret, or looked like one: the record does not hold it."""
    return tuple(name for name, value in _vars(opened) if HIDDEN in value)


def _vars(opened: Mapping[str, Any]) -> list[tuple[str, str]]:
    given = opened.get("vars")
    return [(str(name), str(value)) for name, value in given.items()] if isinstance(given, Mapping) else []
