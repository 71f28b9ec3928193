"""The simulated AWS of a rehearsal: moto where it is good, our own behaviour where moto has none, faults on demand."""

from __future__ import annotations

import http
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cockpit.engine.clock import Clock
from cockpit.rehearsal.aws.cloudwatch.alarm_operations import AlarmAnswers
from cockpit.rehearsal.aws.cloudwatch.alarms import AlarmBook
from cockpit.rehearsal.aws.cloudwatch.composite_alarms import CompositeAlarms
from cockpit.rehearsal.aws.cloudwatch.metric_operations import MetricAnswers
from cockpit.rehearsal.aws.cloudwatch.metric_store import MetricStore
from cockpit.rehearsal.aws.ecs.ecs import EcsSimulation, TaskBehaviour, TaskView
from cockpit.rehearsal.aws.ecs.ecs_operations import EcsAnswers
from cockpit.rehearsal.aws.ecs.targets import Targets
from cockpit.rehearsal.aws.logs.log_operations import LogAnswers
from cockpit.rehearsal.aws.logs.log_store import LogStore
from cockpit.rehearsal.aws.logs.query_quota import QueryQuota
from cockpit.rehearsal.aws.services.call_faults import AwsFault, AwsFaults
from cockpit.rehearsal.aws.services.cloudtrail import Trail
from cockpit.rehearsal.aws.services.rds import Databases
from cockpit.rehearsal.aws.services.rds_snapshots import Snapshots
from cockpit.rehearsal.aws.services.s3 import BucketAnswers
from cockpit.rehearsal.aws.services.secret_versions import SecretVersions
from cockpit.rehearsal.aws.services.sts_iam import Identity
from cockpit.rehearsal.aws.wire.http_server import HttpFront
from cockpit.rehearsal.aws.wire.moto_backend import Moto
from cockpit.rehearsal.aws.wire.protocols import Answer, AwsError, encode, encode_error
from cockpit.rehearsal.aws.wire.routing import Call, HttpRequest, Malformed, understand
from cockpit.rehearsal.aws.wire.s3_operations import s3_operation
from cockpit.rehearsal.aws.wire.service_models import operation_model
from cockpit.rehearsal.aws_profile import PROFILES, USUAL, AwsProfile, Delivery

__all__ = ["AwsFault", "AwsFaults", "SimulatedAws", "TaskBehaviour", "TaskView"]
log = logging.getLogger("cockpit.rehearsal.aws")
log.addHandler(logging.NullHandler())

Answering = Callable[[Call], "Mapping[str, Any] | Answer | None"]
"""One operation's answer: what boto3 shows, or a finished answer, or None to leave it to moto. Raises AwsError."""


class SimulatedAws:
    """moto behind our own WSGI layer, in this process; serves on 127.0.0.1 and a random port.

    One at a time per process, because moto's state is the process's. `log_file` takes tracebacks and what moto could
    not do; without it they go to the logger `cockpit.rehearsal.aws`. Nothing is ever written to the terminal.
    """

    def __init__(
        self,
        clock: Clock,
        account: str = "123456789012",
        region: str = "us-east-1",
        *,
        log_file: Path | None = None,
        profile: AwsProfile = PROFILES[USUAL],
    ) -> None:
        self.clock = clock
        self.account = account
        self.region = region
        self.faults = AwsFaults()
        self.profile = profile
        delay = timedelta(seconds=profile.delivery.earliest_s)
        self.metrics = MetricStore(clock.now, delay, None if profile.delivery == Delivery() else profile.delivery)
        self.logs = LogStore(clock.now, self.metrics)
        self.alarms = AlarmBook(clock.now, self.metrics, account, region)
        self.ecs = EcsSimulation(clock.now, account, region, profile.sidecars)
        self.databases = Databases(clock.now, account, region)
        self.trail = Trail(clock.now, account, region, profile.trail_after)
        self.calls = 0
        """Requests answered so far."""
        self._moto = Moto()
        self._front = HttpFront(self.wsgi)
        self._handler = _to_file(log_file)
        self._buckets = BucketAnswers(account)
        self._answers: dict[tuple[str, str], Answering] = {}
        for part in (
            MetricAnswers(self.metrics),
            AlarmAnswers(self.alarms, CompositeAlarms(clock.now, self.alarms, account, region)),
            LogAnswers(self.logs, account, region, QueryQuota(clock.now, profile)),
            EcsAnswers(self.ecs, account, region, clock.now),
            Targets(self.ecs),
            self.databases,
            Snapshots(clock.now, account, region),
            Identity(account),
            SecretVersions(account, region),
            self.trail,
            self._buckets,
        ):
            self._answers |= part.answers()

    def start(self) -> str:
        """Begin to serve, warmed up; the endpoint's URL."""
        self._moto.begin(self.clock.now)
        self._moto.warm_up(self.region)
        for service, operation in self._answers:
            operation_model(service, operation)
        s3_operation("GET", "/", "", {})
        return self._front.start()

    def stop(self) -> None:
        """Stop serving and forget everything. May be called twice."""
        self._front.stop()
        self._moto.end()
        if self._handler is not None:
            log.removeHandler(self._handler)
            self._handler.close()
            self._handler = None

    def tick(self, now: datetime) -> None:
        """Advance what has a life of its own: tasks and deployments, their targets, and alarms."""
        self.ecs.advance(now)
        self.alarms.evaluate(now)

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """A WSGI application: faults first, then our own answers, then moto. Raises Dropped to cut the connection."""
        call = understand(_request(environ))
        self.calls += 1
        try:
            self.faults.strike(call)
            if call.service == "s3":
                self._buckets.guard(call)
            answer = self._own(call) or self._moto.answer(call, environ)
            self.trail.note(call, "" if answer.status < 400 else _code_of(answer))
        except AwsError as error:
            self.trail.note(call, error.code)
            answer = encode_error(call, error)
        except Malformed as error:
            answer = encode_error(call, AwsError("SerializationException", str(error), 400))
        except ConnectionError:
            raise
        except Exception:
            log.exception("%s %s failed", call.service, call.operation)
            failed = AwsError("InternalFailure", "the rehearsed AWS failed; see its log", 500)
            answer = encode_error(call, failed)
        status = f"{answer.status} {http.HTTPStatus(answer.status).phrase}"
        start_response(status, list(answer.headers.items()))
        return [answer.body]

    def _own(self, call: Call) -> Answer | None:
        answering = self._answers.get((call.service, call.operation))
        if answering is None:
            return None
        result = answering(call)
        return result if result is None or isinstance(result, Answer) else encode(call, result)


def _request(environ: Mapping[str, Any]) -> HttpRequest:
    headers = {key[5:].lower().replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")}
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if key in environ:
            headers[key.lower().replace("_", "-")] = environ[key]
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    body = environ.get("rehearsal.body")
    if body is None:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return HttpRequest(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), headers, body)


def _code_of(answer: Answer) -> str:
    """The error code of a finished answer of one of the JSON services, which are those CloudTrail is asked about."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return "ClientError"
    return str(body.get("__type", "ClientError")).rpartition("#")[2] if isinstance(body, dict) else "ClientError"


def _to_file(path: Path | None) -> logging.Handler | None:
    if path is None:
        return None
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    return handler
