"""The repository's `.env.example`: does it list every variable an operator must set, and no secrets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field as Setting
from pydantic import StringConstraints

from probes.aws.secrets_manager import is_real
from probes.clients.clients import Clients
from probes.clients.files import LocalFiles
from probes.demand import ReadsFile
from probes.frozen import frozen
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.three_valued import FieldValue, sorted_out

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*$")]

_ASSIGNED = re.compile(r"^(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>.*)$")
_ASSIGNED_IN_COMMENT = re.compile(r"^#\s*(?P<name>[A-Z][A-Z0-9_]*)\s*=\s*(?P<value>\S*)(?:\s+#.*)?$")
_SECRET_NAME = re.compile(
    r"(?:SECRET|TOKEN|PASSWORD|PASSWD|WEBHOOK|CREDENTIAL|PRIVATE_KEY|API_KEY|ACCESS_KEY|ENCRYPTION_KEY|_KEY$)"
)
_SHORTEST_SECRET = 8
_MOST_BYTES = 1024 * 1024
_MARKS = ("required", "optional")
_NONE = Unknown(Reason.NO_DATA, "there is none")


class EnvExampleParams(Params):
    path: str = ".env.example"
    """The file with the names of the variables; a relative path is of the plan's folder."""
    required: Annotated[list[Variable], Setting(min_length=1, max_length=200)]
    """Variables the application does not start without."""
    optional: list[Variable] = Setting(default_factory=list, max_length=200)
    """Names that may be missing."""


@frozen
class _FileVariable:
    """A variable in the file; `mark` is the last of "required" and "optional" found before it, or beside it."""

    name: str
    value: str
    documented: bool
    mark: str


class EnvExample(Probe[EnvExampleParams]):
    """What `.env.example` documents, against the variables the plan names.

    Reads one local file. A variable is in it where it is assigned, in a comment too (`# NAME=`); it is documented by
    a comment beside it or in the lines right above it or its neighbours. Required and optional ones are `apart` when
    the word in the comments before each is the right one. A value counts as a secret by the variable's name, or as
    password in an address, unless it is empty or a placeholder (a heuristic; values are never shown). Needs the
    repository on this machine.
    """

    name = "file.env_example"
    params_type = EnvExampleParams
    demands = (ReadsFile("path"),)
    subjects = ("env example", "environment variable")
    cannot_see = "whether it is the deployed commit, and what the code really reads"
    late = "not at all: the file is read when asked"
    fields = (
        Field("ok", bool, "nothing is missing, all is documented and apart, and no secret is in it", example=True),
        Field("variables", int, "variables in the file", 27, "count", low=0),
        Field("missing", int, "required variables that are not in it", 0, "count", low=0),
        Field("missing_names", tuple, "those", ("ENCRYPTION_KEY",)),
        Field("missing_optional", int, "optional variables that are not in it", 0, "count", low=0),
        Field("undocumented", int, "variables without a comment", 0, "count", low=0),
        Field("undocumented_names", tuple, "those", ("AWS_REGION",)),
        Field("apart", bool, "comments mark which variables are required and which optional", example=True),
        Field("secrets_with_values", int, "secrets that hold what looks like a real value", 0, "count", low=0),
        Field("secret_names", tuple, "those", ("ANTHROPIC_API_KEY",)),
    )
    interval = timedelta(minutes=5)

    def __init__(self, params: EnvExampleParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._files = LocalFiles()

    async def close(self) -> None:
        self._files.close()

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        evidence = Evidence(f"less {asked.path}")
        try:
            text = await self._files.read(asked.path, _text, "a relative path is one of the plan's folder")
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, evidence)
        entries = _entries(text)
        if not entries:
            empty = Unknown(Reason.NO_DATA, f"{asked.path} holds no variable", "is it the right file?")
            return self.blind(now, empty, evidence)
        fields, lines = _values(entries, asked.required, asked.optional)
        values, unknown = sorted_out(fields)
        return self.reading(now, values, unknown=unknown, evidence=Evidence(evidence.query, lines=lines))


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES).decode("utf-8-sig")


def _entries(text: str) -> list[_FileVariable]:
    """The variables in the file's order; a name given twice counts the last time, as it does for the application."""
    found: dict[str, _FileVariable] = {}
    mark, explained = "", False
    for raw in text.splitlines():
        line = raw.strip()
        assigned = _ASSIGNED.match(line) or _ASSIGNED_IN_COMMENT.match(line)
        if assigned:
            value, beside = _value_of(assigned["value"])
            own = _mark_in(beside) or mark
            found[assigned["name"]] = _FileVariable(assigned["name"], value, explained or bool(beside), own)
        elif line.startswith("#"):
            words = line.strip("#=-* \t")
            mark = _mark_in(words) or mark
            explained = explained or bool(words)
        else:
            explained = False
    return list(found.values())


def _value_of(text: str) -> tuple[str, str]:
    """The value without its quotes, and the comment beside it."""
    text = text.strip()
    if text[:1] in ("'", '"') and (end := text.find(text[0], 1)) > 0:
        return text[1:end], text[end + 1 :].partition("#")[2].strip()
    value, _, comment = text.partition(" #") if not text.startswith("#") else ("", "", text[1:])
    return value.strip(), comment.strip()


def _mark_in(words: str) -> str:
    """Which of the two words a comment says; the first of them, where it says both."""
    found = re.search(r"\b(required|optional)\b", words, re.IGNORECASE)
    return found[1].lower() if found else ""


def _values(
    entries: Sequence[_FileVariable], required: Sequence[str], optional: Sequence[str]
) -> tuple[dict[str, FieldValue], tuple[str, ...]]:
    held = {entry.name: entry for entry in entries}
    missing = tuple(name for name in required if name not in held)
    undocumented = tuple(entry.name for entry in entries if not entry.documented)
    secret = tuple(entry.name for entry in entries if _is_secret(entry))
    absent = tuple(name for name in optional if name not in held)
    wrong = [
        name
        for names, mark in zip((required, optional), _MARKS, strict=True)
        for name in names
        if name in held and held[name].mark != mark
    ]
    fields: dict[str, FieldValue] = {
        "ok": not (missing or absent or undocumented or wrong or secret),
        "variables": len(entries),
        "missing": len(missing),
        "missing_names": missing or _NONE,
        "missing_optional": len(absent),
        "undocumented": len(undocumented),
        "undocumented_names": undocumented or _NONE,
        "apart": not wrong,
        "secrets_with_values": len(secret),
        "secret_names": secret or _NONE,
    }
    named = {"missing": missing + absent, "no comment": undocumented, "not apart": wrong, "holds a value": secret}
    return fields, tuple(f"{what}: {', '.join(names[:12])}" for what, names in named.items() if names)


def _is_secret(entry: _FileVariable) -> bool:
    """Whether it holds what looks like a real secret: by its name, or as the password in an address."""
    value = entry.value
    if "://" in value:
        try:
            value = urlsplit(value).password or ("" if "WEBHOOK" not in entry.name else value)
        except ValueError:
            return True
        return bool(value) and is_real(value) and value.lower() not in ("postgres", "pass", "pw", "root", "user")
    if entry.name.startswith("NEXT_PUBLIC_") or not _SECRET_NAME.search(entry.name.upper()):
        return False
    return len(value) >= _SHORTEST_SECRET and not value.isdigit() and is_real(value)
