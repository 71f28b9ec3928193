"""ECS: the task definition a service runs, and whether its environment is what the application needs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import Field as Setting
from pydantic import model_validator

from probes.clients.arns import arn, console
from probes.clients.paging import request_id
from probes.demand import AWS_ALONE
from probes.probe import EcsName, Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import holds_secret, one_line

STATIC_KEYS = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})
DIGEST = "@sha256:"
Part = tuple[dict[str, Any], dict[str, Unknown]]


class TaskDefinitionParams(Params):
    cluster: EcsName = ""
    """Name or ARN of the cluster, where `service` is given."""
    service: EcsName = ""
    """With `cluster`: the service whose newest (PRIMARY) deployment's task definition is read."""
    task_definition: str = ""
    """Instead of a service: `family:revision` or an ARN. A family alone means its newest revision, which may not be running."""
    container: str = ""
    """Needed where the definition has more than one container."""
    required: list[str] = Setting(default_factory=list)
    """Variables that must be set, in the clear or from a secret."""
    secrets: list[str] = Setting(default_factory=list)
    """Variables that must come from a secret."""
    never_plain: list[str] = Setting(default_factory=list)
    """Variables that may be absent but never in the clear; those of `secrets` need not be repeated."""
    expected: dict[str, str] = Setting(default_factory=dict)
    """Values of variables that are no secrets."""
    groups: dict[str, list[str]] = Setting(default_factory=dict)
    """Variables that belong together: all of a group are set, or none."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.cluster and self.service) == bool(self.task_definition) or bool(self.cluster) != bool(
            self.service
        ):
            raise ValueError("give cluster and service, or task_definition")
        return self


class EcsTaskDefinition(Probe[TaskDefinitionParams]):
    """The task definition of a service's newest deployment: its image, roles and logs, and the names in its environment.

    Reads ecs DescribeServices (deployments[] or taskSets[] PRIMARY: taskDefinition) and DescribeTaskDefinition:
    containerDefinitions[].image, environment[], secrets[].valueFrom, environmentFiles[], healthCheck, logConfiguration,
    taskRoleArn, executionRoleArn. Values are compared here and never leave; only names do. A value that is a password, a key
    or a URL with a password is one in the clear whatever its name. Variables from a file in S3 cannot be seen: what they
    could change is then unknown. Nor can what the image itself or the running application sets; and a new revision that is
    not deployed is not read.
    """

    name = "ecs.task_definition"
    params_type = TaskDefinitionParams
    demands = AWS_ALONE
    subjects = ("ecs", "task definition", "container", "environment variable")
    cannot_see = "variables from a file in S3, those the image or application sets, and a revision not deployed"
    late = "seconds: ECS answers as it is when read"
    fields = (
        Field("definition", str, "family:revision", "web:42"),
        Field("revision", int, "its revision", 42, low=1),
        Field("image", str, "the container's image", "123.dkr.ecr.us-east-1.amazonaws.com/web@sha256:1f3a"),
        Field("image_by_digest", bool, "the image is named by digest, which cannot move as a tag can", example=True),
        Field("has_health_check", bool, "the container has a health check of its own", example=True),
        Field("log_group", str, "log group its output goes to", "/ecs/web"),
        Field("task_role", str, "role the application acts as", "web-task"),
        Field("execution_role", str, "role that pulls the image and fetches secrets", "web-execution"),
        Field("variables_missing_count", int, "variables of `required` that are not set", 0, "count", low=0),
        Field("variables_missing", tuple, "their names", ("NEXTAUTH_URL",)),
        Field("secrets_missing_count", int, "variables of `secrets` that come from no secret", 0, "count", low=0),
        Field("secrets_missing", tuple, "their names", ("DATABASE_URL",)),
        Field("plain_secrets_count", int, "secrets that stand in the clear", 0, "count", low=0),
        Field("plain_secrets", tuple, "their names", ("ENCRYPTION_KEY",)),
        Field("static_keys", bool, "AWS keys are given, so the task role is not used", example=False),
        Field("wrong_values_count", int, "variables of `expected` with another value, or none", 0, "count", low=0),
        Field("wrong_values", tuple, "their names", ("AWS_REGION",)),
        Field("incomplete_groups_count", int, "groups of which only some are set", 0, "count", low=0),
        Field("incomplete_groups", tuple, "their names", ("okta",)),
    )
    iam = ("ecs:DescribeServices", "ecs:DescribeTaskDefinition")
    interval = timedelta(seconds=60)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        # DescribeTaskDefinition knows no resources: it stays on `*`.
        name = f"{self.params.cluster or '*'}/{self.params.service or '*'}"
        return {"ecs:DescribeServices": (arn(self.clients.options, "ecs", f"service/{name}"),)}

    async def read(self, now: datetime) -> Reading:
        query = self._query()
        try:
            wanted = self.params.task_definition or await self._running()
            answer = await self.clients.aws("ecs", "describe_task_definition", taskDefinition=wanted)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        found = answer.get("taskDefinition") or {}
        containers = found.get("containerDefinitions") or []
        container = self._container(containers)
        values, unknown = _of_definition(found)
        if isinstance(container, Unknown):
            unknown |= {field.name: container for field in self.fields if field.name not in values}
            lines: tuple[str, ...] = ()
        else:
            known, blind = _of_container(container)
            checked, open_ = _Environment(container, self.params).checked()
            values |= known | checked
            unknown |= blind | open_
            lines = tuple(f"{name.replace('_', ' ')}: {', '.join(values[name])}" for name in _LISTS if values.get(name))
        evidence = Evidence(query, request_id(answer), self._url(found), lines)
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    async def _running(self) -> str:
        """The task definition of the PRIMARY deployment: the newest revision of a family need not be the one deployed."""
        cluster, service = self.params.cluster, self.params.service
        answer = await self.clients.aws("ecs", "describe_services", cluster=cluster, services=[service])
        services = answer.get("services") or []
        if not services:
            why = ", ".join(str(f.get("reason", "")) for f in answer.get("failures", ())) or "empty answer"
            detail = f"no service {service} in cluster {cluster} ({why})"
            raise Unseen(Unknown(Reason.NOT_FOUND, detail, "check the names in the plan"))
        # Of a service that ECS does not deploy itself the task set with the traffic.
        releases = [*(services[0].get("deployments") or ()), *(services[0].get("taskSets") or ())]
        primary: Mapping[str, Any] = next((each for each in releases if each.get("status") == "PRIMARY"), {})
        if not primary.get("taskDefinition"):
            detail = f"{service} has no PRIMARY deployment with a task definition"
            raise Unseen(Unknown(Reason.NO_DATA, detail, "is the service active?"))
        return str(primary["taskDefinition"])

    def _container(self, containers: list[Mapping[str, Any]]) -> Mapping[str, Any] | Unknown:
        if not containers:
            return Unknown(Reason.NO_DATA, "ECS answered without containerDefinitions")
        names = ", ".join(str(c.get("name")) for c in containers)
        if self.params.container:
            named = (c for c in containers if c.get("name") == self.params.container)
            gone = Unknown(Reason.NOT_FOUND, f"no container {self.params.container} among {names}", "check the plan")
            return next(named, gone)
        if len(containers) > 1:
            return Unknown(Reason.NO_DATA, f"several containers: {names}", "name one as `container` in the plan")
        return containers[0]

    def _query(self) -> str:
        if self.params.task_definition:
            return f"ecs describe-task-definition --task-definition {self.params.task_definition}"
        place = f"--cluster {self.params.cluster} --services {self.params.service}"
        return f"ecs describe-services {place}; ecs describe-task-definition"

    def _url(self, found: Mapping[str, Any]) -> str:
        region = self.clients.options.region
        if not (region and found.get("family") and found.get("revision")):
            return ""
        return console(region, f"ecs/v2/task-definitions/{found['family']}/{found['revision']}?region={region}")


_LISTS = ("variables_missing", "secrets_missing", "plain_secrets", "wrong_values", "incomplete_groups")


def _of_definition(found: Mapping[str, Any]) -> Part:
    arn, revision = str(found.get("taskDefinitionArn") or ""), found.get("revision")
    unknown = {
        field: Unknown(Reason.NOT_FOUND, f"the task definition names no {key}", "set it, and deploy the revision")
        for field, key in (("task_role", "taskRoleArn"), ("execution_role", "executionRoleArn"))
        if found and not found.get(key)
    }
    return {
        "definition": arn.rpartition("/")[2] or None,
        "revision": revision,
        "task_role": str(found["taskRoleArn"]).rpartition("/")[2] if found.get("taskRoleArn") else None,
        "execution_role": str(found["executionRoleArn"]).rpartition("/")[2] if found.get("executionRoleArn") else None,
    }, unknown


def _of_container(container: Mapping[str, Any]) -> Part:
    image = container.get("image")
    logging = container.get("logConfiguration") or {}
    group = (logging.get("options") or {}).get("awslogs-group")
    unknown = {}
    if not group:
        driver = logging.get("logDriver")
        detail = f"the log driver {driver} names no log group" if driver else "the container keeps no logs"
        unknown["log_group"] = Unknown(Reason.NOT_FOUND, detail, "logConfiguration with awslogs-group")
    return {
        "image": one_line(str(image)) if image else None,
        "image_by_digest": DIGEST in str(image) if image else None,
        # ECS leaves healthCheck out where there is none, and does not look at an image's own HEALTHCHECK.
        "has_health_check": bool((container.get("healthCheck") or {}).get("command")),
        "log_group": group,
    }, unknown


class _Environment:
    """What a container's variables say about the plan's lists. Values stay inside."""

    def __init__(self, container: Mapping[str, Any], params: TaskDefinitionParams) -> None:
        self._params = params
        self._plain = {str(v.get("name")): str(v.get("value", "")) for v in container.get("environment") or ()}
        self._held = {str(s.get("name")) for s in container.get("secrets") or () if s.get("valueFrom")}
        self._set = {name for name, value in self._plain.items() if value.strip()} | self._held
        self._files = len(container.get("environmentFiles") or ())

    def checked(self) -> Part:
        params = self._params
        secret = {*params.secrets, *params.never_plain} & {name for name, value in self._plain.items() if value.strip()}
        leaking = {name for name, value in self._plain.items() if holds_secret(value)}
        wrong = [name for name, value in params.expected.items() if self._plain.get(name) != value]
        partly = [group for group, names in params.groups.items() if 0 < len(self._set & set(names)) < len(set(names))]
        found: dict[str, tuple[list[str], bool]] = {
            "variables_missing": ([name for name in params.required if name not in self._set], bool(params.required)),
            "secrets_missing": ([name for name in params.secrets if name not in self._held], bool(params.secrets)),
            "plain_secrets": (sorted(secret | leaking), True),
            "wrong_values": (wrong, bool(params.expected)),
            "incomplete_groups": (partly, bool(params.groups)),
        }
        values: dict[str, Any] = {}
        unknown: dict[str, Unknown] = {}
        for name, (names, asked) in found.items():
            values |= {name: tuple(names), f"{name}_count": len(names)}
            if why := self._unsettled(name, names, asked=asked):
                unknown |= {name: why, f"{name}_count": why}
            elif not names:
                unknown[name] = Unknown(Reason.NO_DATA, "there is none")
        values["static_keys"] = bool(STATIC_KEYS & (self._plain.keys() | self._held))
        if self._files and not values["static_keys"]:
            unknown["static_keys"] = self._hidden()
        return values, unknown

    def _unsettled(self, name: str, names: list[str], *, asked: bool) -> Unknown | None:
        """Why a list proves nothing. A file can set what seems missing, and hold in the clear what seems well kept."""
        if not asked:
            return Unknown(Reason.NO_DATA, f"the plan gives no {_GIVEN_BY[name]}", "set it in the plan")
        if name == "wrong_values" and (unseen := sorted(self._held & set(names))):
            detail = f"{', '.join(unseen)} comes from a secret, whose value is not read"
            return Unknown(Reason.PARTIAL, detail, "see secrets.value, or take it out of `expected`")
        # ECS prefers environment[] to a file: a value seen there is the one the application gets.
        certain = {
            "variables_missing": not names,
            "secrets_missing": True,
            "plain_secrets": bool(names),
            "wrong_values": not names or any(self._plain.get(each) for each in names),
            "incomplete_groups": False,
        }
        return self._hidden() if self._files and not certain[name] else None

    def _hidden(self) -> Unknown:
        detail = f"{self._files} environmentFiles may set it, and are not read"
        return Unknown(Reason.PARTIAL, detail, "move the variables into the task definition, or check the file by hand")


_GIVEN_BY = {
    "variables_missing": "required",
    "secrets_missing": "secrets",
    "wrong_values": "expected",
    "incomplete_groups": "groups",
}
