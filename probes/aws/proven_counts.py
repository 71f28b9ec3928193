"""Whether a count that has no point may be taken for zero: only if it is known to exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from probes.aws.metric_names import is_published
from probes.clients.clients import Clients
from probes.clients.metrics import MetricQuery
from probes.clients.paging import pages
from probes.reading import Reason, Unknown, Unseen


class ProvenCounts:
    """Counts known to exist: by the table of what AWS publishes, by a point, or by CloudWatch's own list."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._proven: set[MetricQuery] = set()

    async def missing(self, counts: Iterable[MetricQuery], seen: Mapping[MetricQuery, bool]) -> Unknown | None:
        """Why one of `counts` may not be taken for zero where it has no point; `seen`: whether it has one now.

        A count that nobody has ever seen looks just like a misspelt one.
        """
        for query in counts:
            if query in self._proven:
                continue
            if not (seen[query] or is_published(query.namespace, query.metric, (name for name, _ in query.dimensions))):
                why = await self._not_listed(query)
                if why is not None:
                    return why
            self._proven.add(query)
        return None

    async def _not_listed(self, query: MetricQuery) -> Unknown | None:
        """Why CloudWatch does not show that there is such a series; None where it does."""
        named = [{"Name": name, "Value": value} for name, value in query.dimensions]
        try:
            found = await pages(
                self._clients,
                "cloudwatch",
                "list_metrics",
                Namespace=query.namespace,
                MetricName=query.metric,
                Dimensions=named,
            )
        except Unseen as unseen:
            return unseen.unknown
        wanted = sorted(query.dimensions)
        for metric in (metric for page in found for metric in page.get("Metrics") or ()):
            if sorted((d.get("Name"), d.get("Value")) for d in metric.get("Dimensions") or ()) == wanted:
                return None
        detail = f"{query.namespace} has shown no {query.metric} with these dimensions in the last two weeks"
        hint = "check its name and dimensions; if it is right and has never happened, have it publish a 0 once"
        return Unknown(Reason.NO_DATA, detail, hint)
