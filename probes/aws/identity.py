"""The AWS caller identity."""

from __future__ import annotations

from datetime import datetime, timedelta

from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen


class AwsIdentityParams(Params):
    pass


class AwsIdentity(Probe[AwsIdentityParams]):
    """The account and principal whose credentials are in use.

    Reads sts GetCallerIdentity: Account, Arn. Needs no permission.
    """

    name = "aws.identity"
    params_type = AwsIdentityParams
    demands = AWS_ALONE
    subjects = ("account id", "principal")
    cannot_see = "the region: the right account in the wrong region looks the same"
    late = "not at all: STS answers for the credentials in use"
    fields = (
        Field("account", str, "AWS account id", "123456789012"),
        Field("arn", str, "principal in use", "arn:aws:sts::123456789012:assumed-role/on-call/me"),
        Field("matches", bool, "the account is the plan's target.account", example=True),
    )
    interval = timedelta(seconds=60)

    async def read(self, now: datetime) -> Reading:
        query = "sts get-caller-identity"
        try:
            answer = await self.clients.aws("sts", "get_caller_identity")
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        account, wanted = answer.get("Account"), self.clients.options.account
        both = account and wanted
        values = {"account": account, "arn": answer.get("Arn"), "matches": account == wanted if both else None}
        lines = (
            (f"the plan is for {wanted}, these credentials are for {account}",) if both and account != wanted else ()
        )
        evidence = Evidence(query, answer.get("ResponseMetadata", {}).get("RequestId", ""), lines=lines)
        unknown = {}
        if not wanted:
            why = Unknown(Reason.NO_DATA, "the plan names no account to compare with", "set target.account in the plan")
            unknown["matches"] = why
        return self.reading(now, values, unknown=unknown, evidence=evidence)
