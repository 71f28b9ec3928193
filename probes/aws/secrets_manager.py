"""Secrets Manager: is each secret there, current, and a real value. No secret ever leaves this file."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import Field as Setting
from pydantic import model_validator

from probes.clients.arns import arn, console, is_arn
from probes.clients.clients import Clients
from probes.clients.paging import pages
from probes.demand import AWS_ALONE
from probes.known_secrets import remember_json
from probes.probe import Moment, Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, Value

_PLACEHOLDER = re.compile(
    r"^\s*$|\.\.\.|…|your[-_ ]|change[-_ ]?(me|this)|replace[-_ ]?(me|with|this)|placeholder|example"
    r"|^\s*(test|secret|password|dummy|todo|tbd|fixme|xxx+|string|null|none|undefined)\s*$"
    r"|^<.*>$|^\[.*\]$|^\$\{.*\}$|^\{\{.*\}\}$|^(?P<one>.)(?P=one){3,}$|^(?:0?123456789?0?(?:abcdef)?)+$"
    # Inside a longer text, only what chance does not write: sk-ant-xxxx, aaaaaaaa..., the command that was to make it.
    r"|(?:^|[-_.])x{3,}(?=$|[-_.])|(?P<run>.)(?P=run){7,}|abcdefgh|12345678|qwerty|\bopenssl\b"
    r"|your(?:api)?(?:key|secret|token)|\b(?:insert|paste|enter|generate)[-_ ]|[-_ ]here\s*$"
    r"|\bdev(?:elopment)?[-_ ](?:secret|key)|^\s*(?:super[-_ ]?)?secret[-_ ]?key\s*$|^\s*(?:supersecret|n/a|-+)\s*$",
    re.IGNORECASE | re.DOTALL,
)


_WHOLE_TEXT = (
    "an application that reads the whole text gets that JSON: store the value as plain text, "
    "or say json_key in the plan if the application reads that key"
)


class MetadataParams(Params):
    names: list[str] = Setting(min_length=1)
    """Names or ARNs of the secrets."""
    rotated_after: Moment | None = None
    """Every secret's current version must have been made after this moment."""


class SecretMetadata(Probe[MetadataParams]):
    """Several secrets at once, by what Secrets Manager says about them; their values are not read.

    Reads secretsmanager DescribeSecret (DeletedDate, VersionIdsToStages) and ListSecretVersionIds (CreatedDate of the
    AWSCURRENT version). A missing secret is an answer (`missing_count`); one that may not be described makes everything
    unknown. Rotation is judged by when the current version was made: LastChangedDate moves with a tag, a policy or a
    description too. A placeholder looks like any other secret here: see secrets.value.
    """

    name = "secrets.metadata"
    params_type = MetadataParams
    demands = AWS_ALONE
    subjects = ("secret",)
    cannot_see = "the values, so not whether the new version holds another value than the one before"
    late = "seconds; Secrets Manager shows a change when it is stored"
    fields = (
        Field(
            "all_present", bool, "every secret exists, is not being deleted, and has a current version", example=True
        ),
        Field("missing_count", int, "secrets that do not exist", 0, "count", low=0),
        Field("missing", tuple, "their names", ("app/api-key",)),
        Field("deleted_count", int, "secrets scheduled for deletion", 0, "count", low=0),
        Field("without_current", int, "secrets without a current version", 0, "count", low=0),
        Field("oldest_version_age_s", float, "age of the oldest current version", 86400.0, "s", low=0),
        Field("all_rotated", bool, "every current version was made after rotated_after", example=True),
    )
    iam = ("secretsmanager:DescribeSecret", "secretsmanager:ListSecretVersionIds")
    interval = timedelta(minutes=5)

    @classmethod
    def never_known(cls, params: MetadataParams) -> Mapping[str, str]:
        return {} if params.rotated_after is not None else {"all_rotated": "the plan gives no rotated_after"}

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        return dict.fromkeys(self.iam, tuple(secret_arn(self.clients, name) for name in self.params.names))

    async def read(self, now: datetime) -> Reading:
        names = f"{{{','.join(self.params.names)}}}"
        query = f"secretsmanager describe-secret, list-secret-version-ids --secret-id {names}"
        described = await asyncio.gather(*(self._describe(name) for name in self.params.names))
        hidden = next((d for d in described if isinstance(d, Unknown) and d.reason is not Reason.NOT_FOUND), None)
        if hidden is not None:
            return self.blind(now, hidden, Evidence(query))
        missing = tuple(name for name, d in zip(self.params.names, described, strict=True) if isinstance(d, Unknown))
        found = [d for d in described if not isinstance(d, Unknown)]
        deleted = [str(d.get("Name")) for d in found if "DeletedDate" in d]
        without = [str(d.get("Name")) for d in found if not _has_current(d)]
        made: list[datetime | Unknown | None] = list(await asyncio.gather(*(self._current_since(d) for d in found)))
        dated = [at for at in made if isinstance(at, datetime)]
        unknown = self._undated(missing, made)
        values: dict[str, Value | None] = {
            "all_present": not missing and not deleted and not without,
            "missing_count": len(missing),
            "missing": missing,
            "deleted_count": len(deleted),
            "without_current": len(without),
            "oldest_version_age_s": max((now - min(dated)).total_seconds(), 0.0) if dated else None,
            "all_rotated": self._all_rotated(missing, made),
        }
        lines = (
            # What is wrong first: the first line stands for all of them where there is little room.
            *([f"missing: {', '.join(missing)}"] if missing else []),
            *([f"being deleted: {', '.join(deleted)}"] if deleted else []),
            *([f"without a current version: {', '.join(without)}"] if without else []),
            *(
                f"{d.get('Name')}: current version of {at:%Y-%m-%d %H:%M} UTC"
                for d, at in zip(found, made, strict=True)
                if isinstance(at, datetime)
            ),
        )
        return self.reading(
            now, values, unknown=unknown, evidence=Evidence(query, console_url=_url(self.clients), lines=lines)
        )

    def _all_rotated(self, missing: Sequence[str], made: Sequence[datetime | Unknown | None]) -> bool | None:
        """None: not asked for, or not to be seen. One that is known not to be rotated decides, whatever the others are."""
        after = self.params.rotated_after
        if after is None:
            return None
        if missing or any(at is None or (isinstance(at, datetime) and at <= after) for at in made):
            return False
        return None if any(isinstance(at, Unknown) for at in made) else True

    def _undated(self, missing: Sequence[str], made: Sequence[datetime | Unknown | None]) -> dict[str, Unknown]:
        """Why the fields about versions are unknown, and why there is nothing to name."""
        unknown = {}
        hidden = next((at for at in made if isinstance(at, Unknown)), None)
        without = len(missing) + sum(at is None for at in made)
        if hidden is not None:
            unknown["oldest_version_age_s"] = hidden
        elif without:
            # The age of those that are left says nothing of the one that is missing.
            detail = f"no age: {without} of {len(self.params.names)} secrets have no current version"
            unknown["oldest_version_age_s"] = Unknown(Reason.NO_DATA, detail)
        if self.params.rotated_after is None:
            why = Unknown(Reason.NO_DATA, "the plan gives no rotated_after", "set it in the plan")
            unknown["all_rotated"] = why
        elif self._all_rotated(missing, made) is None and hidden is not None:
            unknown["all_rotated"] = hidden
        if not missing:
            unknown["missing"] = Unknown(Reason.NO_DATA, "none is missing")
        return unknown

    async def _current_since(self, described: Mapping[str, Any]) -> datetime | Unknown | None:
        """When the current version of a secret was made; None where it has none."""
        try:
            # A page may be empty, and another one follow.
            found = await pages(
                self.clients,
                "secretsmanager",
                "list_secret_version_ids",
                SecretId=described.get("ARN") or described.get("Name"),
            )
        except Unseen as unseen:
            return None if unseen.unknown.reason is Reason.NOT_FOUND else unseen.unknown
        for version in (version for page in found for version in page.get("Versions") or ()):
            if "AWSCURRENT" in (version.get("VersionStages") or ()):
                made = version.get("CreatedDate")
                undated = Unknown(Reason.NO_DATA, f"no date of the current version of {described.get('Name')}")
                return made if isinstance(made, datetime) else undated
        return None

    async def _describe(self, name: str) -> dict[str, Any] | Unknown:
        try:
            return await self.clients.aws("secretsmanager", "describe_secret", SecretId=name)
        except Unseen as unseen:
            return unseen.unknown


class ValueParams(Params):
    secret: str
    """Name or ARN of the secret."""
    json_key: str = ""
    """The key of a JSON secret that the application reads (`valueFrom: <arn>:<key>::`). Empty: it reads the whole text."""
    min_length: int = Setting(1, ge=1)
    """Characters each value must at least have."""
    json_keys: list[str] = Setting(default_factory=list)
    """Keys a JSON secret must have, each with a real value of at least `min_length` characters."""
    aes_256_gcm: bool = False
    """Whether the value must work as an AES-256 key: 64 hex digits, or 32 characters or more, whose first 32 bytes are used."""

    @model_validator(mode="after")
    def _one_way_to_read_it(self) -> Self:
        if self.json_key and self.json_keys:
            raise ValueError(
                "give json_key (the application reads one value) or json_keys (it reads several), not both"
            )
        return self


class SecretValue(Probe[ValueParams]):
    """Whether a secret's value is a real one: long enough, with its keys, not a placeholder, and usable as a key.

    Reads secretsmanager GetSecretValue and keeps only yes and no: the value is compared and dropped. What is judged is the
    value the application gets, not its wrapper: with `json_key` that key's, with `json_keys` each of theirs. The console
    stores `{"key": "value"}` unless told otherwise: where the plan names no key, the values inside are judged, and
    `as_read` is false, for an application that reads the whole text gets the JSON. The read shows up in CloudTrail under
    the operator's name.
    """

    name = "secrets.value"
    params_type = ValueParams
    demands = AWS_ALONE
    subjects = ("secret",)
    cannot_see = "whether the issuer still accepts it, and whether old data decrypts with it"
    late = "seconds; a running task keeps the value it started with"
    fields = (
        Field("ok", bool, "every check that the plan asks for passes", example=True),
        Field("as_read", bool, "it is stored as the application reads it: as text, or under json_key", example=True),
        Field("long_enough", bool, "each value has at least min_length characters", example=True),
        Field("real", bool, "it is not a placeholder, nor is any of its JSON values", example=True),
        Field("has_keys", bool, "it is JSON and has every key of json_keys", example=True),
        Field("encrypts", bool, "AES-256-GCM with it encrypts, decrypts, and refuses tampered text", example=True),
    )
    iam = ("secretsmanager:GetSecretValue",)
    interval = timedelta(minutes=5)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        return {self.iam[0]: (secret_arn(self.clients, self.params.secret),)}

    async def read(self, now: datetime) -> Reading:
        query = f"secretsmanager get-secret-value --secret-id {self.params.secret} (compared, not kept)"
        evidence = Evidence(query, console_url=_url(self.clients))
        try:
            answer = await self.clients.aws("secretsmanager", "get_secret_value", SecretId=self.params.secret)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, evidence)
        evidence = replace(evidence, request_id=str(answer.get("ResponseMetadata", {}).get("RequestId", "")))
        text = answer.get("SecretString")
        if not isinstance(text, str):
            kind = "is binary, not text" if answer.get("SecretBinary") else "holds no text"
            hint = "store it with `aws secretsmanager put-secret-value --secret-string`"
            return self.blind(now, Unknown(Reason.NO_DATA, f"{self.params.secret} {kind}", hint), evidence)
        remember_json(text)
        checks = self._checks(text)
        unknown = {
            name: Unknown(Reason.NO_DATA, "the plan does not ask for it")
            for name, passed in checks.items()
            if passed is None
        }
        ok = all(passed for passed in checks.values() if passed is not None)
        evidence = replace(evidence, lines=self._where(text))
        return self.reading(now, checks | {"ok": ok}, unknown=unknown, evidence=evidence)

    def _checks(self, text: str) -> dict[str, bool | None]:
        asked = self.params
        judged = self._judged(text)
        return {
            "as_read": self._as_read(text),
            # A line end that came with the paste is no key.
            "long_enough": bool(judged) and all(len(value.strip()) >= asked.min_length for value in judged),
            "real": is_real(text),
            "has_keys": _has_keys(text, asked.json_keys) if asked.json_keys else None,
            "encrypts": (bool(judged) and all(map(_encrypts, judged))) if asked.aes_256_gcm else None,
        }

    def _judged(self, text: str) -> tuple[str, ...]:
        """The values that the application uses: never the JSON around them."""
        held = _json(text)
        if not isinstance(held, dict):
            return () if self.params.json_key else (text,)
        names = [self.params.json_key] if self.params.json_key else self.params.json_keys
        if names:
            return tuple(str(held[name]) for name in names if held.get(name) is not None)
        return tuple(str(value) for value in _leaves(held))

    def _as_read(self, text: str) -> bool | None:
        held = _json(text)
        if self.params.json_keys:
            return None
        if self.params.json_key:
            return isinstance(held, dict) and held.get(self.params.json_key) is not None
        return not isinstance(held, dict)

    def _where(self, text: str) -> tuple[str, ...]:
        """Where the value was found; names of keys, never values."""
        held = _json(text)
        if not isinstance(held, dict):
            wanted = self.params.json_key or ", ".join(self.params.json_keys)
            return (
                (f"stored as plain text; the plan reads the JSON key {wanted}",)
                if wanted
                else ("stored as plain text",)
            )
        keys = ", ".join(map(str, held)) or "none"
        stored = f"stored as JSON with the keys: {keys}"
        if self.params.json_key or self.params.json_keys:
            return (stored,)
        return (
            stored,
            _WHOLE_TEXT,
        )


def _has_current(described: Mapping[str, Any]) -> bool:
    return any("AWSCURRENT" in stages for stages in (described.get("VersionIdsToStages") or {}).values())


def is_real(text: str) -> bool:
    """Whether a value is none of the placeholders people leave behind; of JSON, whether every value in it is real."""
    held = _json(text)
    if not isinstance(held, dict):
        return _PLACEHOLDER.search(text) is None
    return bool(held) and all(_PLACEHOLDER.search(str(value)) is None for value in _leaves(held))


def _leaves(held: Any) -> Iterator[Any]:
    """Every single value in parsed JSON, however deep: a list of real addresses, printed, looks like `[a placeholder]`."""
    left = [held]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        else:
            yield value


def _has_keys(text: str, keys: list[str]) -> bool:
    held = _json(text)
    return isinstance(held, dict) and all(held.get(key) for key in keys)


def _json(text: str) -> Any:
    """What the text holds as JSON; None where it is none, or nested too deep to be a secret anybody wrote."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _encrypts(text: str) -> bool:
    """A round trip with this key, and a refusal of a changed one."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = bytes.fromhex(text) if re.fullmatch(r"[0-9a-fA-F]{64}", text) else text.encode(errors="replace")[:32]
    if len(key) != 32:
        return False
    cipher, nonce = AESGCM(key), os.urandom(12)
    sealed = cipher.encrypt(nonce, b"cutover", None)
    try:
        cipher.decrypt(nonce, bytes([sealed[0] ^ 1]) + sealed[1:], None)
    except InvalidTag:
        return cipher.decrypt(nonce, sealed, None) == b"cutover"
    return False


def secret_arn(clients: Clients, name: str) -> str:
    """The resource a secret's actions are needed on; Secrets Manager adds six characters to the name."""
    return name if is_arn(name) else arn(clients.options, "secretsmanager", f"secret:{name}-*")


def _url(clients: Clients) -> str:
    region = clients.options.region
    return console(region, f"secretsmanager/listsecrets?region={region}")
