"""A CloudFront distribution: everywhere or not, and where it sends its users."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.aws.modelled import DENIED, NOW, ModelledAws, refusal

from probes.aws.cloudfront import CloudFrontDistribution, DistributionParams
from probes.reading import Reading, Reason

ID = "E2QWRUHEXAMPLE"
WEB, OLD = "web-123.us-east-1.elb.amazonaws.com", "old.example.com"


def config(**more: Any) -> dict[str, Any]:
    origins = [{"Id": "web", "DomainName": WEB}, {"Id": "old", "DomainName": OLD}]
    return {
        "CallerReference": "x",
        "Comment": "",
        "Enabled": True,
        "Aliases": {"Quantity": 1, "Items": ["www.example.com"]},
        "Origins": {"Quantity": 2, "Items": origins},
        "DefaultCacheBehavior": {"TargetOriginId": "web", "ViewerProtocolPolicy": "redirect-to-https"},
        "ViewerCertificate": {"MinimumProtocolVersion": "TLSv1.2_2021"},
        "WebACLId": "arn:aws:wafv2:us-east-1:123456789012:global/webacl/x",
    } | more


async def read(
    params: dict[str, Any] | None = None, held: dict[str, Any] | None = None, status: str = "Deployed", **on: Any
) -> Reading:
    aws = ModelledAws()
    distribution = {
        "Id": ID,
        "ARN": f"arn:aws:cloudfront::123456789012:distribution/{ID}",
        "Status": status,
        "LastModifiedTime": datetime(2026, 11, 23, 22, tzinfo=UTC),
        "InProgressInvalidationBatches": 0,
        "DomainName": "d1.cloudfront.net",
        "DistributionConfig": held or config(),
    }
    aws.on |= {"GetDistribution": {"Distribution": distribution}} | on
    asked = DistributionParams.model_validate({"distribution": ID} | (params or {}))
    try:
        return await CloudFrontDistribution(asked, aws.clients).read(NOW)
    finally:
        await aws.clients.close()


async def test_a_distribution_as_it_should_be() -> None:
    reading = await read({"origin": WEB.upper(), "alias": "www.example.com"})
    assert not reading.unknown
    assert reading.values == {
        "deployed": True,
        "enabled": True,
        "domain_name": "d1.cloudfront.net",
        "aliases": ("www.example.com",),
        "has_alias": True,
        "origin": WEB,
        "origins": (WEB, OLD),
        "origin_is_expected": True,
        "origin_group": False,
        "minimum_tls": "TLSv1.2_2021",
        "has_firewall": True,
        "invalidations_open": 0,
        "modified_at": datetime(2026, 11, 23, 22, tzinfo=UTC),
    }


async def test_one_that_is_being_changed_is_not_everywhere() -> None:
    assert (await read(status="InProgress")).values["deployed"] is False


async def test_an_origin_among_others_is_not_the_default_one() -> None:
    assert (await read({"origin": OLD})).values["origin_is_expected"] is False


async def test_a_group_of_origins_begins_with_its_first() -> None:
    members = {"Quantity": 2, "Items": [{"OriginId": "old"}, {"OriginId": "web"}]}
    codes = {"StatusCodes": {"Quantity": 1, "Items": [500]}}
    groups = {"Quantity": 1, "Items": [{"Id": "both", "FailoverCriteria": codes, "Members": members}]}
    behavior = {"TargetOriginId": "both", "ViewerProtocolPolicy": "https-only"}
    reading = await read({"origin": OLD}, config(OriginGroups=groups, DefaultCacheBehavior=behavior))
    assert (reading.values["origin_is_expected"], reading.values["origin_group"]) == (True, True)


async def test_its_own_certificate_takes_old_tls_whatever_it_says() -> None:
    certificate = {"CloudFrontDefaultCertificate": True, "MinimumProtocolVersion": "TLSv1.2_2021"}
    assert (await read(held=config(ViewerCertificate=certificate))).values["minimum_tls"] == "TLSv1"


async def test_nothing_is_compared_with_nothing() -> None:
    reading = await read(held=config(Aliases={"Quantity": 0}))
    assert set(reading.unknown) == {"aliases", "has_alias", "origin_is_expected"}
    assert (await read({"alias": "x.example.com"}, config(Aliases={"Quantity": 0}))).values["has_alias"] is False


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(DENIED, Reason.ACCESS_DENIED), (refusal("NoSuchDistribution", status=404), Reason.NOT_FOUND)],
)
async def test_what_cannot_be_read_is_unknown(answer: Any, reason: Reason) -> None:
    reading = await read(GetDistribution=answer)
    assert {u.reason for u in reading.unknown.values()} == {reason}
    assert ID in next(iter(reading.unknown.values())).detail


def test_its_policy_is_of_no_region() -> None:
    probe = CloudFrontDistribution(DistributionParams(distribution=ID), ModelledAws().clients)
    assert probe.resources() == {"cloudfront:GetDistribution": (f"arn:aws:cloudfront::123456789012:distribution/{ID}",)}
