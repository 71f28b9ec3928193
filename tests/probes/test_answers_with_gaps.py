"""Answers of AWS that lack something, whatever it is: every probe says so, and none breaks.

An answer is made after botocore's own model of each operation that a probe asks; then one name at a time is left out of it,
wherever it stands, each list is emptied, and each word becomes one that nobody has heard of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from botocore.model import OperationModel
from support.aws.modelled import NOW, ModelledAws

from probes import registry
from probes.reading import Reading

SERVICE = {"cluster": "c", "service": "s"}
BALANCER = {"load_balancer": "x", "host": "x"}
ASKED: dict[str, dict[str, Any]] = {
    "acm.certificate": BALANCER,
    "alarms.definition": {"names": ["x"], "namespace": "n", "metric": "m", "threshold": 1.0},
    "alb.load_balancer": {"load_balancer": "x"},
    "alb.targets": BALANCER,
    "cloudfront.distribution": {"distribution": "E2QWRUHEXAMPLE", "origin": "x", "alias": "x"},
    "cloudtrail.events": {"event": "GetSecretValue", "role": "r", "since": "2026-11-20T00:00:00Z"},
    "cloudwatch.alarms": {"names": ["x"]},
    "codedeploy.deployment": {"application": "a", "group": "g", "after": "2026-01-01T00:00:00Z"},
    "ec2.security_groups": {**SERVICE, "instance": "i", "groups": ["x"], "only_from": [{"source": "sg-1"}]},
    "ecr.image": {"repository": "r", "tag": "t"},
    "ecs.deployment": {**SERVICE, "task_definition": "web:1", "image_digest": "sha256:aa"},
    "ecs.service": SERVICE,
    "ecs.task_definition": SERVICE,
    "ecs.tasks": SERVICE,
    "elasticache.replication_group": {"group": "g"},
    "iam.simulate": {"role": "r", "actions": ["secretsmanager:GetSecretValue"], "resources": ["arn:aws:x:::secret:x*"]},
    "lambda.function": {"function": "f", "alias": "a", "expected_version": "1"},
    "logs.group": {"log_group": "x"},
    "rds.cluster": {"cluster": "x"},
    "rds.instance": {"instance": "x"},
    "rds.proxy": {"proxy": "x"},
    "rds.snapshots": {"instance": "x", "after": "2026-01-01T00:00:00Z"},
    "s3.bucket": {"bucket": "documents"},
    "secrets.metadata": {"names": ["a"], "rotated_after": "2026-01-01T00:00:00Z"},
    "sqs.queue": {"queue": "q", "dead_letter_queue": "d"},
}
TOKENS = {"nexttoken", "nextmarker", "marker"}
DEEPEST = 8


def made(shape: Any, name: str = "", depth: int = 0) -> Any:
    """An answer with everything in it that AWS may say; no page follows."""
    match shape.type_name:
        case "structure":
            members = {} if depth > DEEPEST else shape.members
            return {k: made(v, k, depth + 1) for k, v in members.items() if k.lower() not in TOKENS}
        case "list":
            return [made(shape.member, name, depth + 1)] if depth <= DEEPEST else []
        case "map":
            return {"k": made(shape.value, name, depth + 1)}
        case "string":
            return (
                shape.enum[0] if shape.enum else "arn:aws:x:us-east-1:123456789012:thing/a/b" if "rn" in name else "x"
            )
        case "timestamp":
            return NOW - timedelta(minutes=5)
        case other:
            return {"boolean": True, "float": 1.0, "double": 1.0}.get(other, 1)


def names(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            yield name
            yield from names(value)
    elif isinstance(part, list):
        yield from (name for each in part for name in names(each))


def changed(part: Any, name: str, change: Callable[[dict[str, Any], str], None]) -> Any:
    """The same with every member of this name changed."""
    if isinstance(part, list):
        return [changed(each, name, change) for each in part]
    if not isinstance(part, dict):
        return part
    held = {key: changed(value, name, change) for key, value in part.items()}
    if name in held:
        change(held, name)
    return held


def left_out(held: dict[str, Any], name: str) -> None:
    del held[name]


def new_or_empty(held: dict[str, Any], name: str) -> None:
    value = held[name]
    held[name] = "unheard-of" if isinstance(value, str) else type(value)() if isinstance(value, list | dict) else value


class Telling(ModelledAws):
    """Says everything of every operation but what `gap` takes away of one; `heard` keeps the whole answers."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[str, dict[str, Any]] = {}
        self.gap: tuple[str, str, Callable[[dict[str, Any], str], None]] | None = None

    def _say(self, model: OperationModel, context: dict[str, Any], **more: Any) -> Any:
        if model.name not in self.heard:
            self.heard[model.name] = made(model.output_shape) if model.output_shape else {}
        whole = self.heard[model.name]
        self.on[model.name] = changed(whole, *self.gap[1:]) if self.gap and self.gap[0] == model.name else whole
        try:
            return super()._say(model, context, **more)
        except ParamValidationError:  # AWS never leaves it out
            self.on[model.name] = whole
            return super()._say(model, context, **more)


async def read(name: str, aws: Telling) -> Reading:
    kind = registry.find(name)
    probe = kind(kind.params_type.model_validate(ASKED[name]), aws.clients)
    try:
        return await probe.read(NOW)
    finally:
        await probe.close()


@pytest.mark.long
@pytest.mark.parametrize("name", ASKED)
async def test_no_gap_in_an_answer_breaks_a_probe(name: str) -> None:
    aws = Telling()
    try:
        await read(name, aws)
        fields = {field.name for field in registry.find(name).fields}
        for operation in list(aws.heard):
            for gone in sorted(set(names(aws.heard[operation]))):
                for change in (left_out, new_or_empty):
                    aws.gap = (operation, gone, change)
                    reading = await read(name, aws)
                    assert reading.values.keys() | reading.unknown.keys() == fields, aws.gap
    finally:
        await aws.clients.close()
