"""The name of an S3 operation: S3 requests say only method, path, query string and headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from urllib.parse import parse_qsl

from cockpit.rehearsal.aws.wire.service_models import service_model
from probes.frozen import frozen

_LEVELS = {"/": 0, "/{Bucket}": 1, "/{Bucket}/{Key+}": 2}


@frozen
class _Signature:
    """What a request must carry to be this operation; the one that asks for most wins."""

    operation: str
    literals: tuple[tuple[str, str], ...]
    queries: tuple[str, ...]
    headers: tuple[str, ...]

    def matches(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        literal = all(key in query and (not value or query[key] == value) for key, value in self.literals)
        return literal and all(key in query for key in self.queries) and all(name in headers for name in self.headers)

    @property
    def weight(self) -> tuple[int, int]:
        return len(self.literals) + len(self.queries) + len(self.headers), -len(self.operation)


@cache
def _signatures() -> Mapping[tuple[str, int], tuple[_Signature, ...]]:
    """All operations by (method, level), the most demanding first, from botocore's model."""
    model = service_model("s3")
    found: dict[tuple[str, int], list[_Signature]] = {}
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, literal_query = operation.http["requestUri"].partition("?")
        if path not in _LEVELS or operation.deprecated:
            continue
        literals = tuple(
            (key, value) for key, value in parse_qsl(literal_query, keep_blank_values=True) if key != "x-id"
        )
        shape = operation.input_shape
        required = [shape.members[each].serialization for each in shape.required_members] if shape else []
        queries = tuple(each["name"] for each in required if each.get("location") == "querystring")
        headers = tuple(each["name"].lower() for each in required if each.get("location") == "header")
        signature = _Signature(name, literals, queries, headers)
        found.setdefault((operation.http["method"], _LEVELS[path]), []).append(signature)
    return {place: tuple(sorted(many, key=lambda s: s.weight, reverse=True)) for place, many in found.items()}


def s3_operation(method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    """The operation of a path-style request, or an empty string.

    >>> s3_operation("PUT", "/documents/a.pdf", "", {})
    'PutObject'
    >>> s3_operation("GET", "/documents", "metrics&id=EntireBucket", {})
    'GetBucketMetricsConfiguration'
    """
    parts = re.sub(r"^/+", "", path).split("/", 1)
    level = 0 if not parts[0] else 1 if len(parts) == 1 or not parts[1] else 2
    asked = dict(parse_qsl(query, keep_blank_values=True))
    for signature in _signatures().get((method, level), ()):
        if signature.matches(asked, headers):
            return signature.operation
    return ""
