"""CBOR (RFC 8949), as much of it as the AWS protocol smithy-rpc-v2-cbor uses."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_EPOCH_TAG = 1
_INDEFINITE = 31
_BREAK = object()


class CborError(ValueError):
    """The bytes are not CBOR, or not of the kinds AWS sends."""


def encode(value: Any) -> bytes:
    """CBOR of plain values; datetimes become epoch seconds (tag 1), members that are None are left out of maps.

    >>> encode({"a": [1, -2, True]}).hex()
    'a16161830121f5'
    """
    out = bytearray()
    _write(out, value)
    return bytes(out)


def decode(data: bytes) -> Any:
    """The value behind CBOR; tag 1 becomes an aware datetime. Raises CborError."""
    try:
        value, _ = _read(data, 0)
    except (IndexError, struct.error) as error:
        raise CborError(f"cut short after {len(data)} bytes") from error
    return value


def _head(out: bytearray, major: int, number: int) -> None:
    if number < 24:
        out.append(major << 5 | number)
    elif number < 1 << 8:
        out += bytes((major << 5 | 24, number))
    elif number < 1 << 16:
        out += struct.pack(">BH", major << 5 | 25, number)
    elif number < 1 << 32:
        out += struct.pack(">BI", major << 5 | 26, number)
    else:
        out += struct.pack(">BQ", major << 5 | 27, number)


def _write(out: bytearray, value: Any) -> None:
    # Floats and moments first: a page of metric points consists of nothing else.
    if isinstance(value, float):
        out += struct.pack(">Bd", 0xFB, value)
    elif isinstance(value, datetime):
        out.append(_TAG << 5 | _EPOCH_TAG)
        seconds = value.timestamp()
        _write(out, int(seconds) if seconds.is_integer() else seconds)
    elif isinstance(value, str):
        text = value.encode()
        _head(out, _TEXT, len(text))
        out += text
    elif value is None or isinstance(value, bool):
        out.append(0xF6 if value is None else 0xF5 if value else 0xF4)
    elif isinstance(value, int):
        _head(out, _NEGATIVE if value < 0 else _UNSIGNED, -1 - value if value < 0 else value)
    elif isinstance(value, bytes):
        _head(out, _BYTES, len(value))
        out += value
    elif isinstance(value, Mapping):
        present = [(name, held) for name, held in value.items() if held is not None]
        _head(out, _MAP, len(present))
        for name, held in present:
            _write(out, name)
            _write(out, held)
    elif isinstance(value, Sequence):
        _head(out, _ARRAY, len(value))
        for held in value:
            _write(out, held)
    else:
        raise CborError(f"cannot encode {type(value).__name__}")


def _read(data: bytes, at: int) -> tuple[Any, int]:
    major, low = data[at] >> 5, data[at] & 0x1F
    if major == _SIMPLE:
        return _simple(data, at, low)
    number, at = _number(data, at + 1, low)
    if major == _UNSIGNED:
        return number, at
    if major == _NEGATIVE:
        return -1 - number, at
    if major == _TAG:
        value, at = _read(data, at)
        return (datetime.fromtimestamp(value, UTC) if number == _EPOCH_TAG else value), at
    if low == _INDEFINITE:
        return _indefinite(data, at, major)
    if major in (_BYTES, _TEXT):
        if at + number > len(data):
            raise CborError(f"cut short after {len(data)} bytes")
        held = data[at : at + number]
        return (held if major == _BYTES else held.decode()), at + number
    return _collection(data, at, major, number)


def _number(data: bytes, at: int, low: int) -> tuple[int, int]:
    if low < 24:
        return low, at
    if low == _INDEFINITE:
        return 0, at
    width = 1 << (low - 24)
    if width > 8 or at + width > len(data):
        raise CborError(f"a length of {width} bytes at byte {at}")
    return int.from_bytes(data[at : at + width], "big"), at + width


def _simple(data: bytes, at: int, low: int) -> tuple[Any, int]:
    if low in (20, 21):
        return low == 21, at + 1
    if low in (22, 23):
        return None, at + 1
    if low == _INDEFINITE:
        return _BREAK, at + 1
    width, layout = {25: (2, ">e"), 26: (4, ">f"), 27: (8, ">d")}.get(low, (0, ""))
    if not layout:
        raise CborError(f"simple value {low} at byte {at}")
    return struct.unpack_from(layout, data, at + 1)[0], at + 1 + width


def _collection(data: bytes, at: int, major: int, count: int) -> tuple[Any, int]:
    items: list[Any] = []
    for _ in range(count * (2 if major == _MAP else 1)):
        item, at = _read(data, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2], strict=True)) if major == _MAP else items), at


def _indefinite(data: bytes, at: int, major: int) -> tuple[Any, int]:
    items: list[Any] = []
    while True:
        item, at = _read(data, at)
        if item is _BREAK:
            break
        items.append(item)
    if major == _MAP:
        return dict(zip(items[::2], items[1::2], strict=True)), at
    if major == _ARRAY:
        return items, at
    return (b"" if major == _BYTES else "").join(items), at
