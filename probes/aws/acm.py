"""ACM: a certificate, what it is good for, and whether the load balancer shows it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import Field as Setting
from pydantic import model_validator

from probes.aws.alb_load_balancer import find_balancer, listeners_of
from probes.clients.arns import arn, console
from probes.clients.paging import pages, request_id
from probes.demand import AWS_ALONE
from probes.frozen import frozen
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, sorted_out

DAY = timedelta(days=1)
_NOT_ISSUED = ("PENDING_VALIDATION", "INACTIVE", "EXPIRED", "VALIDATION_TIMED_OUT", "REVOKED", "FAILED")
"""Closed: besides ISSUED every status of a certificate."""
_NOT_RENEWING = ("PENDING_VALIDATION", "FAILED")
"""Where ACM cannot prove by itself who owns a name: somebody must mend that, or the certificate ends."""


@frozen
class _Held:
    """What an HTTPS listener has: ARNs of its default certificate, and of the list it picks from by name."""

    default: str
    listed: tuple[str, ...]


class CertificateParams(Params):
    certificate: str = ""
    """ARN. Left out, it is the one that the load balancer's HTTPS listener on `port` shows for `host`, or its default one."""
    load_balancer: str = ""
    """Name or ARN of the load balancer that must show it."""
    port: int = Setting(443, ge=1, le=65535)
    """The listener's port."""
    host: str = ""
    """Name the certificate must be good for, and by which the load balancer picks one."""

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if not (self.certificate or self.load_balancer):
            raise ValueError("give certificate, load_balancer, or both")
        return self


class AcmCertificate(Probe[CertificateParams]):
    """A certificate in ACM: issued, not expired, for the right name, and shown by the load balancer.

    Reads acm DescribeCertificate: Status, NotBefore, NotAfter, SubjectAlternativeNames, InUseBy, Issuer, Type,
    RenewalEligibility, RenewalSummary, DomainValidationOptions, KeyAlgorithm; with a load balancer also elbv2
    DescribeLoadBalancers, DescribeListeners and DescribeListenerCertificates (CertificateArn, IsDefault) of its listener on
    `port`. The load balancer picks by the name that a client asks for, of its list: those good for `host`, of these an ECDSA
    key before RSA, one that has not ended, the longer hash (SignatureAlgorithm), the longer key, the longer validity. Where
    none of the list is good for it, it is the default one, however good that would be (Elastic Load Balancing's user guide of
    Application Load Balancers, "SSL certificates").
    An imported certificate never renews by itself, nor does one that is validated by e-mail.
    """

    name = "acm.certificate"
    params_type = CertificateParams
    demands = AWS_ALONE
    subjects = ("acm", "certificate")
    cannot_see = "what a client is shown that takes no ECDSA: tls.certificate does a handshake"
    late = "seconds; ACM's own list of who uses it follows later"
    fields = (
        Field("status", str, "ISSUED, PENDING_VALIDATION, EXPIRED, REVOKED, FAILED, ...", "ISSUED"),
        Field("issued", bool, "the status is ISSUED", example=True),
        Field("valid_now", bool, "it is issued, has begun and has not ended", example=True),
        Field("days_left", float, "until it ends; below 0 it has", 200.0, "days"),
        Field("names", tuple, "names it is good for", ("app.example.com",)),
        Field("covers_host", bool, "it is good for `host`", example=True),
        Field("in_use", bool, "ACM knows an AWS resource that uses it", example=True),
        Field("on_balancer", bool, "the load balancer's HTTPS listener has it", example=True),
        Field("shown_to_host", bool, "it is the one that a client asking for `host` is shown", example=True),
        Field("issuer", str, "who issued it", "Amazon"),
        Field("type", str, "AMAZON_ISSUED, IMPORTED or PRIVATE", "AMAZON_ISSUED"),
        Field("renews", bool, "ACM can renew it by itself", example=True),
    )
    iam = (
        "acm:DescribeCertificate",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeListenerCertificates",
    )
    interval = timedelta(minutes=10)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        any_one = arn(self.clients.options, "acm", "certificate/*")
        given, picked = self.params.certificate, self.params.load_balancer and self.params.host
        return {self.iam[0]: (given if given and not picked else any_one,)}

    async def read(self, now: datetime) -> Reading:
        given, host = self.params.certificate, self.params.host
        query = f"acm describe-certificate --certificate-arn {given or f'(of {self.params.load_balancer})'}"
        there = await self._there() if self.params.load_balancer else None
        if not given and isinstance(there, Unknown):
            return self.blind(now, there, Evidence(query))
        picked = await self._picked(there, now) if isinstance(there, _Held) else there
        if not given and isinstance(picked, Unknown):
            return self.blind(now, picked, Evidence(query))
        arn = given or (picked if isinstance(picked, str) else "")
        if ":acm:" not in arn:
            return self.blind(now, self._not_in_acm(arn), Evidence(query))
        try:
            answer = await self.clients.aws("acm", "describe_certificate", CertificateArn=arn)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        found = answer.get("Certificate") or {}
        no_balancer = Unknown(Reason.NO_DATA, "the plan gives no load_balancer", "set it in the plan")
        no_host = Unknown(Reason.NO_DATA, "the plan gives no host", "set it in the plan")
        values = _values(found, now)
        fields: dict[str, FieldValue] = values | {
            "covers_host": (covers(values["names"], host) if values["names"] else None) if host else no_host,
            "on_balancer": no_balancer
            if there is None
            else there
            if isinstance(there, Unknown)
            else arn in (there.default, *there.listed),
            "shown_to_host": no_host if not host else no_balancer if picked is None else _is_it(picked, arn),
        }
        known, unknown = sorted_out(fields)
        evidence = Evidence(query, request_id(answer), self._url(arn), _lines(found))
        return self.reading(now, known, unknown=unknown, evidence=evidence)

    async def _picked(self, there: _Held, now: datetime) -> str | Unknown:
        """The one of a listener's certificates that a client asking for `host` is shown; without a host, the default one."""
        if not self.params.host or not there.listed:
            return there.default
        if others := [each for each in there.listed if ":acm:" not in each]:
            detail = f"{one_line(others[0])} may be the one that is shown, and its names are not in ACM"
            return Unknown(Reason.NO_DATA, detail, "see by tls.certificate which one is")
        try:
            answers = await asyncio.gather(
                *(self.clients.aws("acm", "describe_certificate", CertificateArn=each) for each in there.listed)
            )
        except Unseen as unseen:
            return unseen.unknown
        found = [answer.get("Certificate") or {} for answer in answers]
        good = [
            (each, described)
            for each, described in zip(there.listed, found, strict=True)
            if covers(_values(described, now)["names"], self.params.host)
        ]
        return max(good, key=lambda pair: _preference(pair[1], now), default=(there.default, {}))[0]

    async def _there(self) -> _Held | Unknown:
        """Certificates of the HTTPS listener on `port`, or why they cannot be seen."""
        wanted, port = self.params.load_balancer, self.params.port
        try:
            balancer, _ = await find_balancer(self.clients, wanted)
            listeners = await listeners_of(self.clients, str(balancer["LoadBalancerArn"]))
            secure = [each for each in listeners if each.get("Port") == port and each.get("Certificates")]
            if not secure:
                detail = f"{wanted} has no listener with a certificate on port {port}"
                return Unknown(Reason.NOT_FOUND, detail, "add an HTTPS listener, or correct `port`")
            more = await asyncio.gather(*(self._others(str(each["ListenerArn"])) for each in secure))
        except Unseen as unseen:
            return unseen.unknown
        default = [str(c.get("CertificateArn", "")) for each in secure for c in each["Certificates"]]
        return _Held(default[0], tuple(dict.fromkeys(arn for arns in more for arn in arns)))

    async def _others(self, listener: str) -> list[str]:
        """The list a listener chooses from by name. A default certificate that is on it too comes twice."""
        found = await pages(
            self.clients,
            "elbv2",
            "describe_listener_certificates",
            request_key="Marker",
            response_key="NextMarker",
            ListenerArn=listener,
        )
        listed = [each for page in found for each in page.get("Certificates") or () if not each.get("IsDefault")]
        return [str(each.get("CertificateArn", "")) for each in listed]

    def _not_in_acm(self, arn: str) -> Unknown:
        detail = f"{one_line(arn) or 'the certificate'} is not a certificate of ACM"
        return Unknown(Reason.NOT_FOUND, detail, "give the ARN of one in ACM, or check its dates over TLS")

    def _url(self, certificate: str) -> str:
        region = self.clients.options.region
        return console(region, f"acm/home?region={region}#/certificates/{certificate.rpartition('/')[2]}")


def _values(found: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    status, begins, ends = found.get("Status"), found.get("NotBefore"), found.get("NotAfter")
    names = dict.fromkeys([*([found["DomainName"]] if found.get("DomainName") else ()), *_alternatives(found)])
    valid = None
    if status in _NOT_ISSUED:
        valid = False
    elif status == "ISSUED" and ends is not None:
        valid = (begins is None or begins <= now) and now < ends
    return {
        "status": status,
        "issued": status == "ISSUED" if status in ("ISSUED", *_NOT_ISSUED) else None,
        "valid_now": valid,
        "days_left": (ends - now) / DAY if ends else None,
        "names": tuple(names),
        # ACM gives the list, empty, for a certificate that nothing uses.
        "in_use": bool(found["InUseBy"]) if found.get("InUseBy") is not None else None,
        "issuer": one_line(str(found["Issuer"])) if found.get("Issuer") else None,
        "type": found.get("Type"),
        "renews": _renews(found),
    }


def _renews(found: Mapping[str, Any]) -> bool | None:
    """Eligible is not enough: by e-mail a person has to answer each time, and a renewal can have come to nothing."""
    eligible, renewal = found.get("RenewalEligibility"), found.get("RenewalSummary") or {}
    if eligible != "ELIGIBLE":
        return False if eligible == "INELIGIBLE" else None
    names = [*(found.get("DomainValidationOptions") or ()), *(renewal.get("DomainValidationOptions") or ())]
    by_person = any(name.get("ValidationMethod") == "EMAIL" for name in names)
    return not by_person and renewal.get("RenewalStatus") not in _NOT_RENEWING


def _is_it(picked: str | Unknown, arn: str) -> bool | Unknown:
    return picked if isinstance(picked, Unknown) else picked == arn


def _preference(found: Mapping[str, Any], now: datetime) -> tuple[bool, bool, int, int, float]:
    """How a load balancer ranks certificates that are good for one name, the best highest (AWS's "smart selection")."""
    algorithm, begins, ends = str(found.get("KeyAlgorithm", "")), found.get("NotBefore"), found.get("NotAfter")
    digits = "".join(char for char in algorithm if char.isdigit())
    valid_s = (ends - begins).total_seconds() if begins and ends else 0.0
    sha = re.match(r"SHA(\d+)", str(found.get("SignatureAlgorithm", "")))
    hashed = int(sha[1]) if sha else 0
    return algorithm.startswith("EC"), ends is None or now < ends, hashed, int(digits or 0), valid_s


def _alternatives(found: Mapping[str, Any]) -> list[str]:
    return [str(name) for name in found.get("SubjectAlternativeNames") or ()]


def covers(names: Iterable[str], host: str) -> bool:
    """Whether a certificate for `names` is good for `host`; a star stands for one label, the first (RFC 6125).

    >>> covers(["*.example.com"], "app.example.com"), covers(["*.example.com"], "a.b.example.com")
    (True, False)
    """
    wanted = host.lower().rstrip(".")
    parent = wanted.partition(".")[2]
    good = {name.lower().rstrip(".") for name in names}
    return wanted in good or (bool(parent) and f"*.{parent}" in good)


def _lines(found: Mapping[str, Any]) -> tuple[str, ...]:
    ends = f"{found['NotAfter']:%Y-%m-%d %H:%M}" if found.get("NotAfter") else "?"
    users = [f"used by {one_line(str(arn))}" for arn in (found.get("InUseBy") or [])[:4]]
    renewal = found.get("RenewalSummary") or {}
    why = f" ({renewal['RenewalStatusReason']})" if renewal.get("RenewalStatusReason") else ""
    renewed = [one_line(f"renewal {renewal['RenewalStatus']}{why}")] if renewal.get("RenewalStatus") else []
    return (f"{found.get('Status')} until {ends}", *renewed, *users)
