"""A certificate: issued, in time, for the right name, on the right listener."""

from __future__ import annotations

import doctest
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from support.aws.modelled import DENIED, NOW, REQUEST_ID, THROTTLED, ModelledAws, refusal

import probes.aws.acm
from probes.aws.acm import AcmCertificate, CertificateParams, covers
from probes.reading import Reading, Reason

ARN = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
OTHER = ARN.replace("1111", "9999")
BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"
HOST = "transparent-trust.company.com"
WHOLE = {"certificate": ARN, "load_balancer": "web", "host": HOST}


def certificate(**more: Any) -> dict[str, Any]:
    described = {
        "CertificateArn": ARN,
        "DomainName": HOST,
        "SubjectAlternativeNames": [HOST],
        "Status": "ISSUED",
        "NotBefore": NOW - timedelta(days=65),
        "NotAfter": NOW + timedelta(days=300),
        "InUseBy": [BALANCER],
        "Issuer": "Amazon",
        "Type": "AMAZON_ISSUED",
        "RenewalEligibility": "ELIGIBLE",
    } | more
    return {"Certificate": {name: value for name, value in described.items() if value is not None}}


def renewal(status: str, **more: Any) -> dict[str, Any]:
    summary = {"RenewalStatus": status, "DomainValidationOptions": [{"DomainName": HOST}], "UpdatedAt": NOW}
    return {"RenewalSummary": summary | more}


def listening(*ports: int, arn: str = ARN) -> dict[str, Any]:
    return {
        "Listeners": [
            {"ListenerArn": f"l/{port}", "Port": port, "Protocol": "HTTPS", "Certificates": [{"CertificateArn": arn}]}
            for port in ports
        ]
    }


@pytest.fixture
async def aws() -> AsyncIterator[ModelledAws]:
    modelled = ModelledAws()
    modelled.on = {
        "DescribeCertificate": certificate(),
        "DescribeLoadBalancers": {"LoadBalancers": [{"LoadBalancerArn": BALANCER}]},
        "DescribeListeners": listening(443),
        "DescribeListenerCertificates": {"Certificates": []},
    }
    yield modelled
    await modelled.clients.close()


async def read(aws: ModelledAws, params: dict[str, Any] = WHOLE, **on: Any) -> Reading:
    aws.on |= on
    return await AcmCertificate(CertificateParams.model_validate(params), aws.clients).read(NOW)


async def test_a_certificate_as_it_should_be(aws: ModelledAws) -> None:
    reading = await read(aws)
    assert reading.values == {
        "status": "ISSUED",
        "issued": True,
        "valid_now": True,
        "days_left": 300.0,
        "names": (HOST,),
        "covers_host": True,
        "in_use": True,
        "on_balancer": True,
        "shown_to_host": True,
        "issuer": "Amazon",
        "type": "AMAZON_ISSUED",
        "renews": True,
    }
    assert not reading.unknown
    assert reading.evidence.request_id == REQUEST_ID
    assert reading.evidence.console_url.endswith("11111111-2222-3333-4444-555555555555")


@pytest.mark.parametrize(
    ("more", "issued", "valid"),
    [
        ({"Status": "PENDING_VALIDATION", "NotAfter": None, "NotBefore": None}, False, False),
        ({"Status": "EXPIRED", "NotAfter": NOW - timedelta(days=1)}, False, False),
        ({"NotAfter": NOW - timedelta(hours=12)}, True, False),
        ({"NotBefore": NOW + timedelta(hours=1)}, True, False),
    ],
)
async def test_one_that_is_not_good_now(aws: ModelledAws, more: Any, issued: bool, valid: bool) -> None:
    values = (await read(aws, DescribeCertificate=certificate(**more))).values
    assert (values["issued"], values["valid_now"]) == (issued, valid)


async def test_a_status_that_is_new_is_neither_good_nor_bad(aws: ModelledAws) -> None:
    reading = await read(aws, DescribeCertificate=certificate(Status="RESTING"))
    assert {reading.unknown[name].reason for name in ("issued", "valid_now")} == {Reason.NO_DATA}


async def test_days_left_go_below_zero_and_are_unknown_without_an_end(aws: ModelledAws) -> None:
    ended = await read(aws, DescribeCertificate=certificate(NotAfter=NOW - timedelta(hours=12)))
    assert ended.values["days_left"] == -0.5
    endless = await read(aws, DescribeCertificate=certificate(NotAfter=None))
    assert endless.unknown["days_left"].reason is Reason.NO_DATA
    assert endless.unknown["valid_now"].reason is Reason.NO_DATA


def listed(*more: dict[str, Any]) -> dict[str, Any]:
    """A listener with these certificates besides its default one, and each as ACM describes it."""
    described = {ARN: certificate(KeyAlgorithm="RSA_2048")} | {
        f"{OTHER}{number}": certificate(CertificateArn=f"{OTHER}{number}", **each) for number, each in enumerate(more)
    }
    arns = [{"CertificateArn": arn, "IsDefault": arn == ARN} for arn in described]
    return {
        "DescribeListenerCertificates": {"Certificates": arns},
        "DescribeCertificate": lambda asked: described[asked["CertificateArn"]],
    }


ELSEWHERE = {"DomainName": "other.company.com", "SubjectAlternativeNames": ["other.company.com"]}
WILD = {"DomainName": "*.company.com", "SubjectAlternativeNames": ["*.company.com"]}
RSA = {"KeyAlgorithm": "RSA_2048"}
ENDED = {"NotAfter": NOW - timedelta(days=1)}


@pytest.mark.parametrize(
    ("host", "more", "shown"),
    [
        (HOST, [ELSEWHERE], ARN),
        ("other.company.com", [ELSEWHERE], f"{OTHER}0"),
        ("www.company.com", [ELSEWHERE, WILD], f"{OTHER}1"),
        ("elsewhere.example.com", [ELSEWHERE, WILD], ARN),
        (HOST, [RSA, {"KeyAlgorithm": "EC_prime256v1"}], f"{OTHER}1"),
        (HOST, [RSA, {"KeyAlgorithm": "RSA_4096"}], f"{OTHER}1"),
        (HOST, [RSA, RSA | {"SignatureAlgorithm": "SHA512WITHRSA"}], f"{OTHER}1"),
        (HOST, [RSA, {"KeyAlgorithm": "RSA_4096"} | ENDED], f"{OTHER}0"),
        (HOST, [RSA, {"KeyAlgorithm": "EC_prime256v1"} | ENDED], f"{OTHER}1"),
        # One of the list is good for the host: the default one is not shown, though it has not ended.
        (HOST, [RSA | ENDED], f"{OTHER}0"),
    ],
)
async def test_the_certificate_is_the_one_that_the_host_gets(
    aws: ModelledAws, host: str, more: list[dict[str, Any]], shown: str
) -> None:
    reading = await read(aws, {"load_balancer": "web", "host": host}, **listed(*more))
    assert reading.values["shown_to_host"] is True
    assert dict(aws.asked)["DescribeCertificate"]["CertificateArn"] == shown


async def test_a_good_certificate_that_the_host_is_not_shown_says_so(aws: ModelledAws) -> None:
    values = (await read(aws, WHOLE, **listed({"KeyAlgorithm": "EC_prime256v1"} | ENDED))).values
    assert (values["valid_now"], values["on_balancer"], values["shown_to_host"]) == (True, True, False)


async def test_one_that_is_not_in_acm_leaves_open_which_is_shown(aws: ModelledAws) -> None:
    iam = {"Certificates": [{"CertificateArn": "arn:aws:iam::123456789012:server-certificate/old"}]}
    reading = await read(aws, WHOLE, DescribeListenerCertificates=iam)
    assert "tls.certificate" in reading.unknown["shown_to_host"].hint
    assert reading.values["on_balancer"] is True


async def test_another_name_does_not_cover_the_host(aws: ModelledAws) -> None:
    other = certificate(DomainName="other.company.com", SubjectAlternativeNames=["other.company.com"])
    assert (await read(aws, DescribeCertificate=other)).values["covers_host"] is False


@pytest.mark.parametrize(
    ("host", "good"),
    [
        ("a.company.com", True),
        ("A.COMPANY.COM.", True),
        ("a.b.company.com", False),
        ("company.com", False),
        ("xcompany.com", False),
    ],
)
def test_a_star_stands_for_one_label(host: str, good: bool) -> None:
    assert covers(["*.company.com"], host) is good


async def test_no_host_no_answer(aws: ModelledAws) -> None:
    assert (await read(aws, {"certificate": ARN})).unknown["covers_host"].reason is Reason.NO_DATA


async def test_names_left_out_cover_nothing_that_is_known(aws: ModelledAws) -> None:
    reading = await read(aws, DescribeCertificate=certificate(DomainName=None, SubjectAlternativeNames=None))
    assert reading.unknown["covers_host"].reason is Reason.NO_DATA
    assert reading.unknown["names"].reason is Reason.NO_DATA


async def test_used_by_nothing_is_an_answer_and_silence_is_not(aws: ModelledAws) -> None:
    assert (await read(aws, DescribeCertificate=certificate(InUseBy=[]))).values["in_use"] is False
    assert "in_use" in (await read(aws, DescribeCertificate=certificate(InUseBy=None))).unknown


async def test_a_balancer_that_shows_another_certificate(aws: ModelledAws) -> None:
    assert (await read(aws, DescribeListeners=listening(443, arn=OTHER))).values["on_balancer"] is False


async def test_a_certificate_chosen_by_name_is_on_the_listener_too(aws: ModelledAws) -> None:
    second = {"Certificates": [{"CertificateArn": OTHER}, {"CertificateArn": ARN}]}
    reading = await read(aws, DescribeListeners=listening(443, arn=OTHER), DescribeListenerCertificates=second)
    assert reading.values["on_balancer"] is True


async def test_another_port_does_not_count(aws: ModelledAws) -> None:
    assert (await read(aws, DescribeListeners=listening(8443))).unknown["on_balancer"].reason is Reason.NOT_FOUND
    assert (await read(aws, WHOLE | {"port": 8443})).values["on_balancer"] is True


async def test_the_listener_s_default_certificate_is_read_where_none_is_named(aws: ModelledAws) -> None:
    reading = await read(aws, {"load_balancer": "web"}, DescribeListeners=listening(443, arn=OTHER))
    assert aws.asked[-1] == ("DescribeCertificate", {"CertificateArn": OTHER})
    assert reading.values["on_balancer"] is True


async def test_a_certificate_that_iam_keeps_cannot_be_seen(aws: ModelledAws) -> None:
    kept = "arn:aws:iam::123456789012:server-certificate/old"
    reading = await read(aws, {"load_balancer": "web"}, DescribeListeners=listening(443, arn=kept))
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}
    assert "not a certificate of ACM" in reading.unknown["status"].detail


@pytest.mark.parametrize("operation", ["DescribeLoadBalancers", "DescribeListeners", "DescribeListenerCertificates"])
async def test_a_listener_that_cannot_be_seen_leaves_open_what_it_shows(aws: ModelledAws, operation: str) -> None:
    reading = await read(aws, WHOLE, **{operation: DENIED})
    asked = ("on_balancer", "shown_to_host")
    assert {name: u.reason for name, u in reading.unknown.items()} == dict.fromkeys(asked, Reason.ACCESS_DENIED)
    assert f"elasticloadbalancing:{operation}" in reading.unknown["on_balancer"].hint
    alone = await read(aws, {"load_balancer": "web"}, **{operation: DENIED})
    assert not alone.values


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (DENIED, Reason.ACCESS_DENIED),
        (THROTTLED, Reason.THROTTLED),
        (refusal("ResourceNotFoundException"), Reason.NOT_FOUND),
    ],
)
async def test_a_certificate_that_cannot_be_seen(aws: ModelledAws, said: Any, reason: Reason) -> None:
    reading = await read(aws, DescribeCertificate=said)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}


async def test_an_imported_one_never_renews(aws: ModelledAws) -> None:
    imported = certificate(Type="IMPORTED", RenewalEligibility="INELIGIBLE")
    values = (await read(aws, DescribeCertificate=imported)).values
    assert (values["type"], values["renews"]) == ("IMPORTED", False)


@pytest.mark.parametrize(
    ("more", "renews"),
    [
        (renewal("SUCCESS"), True),
        (renewal("PENDING_AUTO_RENEWAL"), True),
        (renewal("PENDING_VALIDATION"), False),
        (renewal("FAILED", RenewalStatusReason="CAA_ERROR"), False),
        ({"DomainValidationOptions": [{"DomainName": HOST, "ValidationMethod": "DNS"}]}, True),
        ({"DomainValidationOptions": [{"DomainName": HOST, "ValidationMethod": "EMAIL"}]}, False),
        ({"RenewalEligibility": "NEW"}, None),
    ],
)
async def test_it_renews_where_nobody_has_to_help(aws: ModelledAws, more: dict[str, Any], renews: bool | None) -> None:
    reading = await read(aws, DescribeCertificate=certificate(**more))
    assert reading.values.get("renews") is renews
    assert ("CAA_ERROR" in str(more)) == any("renewal FAILED (CAA_ERROR)" in line for line in reading.evidence.lines)


def test_a_certificate_or_a_balancer_is_needed() -> None:
    with pytest.raises(ValidationError, match="give certificate"):
        CertificateParams(host=HOST)


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(probes.aws.acm).failed == 0
