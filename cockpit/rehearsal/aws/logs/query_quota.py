"""The account's quota of log queries a second, which other users of the account share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws_profile import AwsProfile


class QueryQuota:
    """Counts the calls of each operation in each second of the world's time."""

    def __init__(self, now: Callable[[], datetime], profile: AwsProfile) -> None:
        self._now = now
        self._profile = profile
        self._second = 0
        self._calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.refused = 0

    def take(self, operation: str) -> None:
        """Raises AwsError (ThrottlingException) where this second's calls are used up."""
        if not self._profile.query_quota:
            return
        second = int(self._now().timestamp())
        with self._lock:
            if second != self._second:
                self._second, self._calls = second, Counter()
            self._calls[operation] += 1
            if self._calls[operation] > self._profile.query_quota - self._profile.taken_by_others(second):
                self.refused += 1
                raise AwsError("ThrottlingException", "Rate exceeded")
