"""Who calls, and what a role may do: GetCallerIdentity and SimulatePrincipalPolicy."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from moto.iam.models import iam_backends

from cockpit.rehearsal.aws.services.call_faults import caller_of
from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.routing import Call

PolicyStatement = Mapping[str, Any]


class Identity:
    """The callers' identities, and policies evaluated as far as Effect, Action and Resource go.

    Conditions, boundaries, bucket policies and key policies are not looked at; a statement with a Condition makes its
    keys MissingContextValues and does not apply, as the real simulator does without context.
    """

    def __init__(self, account: str) -> None:
        self._account = account

    def answers(self) -> Mapping[tuple[str, str], Callable[[Call], Mapping[str, Any]]]:
        return {
            ("sts", "GetCallerIdentity"): self.get_caller_identity,
            ("iam", "SimulatePrincipalPolicy"): self.simulate_principal_policy,
        }

    def get_caller_identity(self, call: Call) -> Mapping[str, Any]:
        role, session = ("transparent-trust-task", "web") if caller_of(call) == "app" else ("on-call", "cockpit")
        arn = f"arn:aws:sts::{self._account}:assumed-role/{role}/{session}"
        return {"UserId": f"AROAREHEARSED:{session}", "Account": self._account, "Arn": arn}

    def simulate_principal_policy(self, call: Call) -> Mapping[str, Any]:
        asked = call.params
        statements = list(self._statements(asked["PolicySourceArn"]))
        resources = asked.get("ResourceArns") or ["*"]
        results = [evaluate(statements, action, resource) for action in asked["ActionNames"] for resource in resources]
        return {"EvaluationResults": results, "IsTruncated": False}

    def _statements(self, arn: str) -> Iterator[tuple[str, PolicyStatement]]:
        """(policy, statement) of a role, user or group."""
        kind, _, path = arn.rpartition(":")[2].partition("/")
        name = path.rpartition("/")[2]
        backend = iam_backends[self._account]["aws"]
        held: dict[str, Any] = {
            "role": backend.roles.values(),
            "user": backend.users.values(),
            "group": backend.groups.values(),
        }
        principal = next((each for each in held.get(kind, ()) if each.name == name), None)
        if principal is None:
            raise AwsError("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)
        for policy, text in _documents(principal):
            statement = json.loads(text)["Statement"]
            for each in statement if isinstance(statement, list) else [statement]:
                yield policy, each


def _documents(principal: Any) -> Iterator[tuple[str, str]]:
    inline = principal.policies
    pairs = inline.items() if isinstance(inline, dict) else [(each.name, each.document) for each in inline]
    for name, document in pairs:
        text = document if isinstance(document, str) else json.dumps(document)
        yield name, unquote(text) if text.startswith("%") else text
    for policy in principal.managed_policies.values():
        yield policy.name, policy.default_version.document


def evaluate(statements: Iterable[tuple[str, PolicyStatement]], action: str, resource: str) -> dict[str, Any]:
    """An entry of EvaluationResults: an explicit deny wins, then an allow, else it is denied implicitly.

    >>> allow = ("p", {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"})
    >>> evaluate([allow], "s3:GetObject", "arn:aws:s3:::b/k")["EvalDecision"]
    'allowed'
    >>> evaluate([allow], "s3:PutObject", "arn:aws:s3:::b/k")["EvalDecision"]
    'implicitDeny'
    """
    decision, matched, missing = "implicitDeny", [], set()
    for policy, statement in statements:
        if not _concerns(statement, action, resource):
            continue
        if statement.get("Condition"):
            missing |= {key for keys in statement["Condition"].values() for key in keys}
            continue
        denies = statement["Effect"] == "Deny"
        decision = "explicitDeny" if denies or decision == "explicitDeny" else "allowed"
        matched.append({"SourcePolicyId": policy, "SourcePolicyType": "IAM Policy"})
    return {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": decision,
        "MatchedStatements": matched,
        "MissingContextValues": sorted(missing),
    }


def _concerns(statement: PolicyStatement, action: str, resource: str) -> bool:
    if "NotAction" in statement:
        acts = not _any_like(statement["NotAction"], action.lower(), lower=True)
    else:
        acts = _any_like(statement.get("Action", ()), action.lower(), lower=True)
    if "NotResource" in statement:
        return acts and not _any_like(statement["NotResource"], resource)
    return acts and _any_like(statement.get("Resource", "*"), resource)


def _any_like(patterns: str | Iterable[str], text: str, *, lower: bool = False) -> bool:
    many = [patterns] if isinstance(patterns, str) else list(patterns)
    return any(fnmatch.fnmatchcase(text, (each.lower() if lower else each).replace("[", "[[]")) for each in many)
