"""The load balancer's view: what serves is judged, and nothing else; an empty group is never healthy."""

from __future__ import annotations

import doctest
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from pydantic import ValidationError
from support.aws.modelled import DENIED, NOW, REQUEST_ID, THROTTLED, ModelledAws, refusal

import probes.aws.listener_rules
from probes.aws.alb_targets import AlbTargets, TargetsParams
from probes.aws.listener_rules import reached, shares
from probes.reading import Bounds, Reading, Reason

ACCOUNT = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
BALANCER = f"{ACCOUNT}:loadbalancer/app/web/50dc6c495c0c9188"
Health = tuple[tuple[str, str], ...]
TWO: Health = (("healthy", ""), ("healthy", ""))
STARTING: Health = (("initial", "Elb.RegistrationInProgress"),)


def arn(name: str) -> str:
    return f"{ACCOUNT}:targetgroup/{name}/0123456789abcdef"


def listener(port: int = 443, protocol: str = "HTTPS", **more: Any) -> dict[str, Any]:
    return {"ListenerArn": f"{BALANCER}/{port}", "Port": port, "Protocol": protocol} | more


def forward(**weights: int) -> list[dict[str, Any]]:
    """Actions as AWS gives them: one group stands beside its weight, several in ForwardConfig alone."""
    groups = [{"TargetGroupArn": arn(name), "Weight": weight} for name, weight in weights.items()]
    lone = {"TargetGroupArn": groups[0]["TargetGroupArn"]} if len(groups) == 1 else {}
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}} | lone]


def rule(priority: int | str, actions: list[dict[str, Any]], **conditions: Any) -> dict[str, Any]:
    made = [{"Field": field.replace("_", "-")} | config for field, config in conditions.items()]
    return {"Priority": str(priority), "Conditions": made, "Actions": actions, "IsDefault": priority == "default"}


def host(*values: str) -> dict[str, Any]:
    return {"HostHeaderConfig": {"Values": list(values)}}


class Balancer(ModelledAws):
    """A load balancer with target groups of some health, and rules by port."""

    def __init__(self, health: Mapping[str, Health], **rules: list[dict[str, Any]]) -> None:
        super().__init__()
        self.rules = {int(port.removeprefix("on_")): each for port, each in rules.items()}
        named = {arn(name): name for name in health}

        def groups(asked: dict[str, Any]) -> dict[str, Any]:
            wanted = asked.get("TargetGroupArns") or [arn(name) for name in asked["Names"]]
            made = [
                {"TargetGroupArn": w, "HealthCheckPath": "/api/health", "LoadBalancerArns": [BALANCER]} for w in wanted
            ]
            return {"TargetGroups": [group for group in made if group["TargetGroupArn"] in named]}

        def health_of(asked: dict[str, Any]) -> dict[str, Any]:
            states = health[named[asked["TargetGroupArn"]]]
            return {
                "TargetHealthDescriptions": [
                    {
                        "Target": {"Id": f"10.0.1.{number}", "Port": 3000},
                        "TargetHealth": {"State": state}
                        | ({"Reason": reason, "Description": "Health checks failed"} if reason else {}),
                    }
                    for number, (state, reason) in enumerate(states)
                ]
            }

        self.on |= {
            "DescribeLoadBalancers": {"LoadBalancers": [{"LoadBalancerArn": BALANCER}]},
            "DescribeListeners": lambda _: {
                "Listeners": [listener(port, DefaultActions=rules[-1]["Actions"]) for port, rules in self.rules.items()]
            },
            "DescribeRules": lambda asked: {"Rules": self.rules[int(asked["ListenerArn"].rpartition("/")[2])]},
            "DescribeTargetGroups": groups,
            "DescribeTargetHealth": health_of,
        }

    async def read(self, **params: Any) -> Reading:
        asked = params or {"target_group": "web"}
        try:
            return await AlbTargets(TargetsParams.model_validate(asked), self.clients).read(NOW)
        finally:
            await self.clients.close()


def serving(*targets: tuple[str, str]) -> Balancer:
    """One group of this health, which has all the traffic."""
    return Balancer({"web": targets}, on_443=[rule("default", forward(web=1))])


def blue_green(blue: int, green: int, health: Mapping[str, Health] | None = None) -> Balancer:
    there = {"blue": TWO, "green": STARTING} if health is None else health
    return Balancer(there, on_443=[rule("default", forward(blue=blue, green=green))])


async def test_two_healthy_targets() -> None:
    reading = await serving(*TWO).read()
    assert reading.values == {
        "total": 2,
        "healthy": 2,
        "unhealthy": 0,
        "initial": 0,
        "draining": 0,
        "all_healthy": True,
        "health_check_path": "/api/health",
        "serving": ("web",),
    }
    assert reading.unknown["reasons"].reason is Reason.NO_DATA
    assert reading.evidence.request_id == REQUEST_ID
    assert reading.evidence.console_url.endswith(arn("web"))


async def test_one_that_fails_is_told_with_its_reason() -> None:
    reading = await serving(("healthy", ""), ("unhealthy", "Target.ResponseCodeMismatch")).read()
    assert (reading.values["unhealthy"], reading.values["all_healthy"]) == (1, False)
    assert reading.values["reasons"] == ("Target.ResponseCodeMismatch",)
    assert reading.evidence.lines[0] == "10.0.1.1:3000 unhealthy Target.ResponseCodeMismatch Health checks failed"


async def test_draining_targets_neither_help_nor_hurt() -> None:
    leaving = ("draining", "Target.DeregistrationInProgress")
    values = (await serving(("healthy", ""), leaving, ("unhealthy.draining", leaving[1])).read()).values
    assert (values["total"], values["draining"], values["all_healthy"]) == (3, 2, True)


@pytest.mark.parametrize("state", ["initial", "unused", "unhealthy"])
async def test_a_state_that_is_not_healthy_is_not_healthy(state: str) -> None:
    assert (await serving(("healthy", ""), (state, "Elb.InitialHealthChecking")).read()).values["all_healthy"] is False


@pytest.mark.parametrize(("state", "hint"), [("unavailable", "health check"), ("dreaming", "console")])
async def test_a_state_that_says_nothing_of_the_health_is_neither(state: str, hint: str) -> None:
    reading = await serving(("healthy", ""), (state, "")).read()
    assert hint in reading.unknown["all_healthy"].hint
    assert [reading.unknown[name].bounds for name in ("healthy", "unhealthy")] == [Bounds(1, 2), Bounds(0, 1)]
    assert (await serving(("unhealthy", ""), (state, "")).read()).values["all_healthy"] is False


@pytest.mark.parametrize("targets", [(), (("draining", "Target.DeregistrationInProgress"),)])
async def test_a_group_without_targets_is_never_healthy(targets: Health) -> None:
    reading = await serving(*targets).read()
    assert reading.unknown["all_healthy"].reason is Reason.NO_DATA
    assert reading.values["healthy"] == 0


# -- what serves -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{"target_group": "blue"}, {"load_balancer": "web"}])
@pytest.mark.parametrize(("green", "healthy"), [(STARTING, False), (TWO, True)])
async def test_green_serves_so_green_is_judged(asked: dict[str, str], green: Health, healthy: bool) -> None:
    reading = await blue_green(0, 100, {"blue": TWO, "green": green}).read(**asked)
    assert reading.values["serving"] == ("green",)
    assert (reading.values["all_healthy"], reading.values["total"]) == (healthy, len(green))


async def test_green_that_gets_no_traffic_yet_accuses_nobody() -> None:
    reading = await blue_green(100, 0).read(target_group="blue")
    assert (reading.values["serving"], reading.values["all_healthy"]) == (("blue",), True)


@pytest.mark.parametrize("empty", [STARTING, ()])
async def test_each_group_with_a_weight_is_judged(empty: Health) -> None:
    reading = await blue_green(90, 10, {"blue": TWO, "green": empty}).read(target_group="blue")
    assert reading.values["serving"] == ("blue", "green")
    assert (reading.values["healthy"], reading.values["all_healthy"]) == (2, False)
    assert reading.evidence.lines[:2] == ("blue gets 90 %", "green gets 10 %")


async def test_a_group_that_the_listener_left_is_not_known_to_be_healthy() -> None:
    """As CodeDeploy leaves blue: the listener names green alone."""
    aws = Balancer({"blue": TWO, "green": TWO}, on_443=[rule("default", forward(green=1))])
    reading = await aws.read(target_group="blue")
    assert {u.reason for u in reading.unknown.values()} == {Reason.NO_DATA}
    assert not reading.values
    assert "give load_balancer" in reading.unknown["all_healthy"].hint


async def test_weights_that_are_all_zero_send_nothing() -> None:
    assert not (await blue_green(0, 0).read(target_group="blue")).values


async def test_a_test_listener_s_group_does_not_count_for_the_production_port() -> None:
    health = {"blue": TWO, "green": STARTING}
    split = {"on_443": [rule("default", forward(blue=1))], "on_8443": [rule("default", forward(green=1))]}
    assert (await Balancer(health, **split).read(load_balancer="web")).values["serving"] == ("blue",)
    assert (await Balancer(health, **split).read(load_balancer=BALANCER, port=8443)).values["serving"] == ("green",)


async def test_a_port_without_a_listener_is_not_found() -> None:
    reading = await blue_green(1, 0).read(load_balancer="web", port=444)
    assert reading.unknown["serving"].reason is Reason.NOT_FOUND


async def test_a_network_load_balancer_is_asked_for_no_rules() -> None:
    aws = serving(*TWO)
    aws.on["DescribeListeners"] = {"Listeners": [listener(443, "TLS", DefaultActions=forward(web=1))]}
    aws.on["DescribeRules"] = refusal("InvalidLoadBalancerAction")
    assert (await aws.read()).values["all_healthy"] is True


RULES = [
    rule(30, forward(admin=1), host_header=host("admin.example.com")),
    rule(10, forward(tested=1), http_header={"HttpHeaderConfig": {"HttpHeaderName": "x-test", "Values": ["1"]}}),
    rule(20, forward(api=1), path_pattern={"PathPatternConfig": {"Values": ["/api/*"]}}),
    rule(25, [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}], host_header=host("old.example.com")),
    rule(40, forward(app=1), host_header=host("APP.example.com", "*.apps.example.com")),
    rule("default", forward(other=1)),
]


@pytest.mark.parametrize(
    ("asked", "groups"),
    [
        ("app.example.com", {"api", "app"}),
        ("one.apps.example.com", {"api", "app"}),
        ("admin.example.com", {"api", "admin"}),
        ("old.example.com", {"api"}),
        ("www.example.com", {"api", "other"}),
        ("", {"api", "admin", "app", "other"}),
    ],
)
def test_a_host_s_requests_meet_its_rules_in_their_order(asked: str, groups: set[str]) -> None:
    assert set(shares(reached(RULES, asked))) == {arn(name) for name in groups}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "either target_group or load_balancer"),
        ({"target_group": "a", "load_balancer": "b"}, "either target_group or load_balancer"),
        ({"target_group": "a", "host": "b"}, "host goes with load_balancer"),
    ],
)
def test_what_names_no_one_place_is_refused(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TargetsParams.model_validate(wrong)


# -- not knowing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "key"), [(arn("web"), "TargetGroupArns"), ("web", "Names")])
async def test_a_group_is_found_by_name_and_by_arn(given: str, key: str) -> None:
    aws = serving(*TWO)
    await aws.read(target_group=given)
    assert aws.asked[0] == ("DescribeTargetGroups", {key: [given]})


@pytest.mark.parametrize(
    "operation", ["DescribeTargetGroups", "DescribeListeners", "DescribeRules", "DescribeTargetHealth"]
)
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (DENIED, Reason.ACCESS_DENIED),
        (THROTTLED, Reason.THROTTLED),
        (refusal("TargetGroupNotFound"), Reason.NOT_FOUND),
        (ReadTimeoutError(endpoint_url="https://elb"), Reason.TIMEOUT),
    ],
)
async def test_not_knowing(operation: str, answer: Any, reason: Reason) -> None:
    aws = serving(*TWO)
    aws.on[operation] = answer
    reading = await aws.read()
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert f"elasticloadbalancing:{operation}" in reading.unknown["healthy"].hint


async def test_no_group_in_a_successful_answer_is_not_found() -> None:
    assert {u.reason for u in (await serving(*TWO).read(target_group="gone")).unknown.values()} == {Reason.NOT_FOUND}


def test_the_examples_of_its_rules_hold() -> None:
    assert doctest.testmod(probes.aws.listener_rules).failed == 0
