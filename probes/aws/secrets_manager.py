"""Secrets Manager: is each secret there, current, and a real value. No secret ever leaves this file."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field as Setting

from probes.clients.clients import Clients
from probes.demand import AWS_ALONE
from probes.known_secrets import remember_json
from probes.probe import Moment, Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen

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


class MetadataParams(Params):
    names: list[str] = Setting(min_length=1)
    rotated_after: Moment | None = None
    """Every secret must have been changed after this moment."""


class SecretMetadata(Probe[MetadataParams]):
    """Several secrets at once, by what Secrets Manager says about them; their values are not read.

    Reads secretsmanager DescribeSecret: DeletedDate, VersionIdsToStages (AWSCURRENT), LastChangedDate. A missing secret is an
    answer (`missing_count`); one that may not be described makes everything unknown. A placeholder looks like any other secret
    here: see secrets.value. LastChangedDate moves with any change, a new tag included: it proves no rotation by itself.
    """

    name = "secrets.metadata"
    params_type = MetadataParams
    demands = AWS_ALONE
    fields = (
        Field(
            "all_present", bool, "every secret exists, is not being deleted, and has a current version", example=True
        ),
        Field("missing_count", int, "secrets that do not exist", 0, "count", low=0),
        Field("missing", tuple, "their names", ("app/api-key",)),
        Field("deleted_count", int, "secrets scheduled for deletion", 0, "count", low=0),
        Field("without_current", int, "secrets without a current version", 0, "count", low=0),
        Field("oldest_change_age_s", float, "age of the least recently changed secret", 86400.0, "s", low=0),
        Field("all_rotated", bool, "every secret was changed after rotated_after", example=True),
    )
    iam = ("secretsmanager:DescribeSecret",)
    interval = timedelta(minutes=5)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        return {self.iam[0]: tuple(secret_arn(self.clients, name) for name in self.params.names)}

    async def read(self, now: datetime) -> Reading:
        query = f"secretsmanager describe-secret --secret-id {{{','.join(self.params.names)}}}"
        described = await asyncio.gather(*(self._describe(name) for name in self.params.names))
        hidden = next((d for d in described if isinstance(d, Unknown) and d.reason is not Reason.NOT_FOUND), None)
        if hidden is not None:
            return self.blind(now, hidden, Evidence(query))
        missing = tuple(name for name, d in zip(self.params.names, described, strict=True) if isinstance(d, Unknown))
        found = [d for d in described if not isinstance(d, Unknown)]
        deleted = sum("DeletedDate" in d for d in found)
        without = sum(
            not any("AWSCURRENT" in stages for stages in (d.get("VersionIdsToStages") or {}).values()) for d in found
        )
        changed = [d.get("LastChangedDate") or d.get("CreatedDate") for d in found]
        # The age of those that are left says nothing of the one that is missing.
        dated = [c for c in changed if c is not None]
        oldest = min(dated) if len(dated) == len(self.params.names) else None
        after = self.params.rotated_after
        unknown = {}
        if missing:
            gone = Unknown(Reason.NO_DATA, f"no age: {len(missing)} of {len(self.params.names)} secrets do not exist")
            unknown["oldest_change_age_s"] = gone
        if not missing:
            unknown["missing"] = Unknown(Reason.NO_DATA, "none is missing")
        if after is None:
            unknown["all_rotated"] = Unknown(Reason.NO_DATA, "the plan gives no rotated_after", "set it in the plan")
        values = {
            "all_present": not missing and not deleted and not without,
            "missing_count": len(missing),
            "missing": missing,
            "deleted_count": deleted,
            "without_current": without,
            "oldest_change_age_s": max((now - oldest).total_seconds(), 0.0) if oldest else None,
            "all_rotated": not missing and all(c is not None and c > after for c in changed) if after else None,
        }
        lines = (*(f"missing: {name}" for name in missing),)
        return self.reading(
            now, values, unknown=unknown, evidence=Evidence(query, console_url=_url(self.clients), lines=lines)
        )

    async def _describe(self, name: str) -> dict[str, Any] | Unknown:
        try:
            return await self.clients.aws("secretsmanager", "describe_secret", SecretId=name)
        except Unseen as unseen:
            return unseen.unknown


class ValueParams(Params):
    secret: str
    min_length: int = Setting(1, ge=1)
    json_keys: list[str] = Setting(default_factory=list)
    """Keys a JSON secret must have, each with a real value."""
    aes_256_gcm: bool = False
    """Whether the value must work as an AES-256 key: 64 hex digits, or 32 characters or more, whose first 32 bytes are used."""


class SecretValue(Probe[ValueParams]):
    """Whether a secret's value is a real one: long enough, with its keys, not a placeholder, and usable as a key.

    Reads secretsmanager GetSecretValue and keeps only yes and no: the value is compared and dropped. The read shows up in
    CloudTrail under the operator's name. Cannot see whether the issuer still accepts it, nor whether old data decrypts with it.
    """

    name = "secrets.value"
    params_type = ValueParams
    demands = AWS_ALONE
    fields = (
        Field("ok", bool, "every check that the plan asks for passes", example=True),
        Field("long_enough", bool, "it has at least min_length characters", example=True),
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
        return self.reading(now, checks | {"ok": ok}, unknown=unknown, evidence=evidence)

    def _checks(self, text: str) -> dict[str, bool | None]:
        asked = self.params
        return {
            "long_enough": len(text.strip()) >= asked.min_length,  # a line end that came with the paste is no key
            "real": is_real(text),
            "has_keys": _has_keys(text, asked.json_keys) if asked.json_keys else None,
            "encrypts": _encrypts(text) if asked.aes_256_gcm else None,
        }


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
    options = clients.options
    return f"arn:aws:secretsmanager:{options.region or '*'}:{options.account or '*'}:secret:{name}-*"


def _url(clients: Clients) -> str:
    region = clients.options.region
    return f"https://{region}.console.aws.amazon.com/secretsmanager/listsecrets?region={region}" if region else ""
