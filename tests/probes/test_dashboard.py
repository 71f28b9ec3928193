"""A dashboard shows what its graphs name, whatever its titles say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from support.aws.modelled import DENIED, NOW, REQUEST_ID, THROTTLED, ModelledAws, refusal

from probes.aws.cloudwatch_dashboard import CloudWatchDashboard, DashboardParams
from probes.reading import Reading, Reason

DATABASE, BALANCER = "app-db-prod", "app/web/0123456789abcdef"


def graph(*metrics: list[str], title: str = "t", region: str = "us-east-1") -> dict[str, Any]:
    return {"type": "metric", "properties": {"title": title, "metrics": list(metrics), "region": region}}


GRAPHS = (
    graph(["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", DATABASE], title="Database"),
    graph(["AWS/ApplicationELB", "RequestCount", "LoadBalancer", BALANCER]),
)


def body(*widgets: Any) -> dict[str, str]:
    return {"DashboardName": "prod", "DashboardBody": json.dumps({"widgets": list(widgets)})}


@pytest.fixture
async def aws() -> AsyncIterator[ModelledAws]:
    modelled = ModelledAws()
    modelled.on = {"GetDashboard": body(*GRAPHS)}
    yield modelled
    await modelled.clients.close()


async def read(aws: ModelledAws, *names: str, said: Any = None) -> Reading:
    if said is not None:
        aws.on["GetDashboard"] = said
    params = DashboardParams(dashboard="prod", resources=list(names))
    return await CloudWatchDashboard(params, aws.clients).read(NOW)


async def test_a_dashboard_that_names_everything(aws: ModelledAws) -> None:
    reading = await read(aws, DATABASE, BALANCER)
    assert reading.values == {"exists": True, "widgets": 2, "names_missing_count": 0, "widgets_elsewhere": 0}
    assert reading.unknown["names_missing"].reason is Reason.NO_DATA
    assert reading.evidence.request_id == REQUEST_ID
    assert reading.evidence.lines[0] == "metric: Database"
    assert reading.evidence.console_url.endswith("#dashboards/dashboard/prod")


@pytest.mark.parametrize("name", ["app-db", "db-prod", "app/web", "app-db-prod-2"])
async def test_part_of_a_name_is_another_name(aws: ModelledAws, name: str) -> None:
    if name == "app/web":
        name = "app/web/0123"
    reading = await read(aws, name)
    assert (reading.values["names_missing_count"], reading.values["names_missing"]) == (1, (name,))


@pytest.mark.parametrize(
    "widget",
    [
        {"type": "text", "properties": {"markdown": f"see {DATABASE}"}},
        graph(["AWS/RDS", "CPUUtilization"], title=DATABASE),
        {"type": "metric", "properties": {"metrics": [["a", "b", {"label": DATABASE}]]}},
    ],
)
async def test_a_name_that_people_read_graphs_nothing(aws: ModelledAws, widget: Any) -> None:
    assert (await read(aws, DATABASE, said=body(widget))).values["names_missing"] == (DATABASE,)


@pytest.mark.parametrize(
    "widget",
    [
        {"type": "alarm", "properties": {"alarms": [f"arn:aws:rds:us-east-1:1:db:{DATABASE}"]}},
        {"type": "metric", "properties": {"metrics": [[{"expression": f"SEARCH('{{AWS/RDS}} {DATABASE}', 'Sum')"}]]}},
    ],
)
async def test_a_name_inside_an_arn_or_an_expression_counts(aws: ModelledAws, widget: Any) -> None:
    assert (await read(aws, DATABASE, said=body(widget))).values["names_missing_count"] == 0


async def test_a_graph_of_another_region_is_counted(aws: ModelledAws) -> None:
    reading = await read(aws, said=body(*GRAPHS, graph(region="eu-west-1")))
    assert reading.values["widgets_elsewhere"] == 1


OTHERS = "999999999999"
OWN = ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", DATABASE]


def of(*metrics: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "metric", "properties": {"metrics": list(metrics), "region": "us-east-1", **properties}}


@pytest.mark.parametrize(
    ("widget", "missing", "elsewhere"),
    [
        (of([*OWN, {"accountId": OTHERS}]), 1, 1),
        (of(OWN, accountId=OTHERS), 1, 1),
        (of([*OWN, {"accountId": "123456789012"}]), 0, 0),
        (of([*OWN, {"region": "eu-west-1"}]), 0, 1),
        (of([*OWN, {"visible": False}]), 1, 0),
        (of([*OWN, {"visible": False, "id": "m1"}], [{"expression": "m1 * 100", "id": "e1"}]), 0, 0),
        (of([*OWN, {"visible": False, "id": "m1"}], [{"expression": "m1", "id": "e1", "visible": False}]), 1, 0),
        (
            of(
                [*OWN, {"visible": False, "id": "m1"}],
                [{"expression": "m1", "id": "e1", "visible": False}],
                [{"expression": "RATE(e1)", "id": "e2"}],
            ),
            0,
            0,
        ),
        (of([*OWN, {"visible": False}], [".", "FreeStorageSpace", ".", "."]), 0, 0),
        (of(["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", "old", {"visible": False}], ["...", DATABASE]), 0, 0),
    ],
)
async def test_what_is_hidden_or_of_another_account_is_not_shown(
    aws: ModelledAws, widget: dict[str, Any], missing: int, elsewhere: int
) -> None:
    aws.clients.options = replace(aws.clients.options, account="123456789012")
    values = (await read(aws, DATABASE, said=body(widget))).values
    assert (values["names_missing_count"], values["widgets_elsewhere"]) == (missing, elsewhere)


def variable(**more: Any) -> dict[str, Any]:
    values = [{"value": DATABASE, "label": "prod"}, {"value": "app-db-old", "label": "old"}]
    return {"id": "db", "label": "Database", "inputType": "select", "values": values, **more}


BY_PATTERN = {"type": "pattern", "pattern": "DATABASE"}
BY_PROPERTY = {"type": "property", "property": "DBInstanceIdentifier"}


@pytest.mark.parametrize("kind", [BY_PATTERN, BY_PROPERTY])
@pytest.mark.parametrize(("default", "missing"), [(DATABASE, 0), ("app-db-old", 1)])
async def test_a_variable_shows_its_default(aws: ModelledAws, kind: dict[str, str], default: str, missing: int) -> None:
    widget = of(["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", "DATABASE"])
    held = {"widgets": [widget], "variables": [variable(**kind, defaultValue=default)]}
    reading = await read(aws, DATABASE, said={"DashboardBody": json.dumps(held)})
    assert reading.values["names_missing_count"] == missing
    chosen = f"{DATABASE} shows once the variable Database is set to it"
    assert (chosen in reading.evidence.lines) is bool(missing)


async def test_without_resources_none_is_missing_or_not(aws: ModelledAws) -> None:
    assert {"names_missing", "names_missing_count"} == set((await read(aws)).unknown)


async def test_a_dashboard_that_is_not_there_does_not_exist(aws: ModelledAws) -> None:
    reading = await read(aws, DATABASE, said=refusal("ResourceNotFound", status=404))
    assert reading.values == {"exists": False}
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}
    assert "dashboard prod" in reading.unknown["widgets"].detail


@pytest.mark.parametrize("text", ["", "{", "[]", '{"widgets": 3}', '{"widgets": [3]}', "{}"])
async def test_a_body_that_cannot_be_read_is_unknown(aws: ModelledAws, text: str) -> None:
    reading = await read(aws, DATABASE, said={"DashboardBody": text})
    assert reading.values == {"exists": True}
    assert {u.reason for u in reading.unknown.values()} == {Reason.NO_DATA}


@pytest.mark.parametrize(("said", "reason"), [(DENIED, Reason.ACCESS_DENIED), (THROTTLED, Reason.THROTTLED)])
async def test_a_refusal_makes_everything_unknown(aws: ModelledAws, said: Any, reason: Reason) -> None:
    reading = await read(aws, DATABASE, said=said)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert "cloudwatch:GetDashboard" in reading.unknown["exists"].hint
