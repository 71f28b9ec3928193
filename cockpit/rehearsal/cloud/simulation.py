"""The simulated AWS: moto behind our own gateway, with the parts that must move, fire and count written by us."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from cockpit.engine.clock import Clock
from cockpit.rehearsal.cloud.alarms import Alarms
from cockpit.rehearsal.cloud.ecs import EcsSimulation, TaskBehaviour, TaskView
from cockpit.rehearsal.cloud.ecs_answers import EcsAnswers
from cockpit.rehearsal.cloud.faults import AwsFault, AwsFaults
from cockpit.rehearsal.cloud.gateway import Gateway, Handler
from cockpit.rehearsal.cloud.logs import LogAnswers, LogStore
from cockpit.rehearsal.cloud.metrics import MetricAnswers, MetricStore
from cockpit.rehearsal.cloud.targets import Targets

__all__ = ["AwsFault", "SimulatedAws", "TaskBehaviour", "TaskView"]

log = logging.getLogger(__name__)


class SimulatedAws:
    """In this process, on 127.0.0.1 and a random port. `start`, then `tick` at least every five seconds of the world."""

    def __init__(self, clock: Clock, account: str = "123456789012", region: str = "us-east-1") -> None:
        self.account = account
        self.region = region
        self.clock = clock
        self.metrics = MetricStore(self._epoch)
        self.logs = LogStore(self.metrics)
        self.alarms = Alarms(self.metrics, self._epoch, account, region)
        self.ecs = EcsSimulation(clock.now, account, region, self._digest)
        self.targets = Targets(self.ecs)
        self.faults = AwsFaults()
        self._server: Any = None

    def start(self) -> str:
        """Serve, and give the endpoint's URL."""
        import os

        os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            protocol_version = "HTTP/1.1"

            def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
                """The access log of a simulation interests nobody."""

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:
                    self.close_connection = True

        moto = DomainDispatcherApplication(create_backend_app)
        gateway = Gateway(self._handlers(), self.faults, moto)
        self._server = make_server("127.0.0.1", 0, gateway, threaded=True, request_handler=Quiet)
        self._server.daemon_threads = True
        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="aws"
        ).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def tick(self, now: datetime) -> None:
        """Let the world live until `now`."""
        self.ecs.tick(now)
        self.alarms.tick(now.timestamp())

    def _epoch(self) -> float:
        return self.clock.now().timestamp()

    def _digest(self, task_definition_arn: str) -> str:
        """The image digest a task definition runs: the one it names, or one made from the tag."""
        from moto.ecs.models import ecs_backends

        definition = ecs_backends[self.account][self.region].describe_task_definition(task_definition_arn)
        image = str(definition.container_definitions[0].get("image", ""))
        name, at, digest = image.partition("@")
        return digest if at else "sha256:" + hashlib.sha256(name.encode()).hexdigest()

    def _group_exists(self, name: str) -> bool:
        from moto.logs.models import logs_backends

        return name in logs_backends[self.account][self.region].groups

    def _identity(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "Arn": f"arn:aws:sts::{self.account}:assumed-role/on-call/rehearsal",
            "UserId": "AROAREHEARSAL00000000:rehearsal",
            "Account": self.account,
        }

    def _handlers(self) -> dict[tuple[str, str], Handler]:
        metrics, logs, ecs = (
            MetricAnswers(self.metrics),
            LogAnswers(self.logs, self._group_exists),
            EcsAnswers(self.ecs),
        )
        alarms = self.alarms
        return {
            ("monitoring", "PutMetricData"): metrics.put_metric_data,
            ("monitoring", "GetMetricData"): metrics.get_metric_data,
            ("monitoring", "GetMetricStatistics"): metrics.get_metric_statistics,
            ("monitoring", "ListMetrics"): metrics.list_metrics,
            ("monitoring", "PutMetricAlarm"): alarms.put_metric_alarm,
            ("monitoring", "DescribeAlarms"): alarms.describe_alarms,
            ("monitoring", "SetAlarmState"): alarms.set_alarm_state,
            ("monitoring", "EnableAlarmActions"): partial(alarms.enable, enabled=True),
            ("monitoring", "DisableAlarmActions"): partial(alarms.enable, enabled=False),
            ("monitoring", "DeleteAlarms"): alarms.delete_alarms,
            ("logs", "PutLogEvents"): logs.put_log_events,
            ("logs", "FilterLogEvents"): logs.filter_log_events,
            ("logs", "StartQuery"): logs.start_query,
            ("logs", "GetQueryResults"): logs.get_query_results,
            ("logs", "StopQuery"): logs.stop_query,
            ("ecs", "DescribeServices"): ecs.describe_services,
            ("ecs", "ListTasks"): ecs.list_tasks,
            ("ecs", "DescribeTasks"): ecs.describe_tasks,
            ("ecs", "UpdateService"): ecs.update_service,
            ("ecs", "ListServiceDeployments"): ecs.list_service_deployments,
            ("ecs", "DescribeServiceDeployments"): ecs.describe_service_deployments,
            ("ecs", "StopServiceDeployment"): ecs.stop_service_deployment,
            ("ecs", "DescribeServiceRevisions"): ecs.describe_service_revisions,
            ("elasticloadbalancing", "DescribeTargetHealth"): self.targets.describe_target_health,
            ("sts", "GetCallerIdentity"): self._identity,
        }
