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
    keys = {"request_key": request_key, "response_key": response_key}
    found, missing = await first_pages(clients, service, operation, most=most, **keys, **asked)
    if missing is not None:
        raise Unseen(missing)
    return found


async def first_pages(
    clients: Clients, service: str, operation: str, /, *, request_key: str, response_key: str, most: int, **asked: Any
) -> tuple[list[dict[str, Any]], Unknown | None]:
    """At most so many pages, and as PARTIAL what is missing where there are more. Raises Unseen for one that cannot be had."""
    found: list[dict[str, Any]] = []
    token: dict[str, Any] = {}
    for _ in range(most):
        page = await clients.aws(service, operation, **asked, **token)
        found.append(page)
        if not page.get(response_key):
            return found, None
        token = {request_key: page[response_key]}
    detail = f"{service} {operation}: more than {most} pages"
    return found, Unknown(Reason.PARTIAL, detail, "narrow the probe's parameters in the plan")


def needed(answer: Mapping[str, Any], key: str, what: str) -> str:
    """A name in an answer without which nothing more can be asked. Raises Unseen where AWS leaves it out."""
    if not answer.get(key):
        raise Unseen(Unknown(Reason.NO_DATA, f"AWS answered without the {key} of {what}", "it is asked again"))
    return str(answer[key])


def request_id(answer: Mapping[str, Any]) -> str:
    """AWS's name for the request, which its support asks for; empty where it gave none."""
    return str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
