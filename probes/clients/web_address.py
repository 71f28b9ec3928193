"""Addresses of the web as a plan writes them: whole, with their scheme."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _whole(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("write the whole address: https://host/path")
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if not _HOST.fullmatch(host):
        raise ValueError("its host is no name that a host can have: write https://host/path; a var is written ${name}")
    return url


_HOST = re.compile(r"[\w.~%-]+|[0-9a-f:.]+(%\w+)?")
"""A name, an IPv4 address or, without its brackets, an IPv6 one."""


def _whole_or_none(url: str) -> str:
    return _whole(url) if url else url


def _without_slash(url: str) -> str:
    return url.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_whole)]
"""As it is written."""
OptionalAddress = Annotated[str, AfterValidator(_whole_or_none)]
"""The same, or empty."""
BaseAddress = Annotated[str, AfterValidator(_whole), AfterValidator(_without_slash)]
"""What paths are put behind: without a slash at its end."""
OptionalBaseAddress = Annotated[str, AfterValidator(_whole_or_none), AfterValidator(_without_slash)]
"""The same, or empty."""
