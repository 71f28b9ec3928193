"""What vendors say of themselves: Statuspage sites, and Google's dashboard."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import Field as Setting

from probes.clients.http import HttpAnswer, place_of
from probes.clients.web_address import BaseAddress
from probes.demand import Sends
from probes.frozen import frozen
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, every, sorted_out

MOST_BYTES = 16 * 1024 * 1024
"""Google's list holds years of incidents."""
AHEAD = timedelta(minutes=5)
"""A page further in the future than this shows that one of the two clocks is wrong."""
_IMPACTS = ("SERVICE_INFORMATION", "SERVICE_DISRUPTION", "SERVICE_OUTAGE")
_CLOSED = ("resolved", "postmortem", "completed")
_NONE = Unknown(Reason.NO_DATA, "there is none")


class StatusPageParams(Params):
    url: BaseAddress
    """https://status.anthropic.com, or https://www.google.com/appsstatus/dashboard with kind: google."""
    kind: Literal["statuspage", "google"] = "statuspage"
    """Whose form the page has: Statuspage's, or Google's dashboard."""
    components: list[str] = Setting(default_factory=list, max_length=30)
    """The components, or Google's products, that matter here, as the page spells them; without any, all of them."""
    timeout: Duration = timedelta(seconds=8)
    """How long the request may take."""


@frozen
class _Page:
    """A status page, whoever made it. `parts` are component -> state in the page's words, None where all is well."""

    indicator: str
    parts: Mapping[str, str | None]
    incidents: Sequence[str]
    updated: datetime | None


class StatusPage(Probe[StatusPageParams]):
    """What a vendor's status page says now.

    Reads, of a Statuspage site, /api/v2/summary.json: status.indicator, components[].status, the unresolved incidents,
    page.updated_at. Of Google's dashboard, /incidents.json: incidents without an end, by affected product; `indicator`
    is then the worst of their status_impact. A component named in the plan that the page does not know leaves open
    whether it is well (Google's page knows a product from its past incidents). Needs no permission.
    """

    name = "status.page"
    params_type = StatusPageParams
    demands = (Sends("url", ("url",)),)
    subjects = ("status page", "statuspage")
    cannot_see = "what the vendor has not noticed or not admitted: a good page proves nothing"
    late = "many minutes: people write it"
    fields = (
        Field("operational", bool, "nothing that matters here is degraded", example=True),
        Field("indicator", str, "none, minor, major or critical; of Google's: none or an impact", "none"),
        Field("degraded", int, "components that matter and are not operational", 0, "count", low=0),
        Field("degraded_names", tuple, "those, as the page spells them", ("api.anthropic.com",)),
        Field(
            "incidents_open", int, "incidents that are not resolved; of Google's, of what matters", 0, "count", low=0
        ),
        Field("page_age_s", float, "since the page was last changed: days, when nothing happens", 5400.0, "s", low=0),
    )
    interval = timedelta(seconds=120)

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        google = asked.kind == "google"
        url = f"{asked.url}/incidents.json" if google else f"{asked.url}/api/v2/summary.json"
        evidence = Evidence(f"GET {place_of(url)}", console_url=place_of(asked.url))
        try:
            answer: HttpAnswer = await self.clients.http(
                "GET", url, timeout_s=asked.timeout.total_seconds(), follow_redirects=True, most_bytes=MOST_BYTES
            )
            page = _google(_held_in(answer, list), asked.components) if google else _statuspage(_held_in(answer, dict))
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, evidence)
        fields = _values(page, asked.components, now)
        values, unknown = sorted_out(fields)
        lines = tuple(one_line(f"open: {title}") for title in page.incidents[:8])
        return self.reading(
            now, values, unknown=unknown, evidence=Evidence(evidence.query, "", evidence.console_url, lines)
        )


def _held_in(answer: HttpAnswer, kind: type) -> Any:
    """The page's JSON. Raises Unseen where it is none: a page about a page proves nothing."""
    place = place_of(answer.url)
    if answer.status == 429:
        raise Unseen(Unknown(Reason.THROTTLED, f"{place} answered 429", "it is asked again"))
    if answer.status != 200:
        reason = Reason.NOT_FOUND if answer.status == 404 else Reason.ERROR
        raise Unseen(Unknown(reason, f"{place} answered {answer.status}", "open the page in a browser"))
    if answer.truncated:
        raise Unseen(Unknown(Reason.PARTIAL, f"{place} is longer than is read", "open the page in a browser"))
    try:
        held = json.loads(answer.text)
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, kind):
        detail = f"{place} answers with something else than a status page's JSON"
        raise Unseen(Unknown(Reason.ERROR, detail, "check url and kind"))
    return held


def _statuspage(held: Mapping[str, Any]) -> _Page:
    try:
        parts = {
            str(part["name"]): None if part["status"] == "operational" else str(part["status"])
            for part in held["components"]
        }
        open_ones = [each for each in held["incidents"] if each.get("status") not in _CLOSED]
        indicator = str(held["status"]["indicator"])
        updated = _moment(held.get("page", {}).get("updated_at"))
        titles = [f"{each.get('name')} ({each.get('status')}, {each.get('impact')})" for each in open_ones]
    except (KeyError, TypeError, AttributeError):
        detail = "the page's JSON is not of Statuspage's shape"
        raise Unseen(Unknown(Reason.ERROR, detail, "check url and kind")) from None
    return _Page(indicator, parts, titles, updated)


def _google(held: Sequence[Any], wanted: Sequence[str]) -> _Page:
    if not held:
        raise Unseen(
            Unknown(Reason.NO_DATA, "the list of incidents is empty, although it covers years", "check url and kind")
        )
    parts: dict[str, str | None] = {}
    found: list[tuple[str, str]] = []
    try:
        for incident in held:
            products = _products(incident)
            ended = bool(incident.get("end"))
            impact = str(incident.get("status_impact") or "")
            for product in products:
                parts[product] = parts.get(product) if ended else impact.lower() or "incident"
            if not ended and _matters(products, wanted):
                title = str(incident.get("external_desc") or "")
                found.append((impact, f"{', '.join(products)}: {title[:200]} ({impact})"))
        dates = [_moment(incident.get("modified") or incident.get("begin")) for incident in held]
    except (KeyError, TypeError, AttributeError):
        detail = "the list's JSON is not of the shape of Google's dashboard"
        raise Unseen(Unknown(Reason.ERROR, detail, "check url and kind")) from None
    worst = max((impact for impact, _ in found), key=_weight, default="")
    indicator = (worst.lower() or "incident") if found else "none"
    return _Page(indicator, parts, [title for _, title in found], max((at for at in dates if at), default=None))


def _weight(impact: str) -> int:
    return _IMPACTS.index(impact) if impact in _IMPACTS else len(_IMPACTS)


def _products(incident: Mapping[str, Any]) -> list[str]:
    affected = [str(product["title"]) for product in incident.get("affected_products") or []]
    return affected or [str(incident["service_name"])]


def _matters(products: Sequence[str], wanted: Sequence[str]) -> bool:
    names = {name.casefold() for name in wanted}
    return not names or any(product.casefold() in names for product in products)


def _values(page: _Page, wanted: Sequence[str], now: datetime) -> dict[str, FieldValue]:
    known = {name.casefold() for name in page.parts}
    strange = [name for name in wanted if name.casefold() not in known]
    missing = Unknown(
        Reason.NOT_FOUND, f"the page knows no {', '.join(strange)}", "use the spelling of the status page"
    )
    bad = tuple(name for name, state in page.parts.items() if state is not None and _matters([name], wanted))
    calm = not bad if wanted else not bad and page.indicator == "none"
    return {
        "operational": every(calm, *([missing] if strange else [])),
        "indicator": page.indicator,
        "degraded": missing if strange else len(bad),
        "degraded_names": bad or (missing if strange else _NONE),
        "incidents_open": len(page.incidents),
        "page_age_s": _age(page.updated, now),
    }


def _age(updated: datetime | None, now: datetime) -> float | Unknown:
    if updated is None:
        return Unknown(Reason.NO_DATA, "the page does not say when it was changed")
    if updated > now + AHEAD:
        return Unknown(Reason.ERROR, "the page was changed in the future", "compare this machine's clock")
    return max((now - updated).total_seconds(), 0.0)


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
