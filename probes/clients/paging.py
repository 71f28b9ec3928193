"""Answers that come in pages: all of them, or a plain word that some are missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.clients.clients import Clients
from probes.reading import Reason, Unknown, Unseen

MOST_PAGES = 50


async def pages(
    clients: Clients,
    service: str,
    operation: str,
    /,
    *,
    request_key: str = "NextToken",
    response_key: str = "NextToken",
    most: int = MOST_PAGES,
    **asked: Any,
) -> list[dict[str, Any]]:
    """Every page of an answer, in order; the token comes in `response_key` and goes back as `request_key`.

    Raises Unseen: for a page that cannot be had, and as PARTIAL where there are more than `most`: half a list looks like a list.
    """
    found: list[dict[str, Any]] = []
    token: dict[str, Any] = {}
    for _ in range(most):
        page = await clients.aws(service, operation, **asked, **token)
        found.append(page)
        if not page.get(response_key):
            return found
        token = {request_key: page[response_key]}
    detail = f"{service} {operation}: more than {most} pages"
    raise Unseen(Unknown(Reason.PARTIAL, detail, "narrow the probe's parameters in the plan"))


def request_id(answer: Mapping[str, Any]) -> str:
    """AWS's name for the request, which its support asks for; empty where it gave none."""
    return str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
