"""S3: how a bucket is set up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from probes.clients.arns import arn, console
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line

COOLER = ("STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")


class BucketParams(Params):
    bucket: str
    """Name of the bucket."""


class S3Bucket(Probe[BucketParams]):
    """A bucket: does it exist and belong to us, and are versioning, encryption, lifecycle and public access as they should be.

    Reads s3 HeadBucket, GetBucketVersioning, GetBucketEncryption, GetBucketLifecycleConfiguration, GetPublicAccessBlock, with
    ExpectedBucketOwner where the plan names an account: a bucket of the same name elsewhere is refused. Having no lifecycle or
    no encryption configuration is an answer, not a failure. A lifecycle rule narrowed by prefix, tag or size does not archive the
    bucket (it still `expires`).
    """

    name = "s3.bucket"
    params_type = BucketParams
    demands = AWS_ALONE
    subjects = ("s3", "bucket")
    cannot_see = "whether the application may write: see s3.uploads"
    late = "seconds; versioning that was just enabled holds everywhere within 15 minutes (S3's API reference)"
    fields = (
        Field("exists", bool, "the bucket exists and is ours", example=True),
        Field("region", str, "where it is", "us-east-1"),
        Field("in_region", bool, "it is in the plan's region", example=True),
        Field("versioning", str, "Enabled, Suspended or Off", "Enabled"),
        Field("versioned", bool, "versioning is enabled", example=True),
        Field("encryption", str, "default encryption: AES256, aws:kms, or none", "AES256"),
        Field("encrypted", bool, "a default encryption is set", example=True),
        Field("public_access_blocked", bool, "all four blocks of public access are on", example=True),
        Field("has_lifecycle", bool, "at least one lifecycle rule is enabled", example=True),
        Field("archive_after_days", int, "days after which objects move to a cooler class", 90, "days", low=0),
        Field(
            "archive_class",
            str,
            "class they move to first; GLACIER and DEEP_ARCHIVE cannot be read at once",
            "STANDARD_IA",
        ),
        Field("expires", bool, "a rule deletes current objects after some time", example=False),
        Field(
            "abort_multipart_days", int, "days after which unfinished multipart uploads are dropped", 7, "days", low=0
        ),
    )
    iam = (
        "s3:ListBucket",
        "s3:GetBucketVersioning",
        "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:GetBucketPublicAccessBlock",
    )
    interval = timedelta(minutes=5)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        return dict.fromkeys(self.iam, (arn(self.clients.options, "s3", self.params.bucket),))

    async def read(self, now: datetime) -> Reading:
        query = f"s3api head-bucket, get-bucket-{{versioning,encryption,lifecycle-configuration}} --bucket {self.params.bucket}"
        region = self.clients.options.region
        url = console(region, f"s3/buckets/{self.params.bucket}")
        head, *parts = await asyncio.gather(
            self._ask("head_bucket"),
            self._ask("get_bucket_versioning"),
            self._ask("get_bucket_encryption", none="ServerSideEncryptionConfigurationNotFoundError"),
            self._ask("get_bucket_lifecycle_configuration", none="NoSuchLifecycleConfiguration"),
            self._ask("get_public_access_block", none="NoSuchPublicAccessBlockConfiguration"),
        )
        evidence = Evidence(query, console_url=url)
        if isinstance(head, Unknown) and head.reason is Reason.NOT_FOUND and _HTTP_404 in head.detail:
            others = {field.name: head for field in self.fields if field.name != "exists"}
            return self.reading(now, {"exists": False}, unknown=others, evidence=evidence)
        if isinstance(head, Unknown) and head.reason is not Reason.ACCESS_DENIED:
            return self.blind(now, _most_telling(head, parts), evidence)
        request = str(head.get("ResponseMetadata", {}).get("RequestId", "")) if isinstance(head, dict) else ""
        evidence = Evidence(query, request, url, _rule_lines(parts[2]))
        values: dict[str, Any] = {}
        unknown: dict[str, Unknown] = {}
        readers = (_head, _versioning, _encryption, _lifecycle, _public_access)
        for reader, answer in zip(readers, (head, *parts), strict=True):
            if isinstance(answer, Unknown):
                unknown |= dict.fromkeys(_FIELDS[reader.__name__], answer)
            else:
                known, blind = reader(answer)
                values |= known
                unknown |= blind
        if region and values.get("region"):
            values["in_region"] = values["region"] == region
        elif not region:
            unknown["in_region"] = Unknown(Reason.NO_DATA, "the plan names no region", "set target.region")
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    async def _ask(self, operation: str, none: str = "") -> dict[str, Any] | Unknown:
        """The answer; {} for the error that says there is no such configuration; else why it cannot be seen."""
        owner = {"ExpectedBucketOwner": self.clients.options.account} if self.clients.options.account else {}
        try:
            return await self.clients.aws("s3", operation, Bucket=self.params.bucket, **owner)
        except Unseen as unseen:
            if none and none in unseen.unknown.detail:
                return {}
            return unseen.unknown


_HTTP_404 = "head_bucket: 404"


def _most_telling(head: Unknown, parts: Sequence[dict[str, Any] | Unknown]) -> Unknown:
    """An answer to HEAD has no text: with expired credentials it says 400, and only the other calls say why."""
    expired = (part for part in parts if isinstance(part, Unknown) and part.reason.traits.is_of_credentials)
    return next(expired, head) if head.reason is Reason.ERROR else head


_FIELDS = {
    "_head": ("exists", "region", "in_region"),
    "_versioning": ("versioning", "versioned"),
    "_encryption": ("encryption", "encrypted"),
    "_lifecycle": ("has_lifecycle", "archive_after_days", "archive_class", "expires", "abort_multipart_days"),
    "_public_access": ("public_access_blocked",),
}
Part = tuple[dict[str, Any], dict[str, Unknown]]


def _head(answer: Mapping[str, Any]) -> Part:
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return {"exists": True, "region": answer.get("BucketRegion") or headers.get("x-amz-bucket-region")}, {}


def _versioning(answer: Mapping[str, Any]) -> Part:
    status = answer.get("Status") or "Off"
    return {"versioning": status, "versioned": status == "Enabled"}, {}


def _silent(answer: Mapping[str, Any], key: str, part: str) -> Part | None:
    """An empty answer to a question that S3 answers with a configuration, or with the error that there is none."""
    if not answer or answer.get(key):
        return None
    return {}, dict.fromkeys(_FIELDS[part], Unknown(Reason.NO_DATA, f"S3 answered without {key}"))


def _encryption(answer: Mapping[str, Any]) -> Part:
    if silent := _silent(answer, "ServerSideEncryptionConfiguration", "_encryption"):
        return silent
    rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    algorithms = [r.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for r in rules]
    algorithm = next((a for a in algorithms if a), "none")
    return {"encryption": algorithm, "encrypted": algorithm != "none"}, {}


def _lifecycle(answer: Mapping[str, Any]) -> Part:
    if silent := _silent(answer, "Rules", "_lifecycle"):
        return silent
    rules = [rule for rule in answer.get("Rules", []) if rule.get("Status") == "Enabled"]
    whole = [rule for rule in rules if not _scope(rule)]
    transitions = [t for rule in whole for t in rule.get("Transitions", []) if t.get("StorageClass") in COOLER]
    moves = sorted((t["Days"], t["StorageClass"]) for t in transitions if "Days" in t)
    aborts = [
        rule["AbortIncompleteMultipartUpload"].get("DaysAfterInitiation")
        for rule in whole
        if "AbortIncompleteMultipartUpload" in rule
    ]
    values: dict[str, Any] = {
        "has_lifecycle": bool(rules),
        "archive_after_days": moves[0][0] if moves else None,
        "archive_class": moves[0][1] if moves else None,
        "expires": any({"Days", "Date"} & set(rule.get("Expiration", {})) for rule in rules),
        "abort_multipart_days": min((days for days in aborts if days is not None), default=None),
    }
    why = "no enabled rule for the whole bucket" if rules else "no enabled lifecycle rule"
    unknown: dict[str, Unknown] = {}
    if transitions and not moves:
        dated = Unknown(
            Reason.NO_DATA, "objects move on a date, not after a number of days", "read the lifecycle rules"
        )
        unknown |= dict.fromkeys(("archive_after_days", "archive_class"), dated)
    elif not moves:
        nothing = Unknown(
            Reason.NOT_FOUND, f"{why} moves objects to a cooler class", "put-bucket-lifecycle-configuration"
        )
        unknown |= dict.fromkeys(("archive_after_days", "archive_class"), nothing)
    if values["abort_multipart_days"] is None:
        unknown["abort_multipart_days"] = Unknown(Reason.NOT_FOUND, f"{why} drops unfinished multipart uploads")
    return values, unknown


def _scope(rule: Mapping[str, Any]) -> str:
    """What narrows a lifecycle rule, in words; empty where it is for the whole bucket."""
    given = rule.get("Filter") or {}
    given = {"Prefix": rule.get("Prefix")} | given | (given.get("And") or {})
    tags = [given["Tag"]] if given.get("Tag") else given.get("Tags") or []
    parts = [f"prefix {given['Prefix']}"] if given.get("Prefix") else []
    parts += [f"tag {tag.get('Key')}" for tag in tags]
    parts += [f"{key} {given[key]}" for key in ("ObjectSizeGreaterThan", "ObjectSizeLessThan") if given.get(key)]
    return ", ".join(parts)


def _rule_lines(answer: dict[str, Any] | Unknown) -> tuple[str, ...]:
    """The first lifecycle rules as a person would say them."""
    rules = [] if isinstance(answer, Unknown) else answer.get("Rules") or []
    lines = []
    for rule in rules[:6]:
        does = [f"{t.get('StorageClass')} after {t.get('Days', t.get('Date'))}" for t in rule.get("Transitions", [])]
        does += [key for key in ("Expiration", "AbortIncompleteMultipartUpload") if key in rule]
        on = _scope(rule) or "whole bucket"
        lines.append(one_line(f"rule {rule.get('ID', '?')} {rule.get('Status')}: {on}: {', '.join(does) or 'other'}"))
    return tuple(lines)


def _public_access(answer: Mapping[str, Any]) -> Part:
    if silent := _silent(answer, "PublicAccessBlockConfiguration", "_public_access"):
        return silent
    block = answer.get("PublicAccessBlockConfiguration", {})
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    return {"public_access_blocked": all(block.get(name) is True for name in names)}, {}
