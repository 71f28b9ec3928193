"""Links into the AWS console, so that a person can look at the same thing. Empty where the region is not known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from probes.clients.arns import console

if TYPE_CHECKING:
    from probes.clients.metrics import MetricQuery


def metrics_url(region: str, queries: Sequence[MetricQuery]) -> str:
    """The console's graph of these metrics over the last hour."""
    if not region:
        return ""
    graphs = "".join(_graph(query) for query in queries)
    period = queries[0].period_s if queries else 60
    tail = f"~view~'timeSeries~region~'{region}~start~'-PT1H~end~'P0D~period~{period}"
    return f"{_home(region)}#metricsV2:graph=~(metrics~({graphs}){tail})"


def alarm_url(region: str, name: str = "") -> str:
    """One alarm, or the list of them."""
    if not region:
        return ""
    return f"{_home(region)}#alarmsV2:" + (f"alarm/{quote(name, safe='')}" if name else "")


def log_group_url(region: str, log_group: str) -> str:
    """A log group's page, from which Logs Insights is one step."""
    if not region:
        return ""
    # The console escapes the name twice, and writes % as $25.
    escaped = quote(quote(log_group, safe=""), safe="").replace("%", "$")
    return f"{_home(region)}#logsV2:log-groups/log-group/{escaped}"


def _home(region: str) -> str:
    return console(region, f"cloudwatch/home?region={region}")


def _graph(query: MetricQuery) -> str:
    words = [query.namespace, query.metric, *(part for pair in query.dimensions for part in pair)]
    return "~(" + "".join(f"~'{_starred(word)}" for word in words) + f"~(stat~'{_starred(query.stat)}))"


def _starred(word: str) -> str:
    """The console's own escape: `/` becomes *2f."""
    return re.sub(r"[^A-Za-z0-9_.-]", lambda match: "".join(f"*{byte:02x}" for byte in match.group().encode()), word)
