"""IAM: whether a role may do what the application will ask of it, as AWS's own simulator judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from pydantic import Field as Setting

from probes.aws.secret_keys import DECRYPT, GET, customer_keys
from probes.clients.arns import arn_in, console, is_arn
from probes.clients.paging import pages, request_id
from probes.demand import AWS_ALONE
from probes.frozen import frozen
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line


class SimulateParams(Params):
    role: str
    """Name or ARN of the role."""
    actions: list[str] = Setting(min_length=1)
    """Each is tried on each of `resources`: name together only what belongs together."""
    resources: list[str] = Setting(default_factory=lambda: ["*"], min_length=1)
    """ARNs, without wildcards where possible: a policy for `bucket/*` allows `bucket/a`, and not `*`."""
    context: dict[str, str] = Setting(default_factory=dict)
    """Values of condition keys, such as `aws:SourceVpce`, that policies look at."""


NO_DECISION = "no decision"


@frozen
class SimulatedAction:
    """One action on one resource."""

    action: str
    resource: str
    decision: str
    """allowed, explicitDeny or implicitDeny."""
    missing: tuple[str, ...]
    """Condition keys nobody gave a value for."""
    organization: bool | None
    boundary: bool | None

    @property
    def denied(self) -> bool:
        return self.decision not in ("allowed", NO_DECISION) or self.organization is False or self.boundary is False

    @property
    def certain(self) -> bool:
        """An explicit deny is final; all else can be turned round by a statement that lacks its context."""
        return (
            (not self.missing and self.decision != NO_DECISION)
            or self.decision == "explicitDeny"
            or False in (self.organization, self.boundary)
        )

    @property
    def text(self) -> str:
        by = " by organization" if self.organization is False else " by boundary" if self.boundary is False else ""
        return one_line(f"{self.action} on {self.resource}: {self.decision}{by}")


class IamSimulate(Probe[SimulateParams]):
    """Whether a role's policies allow actions on resources, without trying any of them.

    Reads iam SimulatePrincipalPolicy (EvalDecision, MissingContextValues, OrganizationsDecisionDetail,
    PermissionsBoundaryDecisionDetail, ResourceSpecificResults) and, for a role given by name, GetRole (Arn). A decision that
    lacks a condition's context is PARTIAL, neither allowed nor denied. The policies of buckets, keys and VPC endpoints are not
    simulated: they can still refuse what is allowed here, and a key's policy can allow by itself. Where `actions` has
    secretsmanager:GetSecretValue and one of the secrets is under a customer managed key (secretsmanager ListSecrets, kms
    DescribeKey), kms:Decrypt on that key by way of Secrets Manager is simulated too.
    """

    name = "iam.simulate"
    params_type = SimulateParams
    demands = AWS_ALONE
    subjects = ("iam", "policy", "permission")
    cannot_see = "policies of buckets, keys and VPC endpoints, which can still refuse what is allowed here"
    late = "seconds to minutes: a changed policy takes a while to hold everywhere"
    fields = (
        Field("all_allowed", bool, "every action is allowed on every resource", example=True),
        Field("checked", int, "pairs of an action and a resource", 3, "count", low=1),
        Field("denied_count", int, "pairs that are denied", 0, "count", low=0),
        Field("denied", tuple, "those pairs", ("s3:PutObject on arn:aws:s3:::b/a: implicitDeny",)),
        Field("explicit_denies", int, "pairs a statement denies by name, which no other can allow", 0, "count", low=0),
        Field("undecided", int, "pairs whose decision lacks a condition's context", 0, "count", low=0),
        Field("denied_by_organization", bool, "a policy of the organization denies a pair", example=False),
        Field("denied_by_boundary", bool, "the role's permissions boundary denies a pair", example=False),
    )
    iam = ("iam:SimulatePrincipalPolicy", "iam:GetRole", "secretsmanager:ListSecrets", "kms:DescribeKey")
    iam_sometimes = MappingProxyType(
        {
            "secretsmanager:ListSecrets": "reading secrets is simulated",
            "kms:DescribeKey": "one of those secrets names its key by an alias",
        }
    )
    interval = timedelta(minutes=5)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        role, region, account = self.params.role, self.clients.options.region, self.clients.options.account
        return dict.fromkeys(self.iam[:2], (role if is_arn(role) else arn_in(region, account, "iam", f"role/{role}"),))

    async def read(self, now: datetime) -> Reading:
        params = self.params
        query = (
            f"iam simulate-principal-policy --policy-source-arn {params.role} --action-names {' '.join(params.actions)}"
        )
        query += f" --resource-arns {' '.join(params.resources)}"
        try:
            found, keys = await self._simulated()
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        simulated = [verdict for page in found for verdict in _simulated_actions(page.get("EvaluationResults") or ())]
        evidence = Evidence(
            query, request_id(found[0]), self._url(), tuple(v.text for v in _worst_first(simulated)[:8])
        )
        pairs = len(set(params.actions)) * len(set(params.resources)) + len(keys)
        if len(simulated) < pairs:
            short = Unknown(
                Reason.PARTIAL, f"{len(simulated)} of {pairs} decisions came", "name fewer pairs in a probe"
            )
            return self.blind(now, short, evidence)
        values, unknown = _together(simulated)
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    async def _simulated(self) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        """The answers, and the keys of secrets that were asked about beside what the plan names."""
        params = self.params
        role = params.role
        if not role.startswith("arn:"):
            answer = await self.clients.aws("iam", "get_role", RoleName=role)
            role = str((answer.get("Role") or {}).get("Arn") or "")
            if not role:
                raise Unseen(Unknown(Reason.NO_DATA, f"IAM gives no ARN of {params.role}", "give the role's ARN"))
        found = await self._asked(role, params.actions, params.resources, params.context)
        keys = await customer_keys(self.clients, params.resources) if GET in params.actions else ()
        if keys:
            found += await self._asked(
                role, [DECRYPT], keys, _by_secrets_manager(self.clients.options.region) | params.context
            )
        return found, keys

    async def _asked(
        self, role: str, actions: Sequence[str], resources: Sequence[str], context: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        entries = [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in context.items()
        ]
        more: dict[str, Any] = {"ContextEntries": entries} if entries else {}
        return await pages(
            self.clients,
            "iam",
            "simulate_principal_policy",
            request_key="Marker",
            response_key="Marker",
            PolicySourceArn=role,
            ActionNames=list(actions),
            ResourceArns=list(resources),
            **more,
        )

    def _url(self) -> str:
        role = self.params.role.rpartition("/")[2]
        return console(self.clients.options.region, f"iam/home#/roles/details/{role}")


def _by_secrets_manager(region: str) -> dict[str, str]:
    """The context of a decryption that Secrets Manager asks for.

    It is a value of kms:ViaService, no host: AWS KMS' table of services gives .amazonaws.com in all partitions, China too.
    """
    return {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"} if region else {}


def _simulated_actions(results: Sequence[Mapping[str, Any]]) -> Iterator[SimulatedAction]:
    """A verdict per pair: IAM returns several resources as separate results, or inside one."""
    for result in results:
        decisions: list[Mapping[str, Any]] = [
            {**each, "EvalDecision": each.get("EvalResourceDecision")}
            for each in result.get("ResourceSpecificResults") or ()
        ]
        for each in decisions or [result]:
            boundary = each.get("PermissionsBoundaryDecisionDetail") or result.get("PermissionsBoundaryDecisionDetail")
            yield SimulatedAction(
                str(result.get("EvalActionName", "?")),
                str(each.get("EvalResourceName", "?")),
                str(each.get("EvalDecision") or NO_DECISION),
                tuple(each.get("MissingContextValues") or ()),
                (result.get("OrganizationsDecisionDetail") or {}).get("AllowedByOrganizations"),
                (boundary or {}).get("AllowedByPermissionsBoundary"),
            )


def _together(simulated: Sequence[SimulatedAction]) -> tuple[dict[str, Any], dict[str, Unknown]]:
    """A certain denial is reported whatever else is open; without one, an open decision leaves the question open."""
    denied = [v for v in simulated if v.denied and v.certain]
    undecided = [v for v in simulated if not v.certain]
    organizations = [v.organization for v in simulated if v.organization is not None]
    boundaries = [v.boundary for v in simulated if v.boundary is not None]
    values: dict[str, Any] = {
        "checked": len(simulated),
        "explicit_denies": sum(v.decision == "explicitDeny" for v in simulated),
        "undecided": len(undecided),
        "denied_by_organization": not all(organizations) if organizations else None,
        "denied_by_boundary": not all(boundaries) if boundaries else None,
    }
    unknown: dict[str, Unknown] = {}
    if not organizations:
        unknown["denied_by_organization"] = Unknown(Reason.NO_DATA, "IAM reports no policy of an organization")
    if not boundaries:
        unknown["denied_by_boundary"] = Unknown(Reason.NO_DATA, "IAM reports no permissions boundary")
    if denied or not undecided:
        values |= {"all_allowed": not denied, "denied_count": len(denied), "denied": tuple(v.text for v in denied)}
    else:
        keys = ", ".join(sorted({key for v in undecided for key in v.missing})) or "what IAM does not name"
        open_ = Unknown(Reason.PARTIAL, f"decisions depend on {keys}", "give their values as `context` in the plan")
        unknown |= dict.fromkeys(("all_allowed", "denied_count", "denied"), open_)
    if not denied and not undecided:
        unknown["denied"] = Unknown(Reason.NO_DATA, "none is denied")
    return values, unknown


def _worst_first(simulated: Sequence[SimulatedAction]) -> list[SimulatedAction]:
    return sorted(simulated, key=lambda v: (not v.denied, v.certain))
