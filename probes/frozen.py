"""What is read, planned, judged and recorded is never changed once it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def frozen(cls: type[T]) -> type[T]: ...


@overload
def frozen(*, order: bool = False, kw_only: bool = False) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(
    cls: type[T] | None = None, *, order: bool = False, kw_only: bool = False
) -> type[T] | Callable[[type[T]], type[T]]:
    """A dataclass whose fields nobody sets again: mypy refuses it, and its values are equal and hashed by their fields.

    At run time it is a plain one with slots: a frozen dataclass is made six times as slowly, and a judged second makes
    thousands.
    """
    make = dataclass(slots=True, unsafe_hash=True, order=order, kw_only=kw_only)
    return make if cls is None else make(cls)
