"""Lambda: whether a function can be invoked, which version its users get, and how its invocations end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import StringConstraints

from probes.aws.cloudwatch_periods import MINUTE
from probes.aws.newest_minute import NewestMinute
from probes.clients.arns import arn, console
from probes.clients.clients import Clients
from probes.clients.metrics import MetricQuery
from probes.clients.paging import request_id
from probes.demand import AWS_ALONE
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, every, sorted_out

_USABLE = {"Active": True, "Inactive": True} | dict.fromkeys(
    ("Pending", "Failed", "Deactivating", "Deactivated", "ActiveNonInvocable", "Deleting"), False
)
"""Closed: whether a function can be invoked in a state. An Inactive one is started by the next call."""
_UPDATES = ("Successful", "Failed", "InProgress")
_METRICS = ("invocations_per_min", "errors_per_min", "throttles_per_min", "duration_max_ms")


class LambdaFunctionParams(Params):
    function: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    """Name of the function, without version or alias."""
    alias: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}$")] | None = None
    """The alias that its callers use: then version, weights and metrics are of it."""
    expected_version: Annotated[str, StringConstraints(pattern=r"^(\d+|\$LATEST)$")] | None = None
    """The version that is to get all calls: `is_expected` compares."""
    expected_sha256: str | None = None
    """CodeSha256 of the release, as Lambda shows it: `is_expected` compares."""
    settle: Duration | None = None
    """How long after its end a minute of the metrics is still filling up; default 2m. One that is seen to change later counts
    later."""


class LambdaFunction(Probe[LambdaFunctionParams]):
    """A Lambda function: its state, the version its alias leads to, and how calls of the newest minute ended.

    Reads lambda GetFunctionConfiguration (State, StateReason, LastUpdateStatus, Version, CodeSha256, LastModified), of
    the alias GetAlias (FunctionVersion, RoutingConfig.AdditionalVersionWeights), GetFunctionConcurrency; CloudWatch
    AWS/Lambda by FunctionName, and Resource with an alias, the newest minute that is final: Invocations, Errors,
    Throttles (Sum) and Duration (Maximum). A minute without invocations has no point and is not known. A call that fails
    makes only its fields unknown.
    """

    name = "lambda.function"
    params_type = LambdaFunctionParams
    demands = AWS_ALONE
    subjects = ("lambda",)
    cannot_see = "what it answers: a handler that catches its errors has none; and what events are still queued for it"
    late = "metrics by a period and the settle, about 3 minutes; the rest seconds"
    fields = (
        Field("state", str, "Pending, Active, Inactive or Failed", "Active"),
        Field(
            "usable",
            bool,
            "it is Active, or Inactive and started by the next call, and not reserved to 0",
            example=True,
        ),
        Field("updated", bool, "the last update of code or settings has come to its end", example=True),
        Field("update_failed", bool, "the last update failed: the code before is running", example=False),
        Field("version", str, "the version that gets the calls: the alias's, else $LATEST", "42"),
        Field(
            "additional_share",
            float,
            "of the calls, what the alias gives to a second version",
            0.1,
            "ratio",
            low=0,
            high=1,
        ),
        Field("is_expected", bool, "all calls get the version and the code that the plan expects", example=True),
        Field("modified_at", datetime, "when code or settings were last changed", datetime(2026, 1, 1, tzinfo=UTC)),
        Field("reserved_concurrency", int, "the most that may run at once, where that is reserved", 50, "count", low=0),
        Field("invocations_per_min", int, "calls in the newest minute that is final", 120, "count", low=0),
        Field("errors_per_min", int, "calls of that minute that ended in an error", 0, "count", low=0),
        Field("throttles_per_min", int, "calls of that minute that were turned away", 0, "count", low=0),
        Field("duration_max_ms", float, "the longest call of that minute", 310.0, "ms", low=0),
    )
    iam = (
        "lambda:GetFunctionConfiguration",
        "lambda:GetAlias",
        "lambda:GetFunctionConcurrency",
        "cloudwatch:GetMetricData",
    )
    interval = MINUTE

    def __init__(self, params: LambdaFunctionParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._newest = NewestMinute(clients, params.settle)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        function, alias = self.params.function, self.params.alias
        whole = arn(self.clients.options, "lambda", f"function:{function}")
        qualified = (whole, f"{whole}:{alias}") if alias else (whole,)
        of_alias = (whole,) if alias else ()
        return {self.iam[0]: qualified, self.iam[1]: of_alias, self.iam[2]: (whole,)}

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        query = f"lambda get-function-configuration --function-name {asked.function}"
        query += f" --qualifier {asked.alias}" if asked.alias else ""
        named = {"Qualifier": asked.alias} if asked.alias else {}
        try:
            found = await self.clients.aws("lambda", "get_function_configuration", FunctionName=asked.function, **named)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        routed, reserved, metrics = await asyncio.gather(self._routed(), self._reserved(), self._metrics(now))
        fields = self._values(found, routed, reserved) | metrics
        values, unknown = sorted_out(fields)
        region = self.clients.options.region
        url = console(region, f"lambda/home?region={region}#/functions/{asked.function}")
        why = [str(found[key]) for key in ("StateReason", "LastUpdateStatusReason") if found.get(key)]
        lines = tuple(one_line(each, 200) for each in why)
        return self.reading(now, values, unknown=unknown, evidence=Evidence(query, request_id(found), url, lines))

    def _values(
        self, found: Mapping[str, Any], routed: float | Unknown, reserved: int | Unknown | None
    ) -> dict[str, FieldValue]:
        state, update = found.get("State"), found.get("LastUpdateStatus")
        free = reserved if isinstance(reserved, Unknown) else reserved != 0
        return {
            "state": state,
            "usable": every(_USABLE.get(str(state), _new("state", state)), free),
            "updated": update == "Successful" if update in _UPDATES else _new("last update", update),
            "update_failed": update == "Failed" if update in _UPDATES else _new("last update", update),
            "version": found.get("Version"),
            "additional_share": routed,
            "is_expected": self._expected(found, routed),
            "modified_at": _time(found.get("LastModified")),
            "reserved_concurrency": reserved,
        }

    def _expected(self, found: Mapping[str, Any], routed: float | Unknown) -> bool | Unknown:
        version, code = self.params.expected_version, self.params.expected_sha256
        if version is None and code is None:
            return Unknown(Reason.NO_DATA, "the plan expects no version", "give expected_version or expected_sha256")
        return every(
            version is None or _is_same(found, "Version", version),
            code is None or _is_same(found, "CodeSha256", code),
            routed if isinstance(routed, Unknown) else routed == 0,
        )

    async def _routed(self) -> float | Unknown:
        """The share that an alias gives to another version; without an alias there is none."""
        alias = self.params.alias
        if alias is None:
            return 0.0
        try:
            answer = await self.clients.aws("lambda", "get_alias", FunctionName=self.params.function, Name=alias)
        except Unseen as unseen:
            return unseen.unknown
        weights = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return float(sum(weights.values()))

    async def _reserved(self) -> int | Unknown | None:
        """The most that may run at once; None where it shares what the account has."""
        try:
            answer = await self.clients.aws("lambda", "get_function_concurrency", FunctionName=self.params.function)
        except Unseen as unseen:
            return unseen.unknown
        held = answer.get("ReservedConcurrentExecutions")
        return None if held is None else int(held)

    async def _metrics(self, now: datetime) -> dict[str, FieldValue]:
        function, alias = self.params.function, self.params.alias
        of = (("FunctionName", function), *((("Resource", f"{function}:{alias}"),) if alias else ()))
        asked = [
            MetricQuery("AWS/Lambda", "Invocations", of, "Sum"),
            MetricQuery("AWS/Lambda", "Errors", of, "Sum"),
            MetricQuery("AWS/Lambda", "Throttles", of, "Sum"),
            MetricQuery("AWS/Lambda", "Duration", of, "Maximum"),
        ]
        try:
            found, until = await self._newest.read(asked, now)
        except Unseen as unseen:
            return dict.fromkeys(_METRICS, unseen.unknown)
        hint = "nobody called it, or its name is wrong: both look the same"
        none = Unknown(Reason.NO_DATA, f"CloudWatch has no minute of it up to {until:%H:%M}", hint)
        return {
            **{name: none if value is None else round(value) for name, value in zip(_METRICS[:3], found, strict=False)},
            _METRICS[3]: none if found[3] is None else found[3],
        }


def _new(what: str, given: Any) -> Unknown:
    if given is None:
        return Unknown(Reason.NO_DATA, f"Lambda answered without its {what}")
    return Unknown(Reason.NO_DATA, one_line(f"its {what} is {given}"), "see it in the console: it is new here")


def _is_same(found: Mapping[str, Any], key: str, expected: str) -> bool | Unknown:
    return found[key] == expected if found.get(key) else Unknown(Reason.NO_DATA, f"Lambda answered without {key}")


def _time(text: Any) -> datetime | None:
    """Lambda writes 2026-01-01T00:00:00.000+0000."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC) if text else None
    except ValueError:
        return None
