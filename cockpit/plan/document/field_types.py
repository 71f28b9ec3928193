"""The smallest shapes of a plan file: durations, names, texts, and what every entry has in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from cockpit.plan.text_kind import ACCOUNT_ID, CONDITION, MACHINE_ONLY, REGION_NAME, SHOWN, TextKind
from probes.periods import Duration

LONGEST = timedelta(days=400)


def _sensible(value: timedelta) -> timedelta:
    if value > LONGEST:
        raise PydanticCustomError("duration", "is longer than 400 days")
    return value


def _positive(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise PydanticCustomError("duration", "must be at least 1s")
    return _sensible(value)


_DURATION = WithJsonSchema(
    {"type": "string", "pattern": r"^(\d+(\.\d+)?[smhd])+$|^\$\{", "examples": ["90s", "5m", "1h30m"]}
)
Span = Annotated[Duration, AfterValidator(_sensible), _DURATION]
"""A duration that may be nothing."""
Period = Annotated[Duration, AfterValidator(_positive), _DURATION]
"""A duration of a second or more."""


def _share(value: Any) -> Any:
    """`80%` or `0.8`, as 0.8."""
    if isinstance(value, str) and (written := _PERCENT.fullmatch(value.strip())):
        value = float(written[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise PydanticCustomError("share", "must be a share above 0% and up to 100%: 80%, or 0.8")
    return float(value)


_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
Share = Annotated[
    float,
    BeforeValidator(_share),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d+(\.\d+)? ?%$|^\$\{", "examples": ["80%"]},
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            ]
        }
    ),
]
"""A part of a whole: `80%`, or 0.8."""
LONGEST_WINDOW = timedelta(hours=6)
"""An M of N looks back over up to twice its window, and readings are kept for twelve hours."""


def _within_reach(value: timedelta) -> timedelta:
    if value > LONGEST_WINDOW:
        raise PydanticCustomError("duration", "is longer than 6 hours")
    return _positive(value)


Within = Annotated[Duration, AfterValidator(_within_reach), _DURATION]
"""The window of an M of N."""

Id = Annotated[str, SHOWN, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,79}$")]
ProbeName = Annotated[str, SHOWN, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")]
ProbeField = Annotated[
    str, SHOWN, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}\.[A-Za-z_][A-Za-z0-9_]{0,79}$")
]
"""`probe.field`"""
Variable = Annotated[str, SHOWN, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,119}$")]
_LINE = AfterValidator(lambda text: " ".join(text.splitlines()).strip())
"""Shown within a line, however many the file has for it."""
Text = Annotated[str, SHOWN, StringConstraints(min_length=1, max_length=4000), _LINE]
Note = Annotated[str, SHOWN, StringConstraints(max_length=4000), _LINE]
"""A text that may be empty."""
Lines = Annotated[str, SHOWN, StringConstraints(max_length=4000)]
"""A text of several lines, each shown as one; it may be empty."""


def _certificates(pem: str) -> str:
    from cryptography.x509 import load_pem_x509_certificates

    try:
        load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise PydanticCustomError("pem", "holds no PEM certificate (-----BEGIN CERTIFICATE-----)") from None
    return pem


def _public_key(pem: str) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        found = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise PydanticCustomError("pem", "holds no PEM public key (-----BEGIN PUBLIC KEY-----)") from None
    if not isinstance(found, EllipticCurvePublicKey):
        raise PydanticCustomError("pem", "is no public key of an elliptic curve (ECDSA), as transparency logs have")
    return pem


_PEM = StringConstraints(min_length=1, max_length=40_000)
Certificates = Annotated[str, SHOWN, _PEM, AfterValidator(_certificates)]
"""One or more, in PEM."""
PublicKey = Annotated[str, SHOWN, _PEM, AfterValidator(_public_key)]
"""Of ECDSA, in PEM."""
WebAddress = Annotated[str, SHOWN, StringConstraints(pattern=r"^https?://[^\s/?#@]+[^\s?#@]*$", max_length=500)]
Credential = Annotated[str, MACHINE_ONLY, StringConstraints(max_length=4000)]
ConditionText = Annotated[str, CONDITION, StringConstraints(min_length=1, max_length=4000)]
Scalar = Annotated[Any, MACHINE_ONLY, WithJsonSchema({"type": ["string", "number", "boolean"]})]
AccountId = Annotated[
    str,
    ACCOUNT_ID,
    StringConstraints(pattern=r"^(\d{12}|\[.*\])?$"),
    WithJsonSchema({"type": "string", "pattern": r"^(\d{12}|\[.*\])?$|^\$\{"}),
]
Region = Annotated[str, REGION_NAME, StringConstraints(max_length=4000)]
Prefix = Annotated[str, SHOWN, StringConstraints(pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*$", max_length=200)]
Hours = Annotated[str, SHOWN, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]
Roles = Annotated[list[Id], Field(min_length=1, max_length=20)]
Parameters = Annotated[dict[str, Any], MACHINE_ONLY]

_NOT_TEXT = (bool, int, float, timedelta, Enum)
"""Types that hold no text of their own: a reference written there is replaced before they are read, as in any shown text."""
_ANY_KEY = "*"
_Kinds = TextKind | Mapping[str, "_Kinds"]


class Part(BaseModel):
    """A mapping of a plan file. Every field says what its text may hold; one that does not is a TypeError at import."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
    _kinds: ClassVar[Mapping[str, _Kinds]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls._kinds = {
            info.alias or name: _kinds_of(info.annotation, info.metadata, f"{cls.__name__}.{name}")
            for name, info in cls.model_fields.items()
        }

    @classmethod
    def text_kind(cls, path: Sequence[str | int]) -> TextKind:
        """What the text at `path` below this mapping may hold; the strictest where the model knows no such path."""
        kinds: _Kinds | None = cls._kinds
        for part in path:
            if kinds is None or isinstance(kinds, TextKind):
                break
            kinds = kinds.get(str(part), kinds.get(_ANY_KEY))
        return kinds if isinstance(kinds, TextKind) else SHOWN


def _kinds_of(annotation: Any, metadata: Iterable[object], field: str) -> _Kinds:
    """The kind of a field's text, or those of what is inside it, by key."""
    kind = next((one for one in metadata if isinstance(one, TextKind)), None)
    if kind is not None:
        return kind
    origin, inside = get_origin(annotation), [one for one in get_args(annotation) if one is not type(None)]
    if origin is Annotated:
        return _kinds_of(annotation.__origin__, annotation.__metadata__, field)
    if origin is Literal or (isinstance(annotation, type) and issubclass(annotation, _NOT_TEXT)):
        return SHOWN
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation._kinds
    if origin in (list, dict):
        return {_ANY_KEY: _kinds_of(inside[-1], (), field)}
    if origin in (Union, UnionType) and len(inside) == 1:
        return _kinds_of(inside[0], (), field)
    raise TypeError(
        f"{field}: say what its text may hold with a type of this module (Text, Note, ConditionText, Credential ...)"
    )
