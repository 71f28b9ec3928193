"""CloudFront: whether a distribution is deployed everywhere, and where it sends its users' requests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import StringConstraints

from probes.clients.arns import arn
from probes.clients.paging import request_id
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, sorted_out

_OWN_CERTIFICATE = "TLSv1"
"""What a distribution with CloudFront's own certificate takes, whatever it says."""


class DistributionParams(Params):
    distribution: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{8,20}$")]
    """Id of the distribution: E2QWRUHEXAMPLE."""
    origin: str = ""
    """Domain name that its default behaviour is to send requests to: `origin_is_expected` compares."""
    alias: str = ""
    """A name of yours that must lead to it: `has_alias` compares."""


class CloudFrontDistribution(Probe[DistributionParams]):
    """A CloudFront distribution: deployed everywhere or still being, its origin, its names, its least TLS and its firewall.

    Reads cloudfront GetDistribution: Status, LastModifiedTime, InProgressInvalidationBatches, DistributionConfig.Enabled,
    Aliases, Origins, DefaultCacheBehavior.TargetOriginId, ViewerCertificate.MinimumProtocolVersion, WebACLId. CloudFront
    is global: the plan's region changes nothing. Its metrics are read by cloudwatch.metric, in us-east-1.
    """

    name = "cloudfront.distribution"
    params_type = DistributionParams
    demands = AWS_ALONE
    subjects = ("cloudfront", "cdn")
    cannot_see = "what users get: caches answer for as long as their TTL; DNS may lead elsewhere"
    late = "Status turns to Deployed minutes after the last edge has the change"
    fields = (
        Field("deployed", bool, "every edge has the newest configuration", example=True),
        Field("enabled", bool, "it answers requests", example=True),
        Field("domain_name", str, "CloudFront's own name of it", "d111111abcdef8.cloudfront.net"),
        Field("aliases", tuple, "names of yours that it answers to", ("www.example.com",)),
        Field("has_alias", bool, "the plan's alias is among them", example=True),
        Field("origin", str, "where the default behaviour sends requests", "web-123.us-east-1.elb.amazonaws.com"),
        Field("origins", tuple, "every origin's domain name", ("web-123.us-east-1.elb.amazonaws.com",)),
        Field("origin_is_expected", bool, "the default behaviour sends requests to the plan's origin", example=True),
        Field("origin_group", bool, "the default behaviour fails over to a second origin", example=False),
        Field("minimum_tls", str, "the least that it takes from viewers", "TLSv1.2_2021"),
        Field("has_firewall", bool, "a WAF web ACL is attached", example=True),
        Field("invalidations_open", int, "invalidations that have not ended", 0, "count", low=0),
        Field("modified_at", datetime, "when it was last changed", datetime(2026, 1, 1, tzinfo=UTC)),
    )
    iam = ("cloudfront:GetDistribution",)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        name = f"distribution/{self.params.distribution}"
        return {self.iam[0]: (arn(self.clients.options, "cloudfront", name),)}

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        query = f"cloudfront get-distribution --id {asked.distribution}"
        try:
            answer = await self.clients.aws("cloudfront", "get_distribution", Id=asked.distribution)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        found = answer.get("Distribution") or {}
        values, unknown = sorted_out(_values(found, asked))
        origins = (found.get("DistributionConfig") or {}).get("Origins") or {}
        lines = tuple(
            one_line(f"{each.get('Id')}: {each.get('DomainName')}", 200) for each in origins.get("Items") or ()
        )
        return self.reading(now, values, unknown=unknown, evidence=Evidence(query, request_id(answer), lines=lines[:6]))


def _values(found: Mapping[str, Any], asked: DistributionParams) -> dict[str, FieldValue]:
    config = found.get("DistributionConfig") or {}
    names = (config.get("Aliases") or {}).get("Items") or []
    origins = {each.get("Id"): str(each.get("DomainName")) for each in (config.get("Origins") or {}).get("Items") or ()}
    groups = {
        each.get("Id"): [member.get("OriginId") for member in (each.get("Members") or {}).get("Items") or ()]
        for each in (config.get("OriginGroups") or {}).get("Items") or ()
    }
    target = (config.get("DefaultCacheBehavior") or {}).get("TargetOriginId")
    first = next(iter(groups.get(target, ())), target)
    origin = origins.get(first)
    certificate = config.get("ViewerCertificate") or {}
    own = certificate.get("CloudFrontDefaultCertificate") is True
    status = found.get("Status")
    no_origin = Unknown(Reason.NO_DATA, "the plan gives no origin", "set origin")
    return {
        "deployed": None if status is None else status == "Deployed",
        "enabled": config.get("Enabled"),
        "domain_name": found.get("DomainName"),
        "aliases": tuple(names)
        or Unknown(Reason.NO_DATA, "it has no alias: it answers to CloudFront's own name alone"),
        "has_alias": (None if "Aliases" not in config else asked.alias.lower() in [each.lower() for each in names])
        if asked.alias
        else Unknown(Reason.NO_DATA, "the plan gives no alias", "set alias"),
        "origin": origin,
        "origins": tuple(origins.values()),
        "origin_is_expected": (None if origin is None else origin.lower() == asked.origin.lower())
        if asked.origin
        else no_origin,
        "origin_group": None if target is None else target in groups,
        "minimum_tls": _OWN_CERTIFICATE if own else certificate.get("MinimumProtocolVersion"),
        "has_firewall": None if "WebACLId" not in config else bool(config["WebACLId"]),
        "invalidations_open": found.get("InProgressInvalidationBatches"),
        "modified_at": found.get("LastModifiedTime"),
    }
