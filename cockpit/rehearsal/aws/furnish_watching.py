"""Logs, alarms, the people they tell, and the dashboard of the healthy account."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from cockpit.rehearsal.aws.cloudwatch.alarms import AlarmBook
from cockpit.rehearsal.aws.furnish_tools import (
    BUCKET,
    CLUSTER,
    DASHBOARD,
    DATABASE,
    LOG_GROUP,
    NAME,
    SERVICE,
    TOPIC,
    Tools,
)

ERROR_RATE, RESPONSE_TIME = f"{NAME}-error-rate", f"{NAME}-response-time"
DB_CONNECTIONS, UPLOAD_FAILURES = f"{NAME}-db-connections", f"{NAME}-s3-upload-failures"
ALARMS = (ERROR_RATE, RESPONSE_TIME, DB_CONNECTIONS, UPLOAD_FAILURES)
FALLBACK_LINE = "S3 upload failed, falling back to database storage"
_THERE_SINCE = timedelta(days=7)
CUSTOM, UPLOADS_FAILED = "TransparentTrust", "S3UploadFailures"


def furnish_logs(tools: Tools) -> None:
    """The log group, kept for 30 days, and a metric filter that counts uploads that fell back to the database."""
    logs = tools.client("logs")
    logs.create_log_group(logGroupName=LOG_GROUP)
    logs.put_retention_policy(logGroupName=LOG_GROUP, retentionInDays=30)
    counted = {"metricName": UPLOADS_FAILED, "metricNamespace": CUSTOM, "metricValue": "1", "defaultValue": 0.0}
    logs.put_metric_filter(
        logGroupName=LOG_GROUP,
        filterName="s3-upload-failures",
        filterPattern=f'{{ $.message = "{FALLBACK_LINE}" }}',
        metricTransformations=[counted],
    )


def furnish_alarms(tools: Tools, alarms: AlarmBook, balancer: str) -> None:
    """Four alarms that tell the topic, with a confirmed subscription; OK for a week. `balancer` as CloudWatch names it."""
    sns = tools.client("sns")
    topic = sns.create_topic(Name=TOPIC)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="on-call@company.com", ReturnSubscriptionArn=True)
    common: dict[str, Any] = {
        "ActionsEnabled": True,
        "AlarmActions": [topic],
        "OKActions": [topic],
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "missing",
    }
    cloudwatch = tools.client("cloudwatch")
    for name, settings in _alarms([{"Name": "LoadBalancer", "Value": balancer}]).items():
        cloudwatch.put_metric_alarm(AlarmName=name, **(common | settings))
        alarms.settle(name, tools.now - _THERE_SINCE)


def _alarms(balancer: list[dict[str, str]]) -> dict[str, dict[str, Any]]:
    return {
        ERROR_RATE: {
            "AlarmDescription": "5xx of the load balancer and its targets above 5 % for 5 minutes",
            "Metrics": _error_rate(balancer),
            "EvaluationPeriods": 5,
            "DatapointsToAlarm": 5,
            "Threshold": 5.0,
        },
        RESPONSE_TIME: {
            "AlarmDescription": "p95 of the response time above 10 s for 5 minutes",
            **_metric("AWS/ApplicationELB", "TargetResponseTime", balancer, periods=5, threshold=10.0),
            "ExtendedStatistic": "p95",
        },
        DB_CONNECTIONS: {
            "AlarmDescription": "more than 80 database connections",
            **_metric(
                "AWS/RDS", "DatabaseConnections", [{"Name": "DBInstanceIdentifier", "Value": DATABASE}], threshold=80.0
            ),
            "Statistic": "Maximum",
        },
        UPLOAD_FAILURES: {
            "AlarmDescription": "uploads fall back to the database",
            **_metric(CUSTOM, UPLOADS_FAILED, [], threshold=0.0),
            "Statistic": "Sum",
            "TreatMissingData": "notBreaching",
        },
    }


def _metric(
    namespace: str, metric: str, dimensions: list[dict[str, str]], *, periods: int = 3, threshold: float
) -> dict[str, Any]:
    place = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {**place, "Period": 60, "EvaluationPeriods": periods, "Threshold": threshold}


def _error_rate(dimensions: list[dict[str, str]]) -> list[dict[str, Any]]:
    def sum_of(id_: str, metric: str) -> dict[str, Any]:
        held = {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": dimensions}
        return {"Id": id_, "MetricStat": {"Metric": held, "Period": 60, "Stat": "Sum"}, "ReturnData": False}

    rate = "100 * (FILL(target, 0) + FILL(elb, 0)) / total"
    return [
        sum_of("target", "HTTPCode_Target_5XX_Count"),
        sum_of("elb", "HTTPCode_ELB_5XX_Count"),
        sum_of("total", "RequestCount"),
        {"Id": "rate", "Expression": rate, "Label": "5xx in percent", "ReturnData": True},
    ]


def furnish_dashboard(tools: Tools, balancer: str) -> None:
    """One widget for each thing to be watched, naming this account's resources."""
    graphs = {
        "Requests and 5xx": [
            ["AWS/ApplicationELB", name, "LoadBalancer", balancer]
            for name in ("RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count")
        ],
        "Response time": [["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", balancer]],
        "Database": [["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", DATABASE]],
        "Uploads": [["AWS/S3", "PutRequests", "BucketName", BUCKET, "FilterId", "EntireBucket"]],
        "Tasks": [["ECS/ContainerInsights", "RunningTaskCount", "ClusterName", CLUSTER, "ServiceName", SERVICE]],
    }
    widgets = [
        {
            "type": "metric",
            "x": 12 * (number % 2),
            "y": 6 * (number // 2),
            "width": 12,
            "height": 6,
            "properties": {"title": title, "metrics": metrics, "region": tools.region, "period": 60, "stat": "Sum"},
        }
        for number, (title, metrics) in enumerate(graphs.items())
    ]
    body = json.dumps({"widgets": widgets})
    tools.client("cloudwatch").put_dashboard(DashboardName=DASHBOARD, DashboardBody=body)
