"""Handles on a rehearsed world for single faults, and the list they are entered in. Each is made in the world, and undone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import psycopg
from moto.acm.models import acm_backends
from moto.ecs.models import ecs_backends
from moto.elbv2.models import elbv2_backends
from moto.rds.models import rds_backends
from moto.secretsmanager.models import secretsmanager_backends

from cockpit.rehearsal.application.log import GROUP
from cockpit.rehearsal.aws.cloudwatch.metric_store import key_of
from cockpit.rehearsal.aws.simulation import SimulatedAws
from cockpit.rehearsal.process.assembly import Assembly
from cockpit.rehearsal.script.releases import operator_client

NAME = "transparent-trust"
CLUSTER, SERVICE, DATABASE, BALANCER = f"{NAME}-prod", f"{NAME}-web", f"{NAME}-db-prod", f"{NAME}-alb"
BUCKET, TASK_ROLE, EXECUTION_ROLE = f"{NAME}-documents-prod", f"{NAME}-task", f"{NAME}-execution"
AGO = timedelta(seconds=150)
"""Back in the windows of logs and metrics, which end a minute or two ago."""


class World:
    """One assembly and everything in it that a fault reaches for."""

    def __init__(self, assembly: Assembly, endpoint: str, now: datetime) -> None:
        self.assembly = assembly
        self.endpoint = endpoint
        self.now = now
        """The world's time, which stands still while faults come and go."""
        self.aws: SimulatedAws = assembly._aws
        self.operator_machine = assembly.operator_machine
        self.vendors = assembly._vendors
        self.site = assembly._site
        self._clients: dict[str, Any] = {}
        self.aws.logs.ingestion_delay = timedelta(0)  # what a fault logs was written minutes ago

    def client(self, service: str) -> Any:
        """A boto3 client of whoever set the account up."""
        if service not in self._clients:
            self._clients[service] = operator_client(service, self.endpoint)
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def sql(self, text: str, *values: Any) -> None:
        """A statement, as the database's superuser."""
        with psycopg.connect(self.assembly._postgres.dsn, autocommit=True) as admin:
            admin.execute(text.encode(), values)

    @cached_property
    def balancer(self) -> str:
        """The load balancer's ARN."""
        return str(
            self.client("elbv2").describe_load_balancers(Names=[BALANCER])["LoadBalancers"][0]["LoadBalancerArn"]
        )

    def group(self, part: str) -> str:
        """The id of the security group of "alb", "ecs" or "db"."""
        asked = [{"Name": "group-name", "Values": [f"{NAME}-{part}"]}]
        return str(self.client("ec2").describe_security_groups(Filters=asked)["SecurityGroups"][0]["GroupId"])

    # -- what only the simulation itself can say -----------------------------------------------------------------------

    @property
    def instance(self) -> Any:
        return rds_backends[self.aws.account][self.aws.region].databases[DATABASE]

    @property
    def snapshot(self) -> Any:
        (held,) = rds_backends[self.aws.account][self.aws.region].database_snapshots.values()
        return held

    @property
    def alb(self) -> Any:
        return elbv2_backends[self.aws.account][self.aws.region].load_balancers[self.balancer]

    @property
    def definition(self) -> Any:
        """The task definition that is deployed."""
        return ecs_backends[self.aws.account][self.aws.region].describe_task_definition(SERVICE)

    @property
    def certificate(self) -> str:
        """The ARN of the listener's default certificate."""
        listener = self.client("elbv2").describe_listeners(LoadBalancerArn=self.balancer)["Listeners"][0]
        return str(listener["Certificates"][0]["CertificateArn"])

    def held_certificate(self, arn: str) -> Any:
        return acm_backends[self.aws.account][self.aws.region].get_certificate(arn)

    def held_secret(self, name: str) -> Any:
        return secretsmanager_backends[self.aws.account][self.aws.region].secrets[f"{NAME}/{name}"]

    # -- things done and undone in more than one fault -----------------------------------------------------------------

    @contextmanager
    def role_without(self, role: str, policy: str, action: str) -> Iterator[None]:
        """A role whose inline policy does not allow that action any more."""
        iam = self.client("iam")
        held = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        less = json.loads(json.dumps(held))
        for statement in less["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            statement["Action"] = [each for each in actions if each != action] or ["sts:GetCallerIdentity"]
        assert less != held
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(less))
        yield
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(held))

    @contextmanager
    def secret(self, name: str, text: str) -> Iterator[None]:
        """A secret with another value."""
        client = self.client("secretsmanager")
        held = client.get_secret_value(SecretId=f"{NAME}/{name}")["SecretString"]
        client.put_secret_value(SecretId=f"{NAME}/{name}", SecretString=text)
        yield
        client.put_secret_value(SecretId=f"{NAME}/{name}", SecretString=held)

    @contextmanager
    def container(self, **changes: Any) -> Iterator[None]:
        """The deployed container as if it had been registered with those members."""
        (container,) = self.definition.container_definitions
        held = {key: container[key] for key in changes}
        container.update(changes)
        yield
        container.update(held)

    def environment(self, **values: str | None) -> AbstractContextManager[None]:
        """The deployed container with those variables in the clear; None takes one away."""
        (container,) = self.definition.container_definitions
        plain = {each["name"]: each["value"] for each in container["environment"]} | values
        told = [{"name": name, "value": value} for name, value in plain.items() if value is not None]
        return self.container(environment=told)

    @contextmanager
    def alarm(self, name: str, **changes: Any) -> Iterator[None]:
        """An alarm with other settings."""
        book = self.aws.alarms
        held = dict(book.find(f"{NAME}-{name}").settings)
        book.put(f"{NAME}-{name}", held | changes)
        yield
        book.put(f"{NAME}-{name}", held)

    @contextmanager
    def logged(self, *lines: Mapping[str, Any]) -> Iterator[None]:
        """Lines the application wrote two minutes ago."""
        stream = "web/web/faulty"
        for line in lines:
            self.aws.logs.put(GROUP, stream, self.now - AGO, json.dumps(line))
        yield
        self.aws.logs.delete_stream(GROUP, stream)

    @contextmanager
    def metric(self, namespace: str, metric: str, dimensions: Mapping[str, str], *values: float) -> Iterator[None]:
        """Those values more, in each of the last minutes that show."""
        store = self.aws.metrics
        key, begin = key_of(namespace, metric, dimensions), self.now.replace(second=0, microsecond=0)
        held = {minute: list(one.values) for minute, one in store._series.get(key, {}).items()}
        for back in range(2, 9):
            store.put(namespace, metric, dimensions, begin - back * timedelta(minutes=1), values)
        yield
        series = store._series[key]
        for minute in list(series):
            if minute in held:
                series[minute].values[:] = held[minute]
            else:
                del series[minute]


@contextmanager
def changed(thing: Any, **values: Any) -> Iterator[None]:
    """Attributes with other values."""
    held = {name: getattr(thing, name) for name in values}
    for name, value in values.items():
        setattr(thing, name, value)
    yield
    for name, value in held.items():
        setattr(thing, name, value)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the world, and the ids of everything in the plan that has to turn for it: these, and no others."""

    title: str
    turns: frozenset[str]
    make: Callable[[World], AbstractContextManager[None] | AbstractAsyncContextManager[None]]
    past: bool = False
    """Whether it changes what logs and metrics tell of the minutes before, or who may read them."""

    @asynccontextmanager
    async def made(self, world: World) -> AsyncIterator[None]:
        """Broken within, mended afterwards."""
        doing = self.make(world)
        if isinstance(doing, AbstractAsyncContextManager):
            async with doing:
                yield
        else:
            with doing:
                yield


FAULTS: list[Fault] = []


def fault(title: str, *turns: str, past: bool = False) -> Callable[[Callable[[World], Iterator[None]]], None]:
    """Enter a fault: a generator that breaks, yields, and mends."""

    def enter(make: Callable[[World], Iterator[None]]) -> None:
        FAULTS.append(Fault(title, frozenset(turns), contextmanager(make), past))

    return enter


def catalogued(title: str, id_: str, *turns: str) -> None:
    """Enter a fault of the rehearsal's own catalogue."""

    @asynccontextmanager
    async def make(world: World) -> AsyncIterator[None]:
        await world.assembly.breakage.set(id_, on=True)
        yield
        await world.assembly.breakage.set(id_, on=False)

    FAULTS.append(Fault(title, frozenset(turns), make))


def entered(title: str, make: Callable[[World], AbstractContextManager[None]], *turns: str, past: bool = False) -> None:
    """Enter a fault that is one of the world's own changes."""
    FAULTS.append(Fault(title, frozenset(turns), make, past))
