"""What a role may do: denied by whom, and never allowed by a decision that lacks its context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError
from support.aws.modelled import DENIED, NOW, REQUEST_ID, THROTTLED, ModelledAws, paged, refusal

from probes.aws.iam_simulate import IamSimulate, SimulateParams
from probes.reading import Reading, Reason

ROLE = "arn:aws:iam::123456789012:role/web-task"
DOCUMENT = "arn:aws:s3:::docs/a"
PUT, GET = "s3:PutObject", "s3:GetObject"
WHOLE = {"role": ROLE, "actions": [PUT, GET], "resources": [DOCUMENT]}


def result(action: str = PUT, decision: str = "allowed", **more: Any) -> dict[str, Any]:
    return {"EvalActionName": action, "EvalResourceName": DOCUMENT, "EvalDecision": decision} | more


def answer(*results: Any) -> dict[str, Any]:
    return {"EvaluationResults": list(results), "IsTruncated": False}


@pytest.fixture
async def aws() -> AsyncIterator[ModelledAws]:
    modelled = ModelledAws()
    yield modelled
    await modelled.clients.close()


async def read(aws: ModelledAws, *results: Any, params: dict[str, Any] = WHOLE, **on: Any) -> Reading:
    aws.on |= {"SimulatePrincipalPolicy": answer(*results)} | on
    return await IamSimulate(SimulateParams.model_validate(params), aws.clients).read(NOW)


async def test_everything_is_allowed(aws: ModelledAws) -> None:
    reading = await read(aws, result(), result(GET))
    assert reading.values == {
        "all_allowed": True,
        "checked": 2,
        "denied_count": 0,
        "explicit_denies": 0,
        "undecided": 0,
    }
    assert set(reading.unknown) == {"denied", "denied_by_organization", "denied_by_boundary"}
    assert reading.evidence.request_id == REQUEST_ID
    assert aws.asked == [
        (
            "SimulatePrincipalPolicy",
            {"PolicySourceArn": ROLE, "ActionNames": [PUT, GET], "ResourceArns": [DOCUMENT]},
        )
    ]


async def test_what_is_denied_is_named(aws: ModelledAws) -> None:
    values = (await read(aws, result(PUT, "implicitDeny"), result(GET))).values
    assert (values["all_allowed"], values["denied_count"]) == (False, 1)
    assert values["denied"] == (f"{PUT} on {DOCUMENT}: implicitDeny",)


async def test_an_explicit_deny_is_counted(aws: ModelledAws) -> None:
    values = (await read(aws, result(PUT, "explicitDeny"), result(GET, "implicitDeny"))).values
    assert (values["explicit_denies"], values["denied_count"]) == (1, 2)


async def test_results_inside_one_are_told_apart(aws: ModelledAws) -> None:
    inside = [
        {"EvalResourceName": f"{DOCUMENT}{n}", "EvalResourceDecision": decision}
        for n, decision in enumerate(("allowed", "implicitDeny"))
    ]
    reading = await read(aws, result(ResourceSpecificResults=inside), result(GET))
    assert reading.values["denied"] == (f"{PUT} on {DOCUMENT}1: implicitDeny",)


@pytest.mark.parametrize("decision", ["allowed", "implicitDeny"])
async def test_a_decision_without_its_context_is_none(aws: ModelledAws, decision: str) -> None:
    open_ = result(PUT, decision, MissingContextValues=["aws:SourceVpce"])
    reading = await read(aws, open_, result(GET))
    assert reading.values["undecided"] == 1
    for name in ("all_allowed", "denied_count", "denied"):
        assert reading.unknown[name].reason is Reason.PARTIAL
    assert "aws:SourceVpce" in reading.unknown["all_allowed"].detail


async def test_a_denial_that_is_certain_is_not_hidden_by_an_open_one(aws: ModelledAws) -> None:
    open_ = result(PUT, MissingContextValues=["aws:SourceVpce"])
    values = (await read(aws, open_, result(GET, "implicitDeny"))).values
    assert (values["all_allowed"], values["denied_count"]) == (False, 1)


async def test_an_explicit_deny_needs_no_more_context(aws: ModelledAws) -> None:
    final = result(PUT, "explicitDeny", MissingContextValues=["aws:SourceVpce"])
    values = (await read(aws, final, result(GET))).values
    assert (values["all_allowed"], values["undecided"]) == (False, 0)


@pytest.mark.parametrize(
    ("detail", "inner", "field"),
    [
        ("OrganizationsDecisionDetail", "AllowedByOrganizations", "denied_by_organization"),
        ("PermissionsBoundaryDecisionDetail", "AllowedByPermissionsBoundary", "denied_by_boundary"),
    ],
)
@pytest.mark.parametrize("allows", [True, False])
async def test_who_else_denies_shows(aws: ModelledAws, detail: str, inner: str, field: str, allows: bool) -> None:
    more: dict[str, Any] = {detail: {inner: allows}}
    values = (await read(aws, result(**more), result(GET))).values
    assert (values[field], values["all_allowed"]) == (not allows, allows)


async def test_context_of_the_plan_is_given(aws: ModelledAws) -> None:
    await read(aws, result(), result(GET), params=WHOLE | {"context": {"aws:SourceVpce": "vpce-1"}})
    entries = aws.asked[0][1]["ContextEntries"]
    assert entries == [{"ContextKeyName": "aws:SourceVpce", "ContextKeyValues": ["vpce-1"], "ContextKeyType": "string"}]


async def test_a_role_by_name_is_looked_up(aws: ModelledAws) -> None:
    role = {
        "Path": "/x/",
        "RoleName": "web-task",
        "RoleId": "AROA0123456789012345",
        "Arn": ROLE.replace("role/", "role/x/"),
        "CreateDate": NOW,
    }
    await read(aws, result(), result(GET), params=WHOLE | {"role": "web-task"}, GetRole={"Role": role})
    assert aws.asked[1][1]["PolicySourceArn"] == "arn:aws:iam::123456789012:role/x/web-task"


async def test_decisions_on_later_pages_count(aws: ModelledAws) -> None:
    two = paged([answer(result()), answer(result(GET, "implicitDeny"))], "Marker", "Marker")
    assert (await read(aws, SimulatePrincipalPolicy=two)).values["denied_count"] == 1


@pytest.mark.parametrize("results", [(), (result(),)])
async def test_fewer_decisions_than_asked_for_are_partial(aws: ModelledAws, results: Any) -> None:
    reading = await read(aws, *results)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {Reason.PARTIAL}


@pytest.mark.parametrize("operation", ["GetRole", "SimulatePrincipalPolicy"])
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (DENIED, Reason.ACCESS_DENIED),
        (THROTTLED, Reason.THROTTLED),
        (refusal("NoSuchEntity", status=404), Reason.NOT_FOUND),
    ],
)
async def test_a_refusal_makes_everything_unknown(aws: ModelledAws, operation: str, said: Any, reason: Reason) -> None:
    params = WHOLE | {"role": "web-task" if operation == "GetRole" else ROLE}
    reading = await read(aws, params=params, **{operation: said})
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert f"iam:{operation}" in reading.unknown["checked"].hint


@pytest.mark.parametrize(
    "given", [{"role": "r"}, {"role": "r", "actions": []}, {"role": "r", "actions": ["a"], "resources": []}]
)
def test_there_must_be_something_to_try(given: Any) -> None:
    with pytest.raises(ValidationError):
        SimulateParams.model_validate(given)


SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1f3a"
READS = {"role": ROLE, "actions": ["secretsmanager:GetSecretValue"], "resources": [f"{SECRET}web/*"]}


def secret(name: str, key: str = "") -> dict[str, Any]:
    return {"Name": name, "ARN": f"{SECRET}{name}-AbCdEf"} | ({"KmsKeyId": key} if key else {})


def simulator(allowed: frozenset[str]) -> Any:
    def answered(asked: dict[str, Any]) -> dict[str, Any]:
        pairs = [(action, resource) for action in asked["ActionNames"] for resource in asked["ResourceArns"]]
        decided = [(a, r, "allowed" if a in allowed else "implicitDeny") for a, r in pairs]
        return answer(*({"EvalActionName": a, "EvalResourceName": r, "EvalDecision": d} for a, r, d in decided))

    return answered


READ_ONLY, WITH_KEY = frozenset(READS["actions"]), frozenset({*READS["actions"], "kms:Decrypt"})


@pytest.mark.parametrize(
    ("secrets", "allowed", "denied"),
    [
        ([secret("web/key")], READ_ONLY, None),
        ([secret("web/key", "alias/aws/secretsmanager")], READ_ONLY, None),
        ([secret("web/key", KEY)], READ_ONLY, f"kms:Decrypt on {KEY}: implicitDeny"),
        ([secret("web/key", KEY), secret("web/other", "1f3a")], WITH_KEY, None),
        ([secret("web/key", "alias/web")], READ_ONLY, f"kms:Decrypt on {KEY}: implicitDeny"),
        ([secret("website/key", KEY)], READ_ONLY, None),
    ],
)
async def test_who_reads_a_secret_under_a_key_of_ones_own_must_be_allowed_to_use_the_key(
    aws: ModelledAws, secrets: list[dict[str, Any]], allowed: frozenset[str], denied: str | None
) -> None:
    aws.on |= {"SimulatePrincipalPolicy": simulator(allowed), "ListSecrets": {"SecretList": secrets}}
    aws.on["DescribeKey"] = {"KeyMetadata": {"KeyId": "1f3a", "Arn": KEY}}
    reading = await IamSimulate(SimulateParams.model_validate(READS), aws.clients).read(NOW)
    assert reading.values["all_allowed"] is (denied is None)
    assert reading.values.get("denied") == ((denied,) if denied else None)
    via = [e for op, asked in aws.asked if op == "SimulatePrincipalPolicy" for e in asked.get("ContextEntries", ())]
    if allowed == WITH_KEY or denied:
        assert [each["ContextKeyValues"] for each in via] == [["secretsmanager.us-east-1.amazonaws.com"]]


async def test_an_answer_without_a_decision_is_neither(aws: ModelledAws) -> None:
    listed = {"EvalResourceName": DOCUMENT, "EvalResourceDecision": "allowed", "MissingContextValues": []}
    silent = {name: value for name, value in listed.items() if name != "EvalResourceDecision"} | {
        "EvalResourceDecision": ""
    }
    reading = await read(aws, result(ResourceSpecificResults=[silent]), result(GET))
    assert (reading.unknown["all_allowed"].reason, reading.values["undecided"]) == (Reason.PARTIAL, 1)


@pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1", "us-iso-east-1", "eusc-de-east-1"])
async def test_secrets_manager_has_the_same_suffix_for_kms_in_every_partition(region: str) -> None:
    """ "Services that support the kms:ViaService condition key", AWS KMS: the suffix is that of the aws partition in all."""
    aws = ModelledAws(region=region)
    aws.on |= {"SimulatePrincipalPolicy": simulator(WITH_KEY), "ListSecrets": {"SecretList": [secret("web/key", KEY)]}}
    await IamSimulate(SimulateParams.model_validate(READS), aws.clients).read(NOW)
    await aws.clients.close()
    (given,) = [asked["ContextEntries"] for _, asked in aws.asked if asked.get("ActionNames") == ["kms:Decrypt"]]
    assert [each["ContextKeyValues"] for each in given] == [[f"secretsmanager.{region}.amazonaws.com"]]


async def test_without_the_list_of_secrets_nothing_is_said_to_be_allowed(aws: ModelledAws) -> None:
    aws.on |= {"SimulatePrincipalPolicy": simulator(READ_ONLY), "ListSecrets": DENIED}
    reading = await IamSimulate(SimulateParams.model_validate(READS), aws.clients).read(NOW)
    assert reading.unknown["all_allowed"].reason is Reason.ACCESS_DENIED
    assert "secretsmanager:ListSecrets" in reading.unknown["all_allowed"].hint
