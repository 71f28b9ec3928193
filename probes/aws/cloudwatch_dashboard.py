"""CloudWatch dashboards: whether one is there, and shows what the plan is about."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field as Setting

from probes.aws.dashboard_graphs import Graphed, choices, graphed, properties_of, with_defaults
from probes.clients.arns import arn, console
from probes.clients.paging import request_id
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line


class DashboardParams(Params):
    dashboard: str
    """Name of the dashboard."""
    resources: list[str] = Setting(default_factory=list)
    """Names that its graphs must name: a cluster, a database, `app/web/0123456789abcdef`."""


class CloudWatchDashboard(Probe[DashboardParams]):
    """A dashboard: does it exist, and do its graphs name these resources and not those of long ago.

    Reads cloudwatch GetDashboard: DashboardBody, of which every widget's properties are searched for whole names, except titles,
    labels and text. Variables are taken at their defaults, as the dashboard opens; a name that somebody must choose first is
    missing. So is one that only hidden metrics name, where no visible expression reads them, and one of another account than
    `target.account`.
    """

    name = "cloudwatch.dashboard"
    params_type = DashboardParams
    demands = AWS_ALONE
    subjects = ("dashboard",)
    cannot_see = "whether a graph has data, and whether anybody looks at it"
    late = "seconds: CloudWatch answers as it is when read"
    fields = (
        Field("exists", bool, "there is a dashboard of this name", example=True),
        Field("widgets", int, "widgets on it", 5, "count", low=0),
        Field("names_missing_count", int, "`resources` that no graph names", 0, "count", low=0),
        Field("names_missing", tuple, "those names", ("transparent-trust-db-prod",)),
        Field("widgets_elsewhere", int, "widgets that show another region or account", 0, "count", low=0),
    )
    iam = ("cloudwatch:GetDashboard",)
    interval = timedelta(minutes=5)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        return {self.iam[0]: (arn(self.clients.options, "cloudwatch", f"dashboard/{self.params.dashboard}"),)}

    async def read(self, now: datetime) -> Reading:
        query = f"cloudwatch get-dashboard --dashboard-name {self.params.dashboard}"
        try:
            answer = await self.clients.aws("cloudwatch", "get_dashboard", DashboardName=self.params.dashboard)
        except Unseen as unseen:
            if unseen.unknown.reason is not Reason.NOT_FOUND:
                return self.blind(now, unseen.unknown, Evidence(query))
            others = {field.name: unseen.unknown for field in self.fields if field.name != "exists"}
            return self.reading(now, {"exists": False}, unknown=others, evidence=Evidence(query))
        widgets, variables = _widgets(answer.get("DashboardBody"))
        evidence = Evidence(query, request_id(answer), self._url())
        if isinstance(widgets, Unknown):
            others = {field.name: widgets for field in self.fields if field.name != "exists"}
            return self.reading(now, {"exists": True}, unknown=others, evidence=evidence)
        values, unknown = self._values(with_defaults(widgets, variables))
        lines = tuple(_line(widget) for widget in widgets[:8])
        for name in values["names_missing"]:
            chosen = next((variable for variable, value in choices(variables) if _names(value, name)), None)
            if chosen is not None:
                lines = (one_line(f"{name} shows once the variable {chosen} is set to it"), *lines)
        evidence = Evidence(query, evidence.request_id, evidence.console_url, lines)
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    def _values(self, widgets: list[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Unknown]]:
        region = self.clients.options.region
        shown = [list(graphed(widget)) for widget in widgets]
        texts = [each.text for one in shown for each in one if not self._is_of_another_account(each)]
        missing = tuple(name for name in self.params.resources if not any(_names(text, name) for text in texts))
        unknown: dict[str, Unknown] = {}
        if not self.params.resources:
            none = Unknown(Reason.NO_DATA, "the plan gives no resources", "set them in the plan")
            unknown |= dict.fromkeys(("names_missing_count", "names_missing"), none)
        elif not missing:
            unknown["names_missing"] = Unknown(Reason.NO_DATA, "none is missing")
        if not region:
            unknown["widgets_elsewhere"] = Unknown(Reason.NO_DATA, "the plan names no region", "set target.region")
        return {
            "exists": True,
            "widgets": len(widgets),
            "names_missing_count": len(missing),
            "names_missing": missing,
            "widgets_elsewhere": sum(any(self._is_elsewhere(each) for each in one) for one in shown),
        }, unknown

    def _is_of_another_account(self, each: Graphed) -> bool:
        return bool(each.account and self.clients.options.account) and each.account != self.clients.options.account

    def _is_elsewhere(self, each: Graphed) -> bool:
        return self._is_of_another_account(each) or bool(each.region and each.region != self.clients.options.region)

    def _url(self) -> str:
        region = self.clients.options.region
        return console(region, f"cloudwatch/home?region={region}#dashboards/dashboard/{self.params.dashboard}")


def _widgets(body: Any) -> tuple[list[Mapping[str, Any]] | Unknown, Any]:
    """Its widgets, and its variables."""
    try:
        held = json.loads(body)
        widgets = held["widgets"]
    except (TypeError, ValueError, KeyError, RecursionError):
        return Unknown(Reason.NO_DATA, "DashboardBody holds no widgets", "open the dashboard and save it again"), None
    kept = isinstance(widgets, list) and all(isinstance(widget, dict) for widget in widgets)
    return widgets if kept else Unknown(Reason.NO_DATA, "DashboardBody has an unexpected shape"), held.get("variables")


def _names(text: str, name: str) -> bool:
    """Whether a text has a name as a whole: `web` is not in `web-old`."""
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def _line(widget: Mapping[str, Any]) -> str:
    title = properties_of(widget).get("title") or "untitled"
    return one_line(f"{widget.get('type', '?')}: {title}", 100)
