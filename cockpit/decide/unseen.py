"""Trips of a trigger for not having been seen, where the plan wants that to roll back (`on_unknown: rollback`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cockpit.decide.limits import ZERO, Limits
from cockpit.decide.readings import after_watching
from cockpit.decide.state_machine import MachineState, Sample, Trip
from cockpit.plan.model import Criterion, OnUnknown, Severity
from probes.frozen import frozen

Gaps = Sequence[tuple[datetime, datetime]]
"""When the cockpit was not watching, oldest first."""


@frozen
class UnseenLimit:
    """Of one criterion, judged from `begins` on: for how long it may not be seen."""

    criterion: Criterion
    limits: Limits
    begins: datetime

    def trips_at(self, seen_at: datetime, fresh: timedelta, gaps: Gaps) -> datetime | None:
        """When it trips if it is not seen from `seen_at` on; None where it never does for that.

        `fresh`: how old data may be to count, with what was measured of its lateness. Its limit is never shorter than what it
        takes to call data stale, and time without watching does not count.
        """
        criterion = self.criterion
        if criterion.on_unknown is not OnUnknown.ROLLBACK or criterion.severity is not Severity.CRITICAL:
            return None
        limit = max(criterion.unknown_limit or ZERO, self.limits.blind, fresh)
        return after_watching(limit, seen_at, gaps)

    def noted(self, before: MachineState | None, reached: MachineState, sample: Sample, gaps: Gaps) -> MachineState:
        """The state after a sample, with the trip for not having been seen before it. Samples come by the time of their data."""
        if before is not None and sample.observed_at <= before.observed_at:
            return self._without_what_was_seen(reached, sample, gaps)
        last: MachineState | Sample = before or sample
        seen_at = before.data_at if before else self.begins
        since = self.trips_at(seen_at, last.fresh_until - last.data_at, gaps)
        if since is None or since >= sample.observed_at:
            return reached
        unseen = before.observed_at if before else self.begins
        trip = Trip(since, sample.observed_at, sample.observed_at, unseen=unseen)
        return replace(reached, trips=(*reached.trips, trip))

    def _without_what_was_seen(self, reached: MachineState, sample: Sample, gaps: Gaps) -> MachineState:
        """The state without the trips at a moment at which this sample was known and counted.

        The one before it came later: a metric tells late of a time after which a live probe had been seen again long since.
        """
        counts_until = self.trips_at(sample.data_at, sample.fresh_until - sample.data_at, gaps)
        if counts_until is None:
            return reached
        seen = [trip for trip in reached.trips if trip.unseen and sample.observed_at <= trip.since < counts_until]
        return replace(reached, trips=tuple(trip for trip in reached.trips if trip not in seen))
