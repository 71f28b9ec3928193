"""What a plan may write under `with:` of a probe, in words: one place for `cockpit probes`, the schema and docs/probes.md."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from probes.frozen import frozen
from probes.probe import Probe

_DSN = '"${env:DATABASE_URL}"'
EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "accept": '["metric math"]',
        "actions": "[s3:PutObject]",
        "addresses": "[192.0.2.10]",
        "after": "phase",
        "alias": "live",
        "application": "orders",
        "arguments": '["-w", "20%"]',
        "as_of": "/updated_at",
        "authoritative": "[192.0.2.53]",
        "body": '\'{"query": "{ queue { depth } }"}\'',
        "bucket": "orders-documents",
        "ca": "internal-ca.pem",
        "callback": "https://orders.example.com/api/auth/callback/google",
        "certificate": "arn:aws:acm:us-east-1:123456789012:certificate/1a2b3c4d-0000-4000-8000-0123456789ab",
        "client_id": "1234-abc.apps.googleusercontent.com",
        "cluster": "prod",
        "comparison": "GreaterThanThreshold",
        "components": "[api.anthropic.com]",
        "container": "web",
        "context": "{aws:SourceVpc: vpc-0a1b2c3d}",
        "dashboard": "orders",
        "datapoints_to_alarm": "3",
        "dated_by": 'up{job="api"}',
        "days": "[mon, tue]",
        "dead_letter_queue": "orders-jobs-dead",
        "digest": f"sha256:{'0123456789abcdef' * 4}",
        "dimensions": "{QueueName: orders-jobs}",
        "distribution": "E2QWRUHEXAMPLE",
        "dsn": _DSN,
        "encryption": "aws:kms",
        "env": "ANTHROPIC_API_KEY",
        "environment": "[HOME]",
        "evaluation_periods": "5",
        "event": "UpdateService",
        "expect": "[192.0.2.10]",
        "expect_text": '"\\"status\\":\\"ok\\""',
        "expected": "{NODE_ENV: production}",
        "expected_sha256": "4xV3ZtYbN0b0mJd6mT0Wq1cN8Z5o6Yw8i1sVd4vS2hA=",
        "expected_version": '"42"',
        "fields": "{depth: {pointer: /queue/depth, type: int, unit: count, low: 0}}",
        "filter_id": "EntireBucket",
        "floors": "{Category: 8}",
        "folder": "prisma/migrations",
        "forbid_text": "Sign in",
        "from": '"22:00"',
        "function": "orders",
        "group": "sessions",
        "groups": "{database: [sg-0a1b2c3d4e5f60718]}",
        "headers": '{Authorization: "Bearer ${env:TOKEN}"}',
        "host": "orders.example.com",
        "image_digest": f"sha256:{'0123456789abcdef' * 4}",
        "indexes": "[orders_created_at_idx]",
        "instance": "orders-db",
        "json_key": "token",
        "json_keys": "[username, password]",
        "kind": "metric",
        "labels": "{job: api}",
        "load_balancer": "app/orders/50dc6c495c0c9188",
        "log_group": "/ecs/orders",
        "metric": "RequestCount",
        "min_samples": "200",
        "model": "claude-sonnet-4-5",
        "must_not_reach": "https://admin.example.com",
        "name": "www.example.com",
        "names": "[orders-errors]",
        "namespace": "AWS/SQS",
        "never_plain": "[DATABASE_URL]",
        "only_from": "[{source: self, ports: [5432]}]",
        "optional": "[SENTRY_DSN]",
        "origin": "web-123.us-east-1.elb.amazonaws.com",
        "p": "99",
        "part": "[HTTPCode_Target_5XX_Count, HTTPCode_ELB_5XX_Count]",
        "period": "5m",
        "port": "3000",
        "program": "./check_queue",
        "proxy": "orders",
        "query": "SELECT count(*) AS value FROM orders",
        "queue": "orders-jobs",
        "registry": '"123456789012"',
        "repository": "orders",
        "required": "[DATABASE_URL]",
        "resources": "[app/orders/50dc6c495c0c9188]",
        "revision": "releases/web-42.zip",
        "role": "orders-task",
        "rotated_after": "2026-01-01T22:00:00Z",
        "roles": "[app]",
        "same_as": "web-123.us-east-1.elb.amazonaws.com",
        "secret": "orders/api-token",
        "secrets": "[DATABASE_URL]",
        "service": "orders-api",
        "settle": "2m",
        "since": "2026-01-01T22:00:00Z",
        "source": "ecs.amazonaws.com",
        "stat": "Sum",
        "statistic": "Average",
        "tables": "[Document]",
        "tag": "v42",
        "target_group": "targetgroup/orders/73e2d6bc24d8a067",
        "task_definition": "orders-api:42",
        "threshold": "0.05",
        "timezone": "Europe/Berlin",
        "to": '"05:00"',
        "total": "RequestCount",
        "unit": "Percent",
        "url": "https://orders.example.com/health",
        "window": "5m",
    }
)
"""Parameter -> an example as a plan writes it, where its default is none."""
_OF_ONE: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("cloudfront.distribution", "alias"): "www.example.com",
        ("codedeploy.deployment", "group"): "prod",
        ("cloudwatch.percentile", "metric"): "TargetResponseTime",
        ("logs.query", "unit"): "ms",
        ("command", "fields"): "{depth: {type: int, source: queue depth, unit: count}}",
        ("ec2.security_groups", "groups"): "[sg-0a1b2c3d4e5f60718]",
        ("iam.simulate", "resources"): "[arn:aws:s3:::orders-documents/*]",
        ("logs.query", "query"): "filter level = 'error'",
        ("prometheus.query", "query"): 'sum(rate(http_requests_total{code=~"5.."}[5m]))',
        ("prometheus.query", "url"): "https://prometheus.example.com",
        ("rds.snapshots", "after"): "2026-01-01T22:00:00Z",
        ("secrets.metadata", "names"): "[orders/api-token]",
        ("slack.webhook", "env"): "SLACK_WEBHOOK_URL",
        ("status.page", "url"): "https://status.anthropic.com",
        ("tls.certificate", "host"): "orders.example.com",
    }
)


@frozen
class Parameter:
    """One parameter, as people read it."""

    name: str
    meaning: str
    """A sentence."""
    type: str
    """In plain words, with its unit and what is allowed: "a whole number from 1 to 120"."""
    required: bool
    default: str
    """As a plan would write it; empty where there is none to write."""
    example: str
    """`name: value`, as a plan writes it."""


@cache
def parameters_of(kind: type[Probe[Any]]) -> tuple[Parameter, ...]:
    """Every parameter of a kind of probe, in the order it is defined."""
    schema, sentences = schema_of(kind.params_type), sentences_of(kind.params_type)
    held, inner = schema.get("properties", {}), schema.get("$defs", {})
    return tuple(
        _parameter(
            kind.name, info.alias or name, info, sentences.get(name, ""), held.get(info.alias or name, {}), inner
        )
        for name, info in kind.params_type.model_fields.items()
    )


@cache
def sentences_of(model: type[BaseModel]) -> Mapping[str, str]:
    """Field -> what its source says below it; nothing where there is no source."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if each is not BaseModel and issubclass(each, BaseModel):
            try:
                source = inspect.getsource(each)
            except (OSError, TypeError):
                continue  # a plug-in may come without its source
            (defined,) = ast.parse(textwrap.dedent(source)).body
            assert isinstance(defined, ast.ClassDef)
            for field, below in pairwise(defined.body):
                match field, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        found[name] = inspect.cleandoc(text)
    return MappingProxyType(found)


def schema_of(params: type[BaseModel], **options: Any) -> dict[str, Any]:
    """The JSON Schema of parameters, and of what is inside them, with what the source says of each."""
    schema = params.model_json_schema(**options)
    for model in _models_in(params):
        held = schema if model is params else schema["$defs"][model.__name__]
        for name, text in sentences_of(model).items():
            held["properties"][model.model_fields[name].alias or name]["description"] = text
    return schema


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Models that a model, or the type of a field, mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        annotation.model_rebuild()  # a field may name a model that is defined after it
        yield annotation
        for info in annotation.model_fields.values():
            yield from _models_in(info.annotation)
    for part in get_args(annotation):
        yield from _models_in(part)


def _parameter(
    kind: str, name: str, info: FieldInfo, text: str, schema: Mapping[str, Any], inner: Mapping[str, Any]
) -> Parameter:
    default = "" if info.is_required() else written(info.get_default(call_default_factory=True))
    example = _OF_ONE.get((kind, name)) or (default or EXAMPLES.get(name, ""))
    meaning = " ".join(text.split())
    return Parameter(name, meaning, in_words(schema, inner), info.is_required(), default, f"{name}: {example}")


def written(value: Any) -> str:
    """A value as a plan writes it; empty for what is nothing.

    >>> written(timedelta(seconds=90)), written(True), written(["a"]), written("")
    ('90s', 'true', '[a]', '')
    """
    if value is None or value in ("", [], {}, ()):
        return ""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        for size, unit in ((3600, "h"), (60, "m")):
            if seconds and not seconds % size:
                return f"{seconds / size:g}{unit}"
        return f"{seconds:g}s"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    return value if _is_plain(str(value)) else json.dumps(str(value))


def _is_plain(text: str) -> bool:
    """Whether it needs no quotes."""
    try:
        return yaml.safe_load(text) == text and not set(text) & set("{}[],:*&!")
    except yaml.YAMLError:
        return False


def in_words(schema: Mapping[str, Any], inner: Mapping[str, Any]) -> str:
    """What a value may be.

    >>> in_words({"type": "integer", "minimum": 1, "maximum": 120}, {})
    'a whole number from 1 to 120'
    """
    if "$ref" in schema:
        return _mapping(inner[schema["$ref"].rpartition("/")[2]], inner)
    if "anyOf" in schema:
        words = [in_words(each, inner) for each in schema["anyOf"] if each.get("type") != "null"]
        return ", or ".join(dict.fromkeys(words))
    if "const" in schema:
        return f"the word {schema['const']}"
    if "enum" in schema:
        return f"one of {', '.join(str(each) or '(empty)' for each in schema['enum'])}"
    type_ = schema.get("type")
    if type_ == "array":
        return f"a list{_length(schema)}, each {in_words(schema.get('items', {}), inner)}"
    if type_ == "object":
        by_pattern = next(iter((schema.get("patternProperties") or {}).values()), None)
        return f"a mapping, each value {in_words(by_pattern or schema.get('additionalProperties') or {}, inner)}"
    return _plain_type(schema)


def _plain_type(schema: Mapping[str, Any]) -> str:
    match schema.get("type"):
        case "boolean":
            return "true or false"
        case "integer":
            return f"a whole number{_range(schema)}"
        case "number":
            return f"a number{_range(schema)}"
        case "string" if schema.get("format") == "date-time":
            return "a time such as 2026-01-01T22:00:00Z"
        case "string" if "5m" in schema.get("examples", ()):
            return "a duration: 90s, 5m, 1h30m"
        case "string":
            return f"text{_length(schema, 'characters')}"
    return "any value"


def _mapping(schema: Mapping[str, Any], inner: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    held = [
        f"{name}{'' if name in required else ' (may be left out)'}: {in_words(each, inner)}"
        for name, each in schema.get("properties", {}).items()
    ]
    return "{" + "; ".join(held) + "}"


def _range(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    parts = [f" from {low:g}"] if low is not None else [f" above {above:g}"] if above is not None else []
    parts += [f" to {high:g}"] if high is not None else [f" below {below:g}"] if below is not None else []
    return "".join(parts)


def _length(schema: Mapping[str, Any], unit: str = "") -> str:
    low, high = schema.get("minItems" if not unit else "minLength"), schema.get("maxItems" if not unit else "maxLength")
    if high is None:
        return " that is not empty" if low else ""
    return f" of {low or 0} to {high}{f' {unit}' if unit else ''}"
