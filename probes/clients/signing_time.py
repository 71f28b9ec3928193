"""Requests to AWS signed with the true time: it refuses what is dated more than five minutes off."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from probes.clients.clock_offset import ClockOffset

REFUSALS = frozenset(
    {"RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure"}
)
"""What AWS says, before it does anything, to a request whose time is off: not all of them say so."""
REFUSED_FROM_S = 60.0
"""An offset this large may have been why; the services allow a few minutes."""


_signed_by: list[ClockOffset] = []
"""The newest is in use."""


def sign_by(offset: ClockOffset) -> None:
    """Have every AWS client of this process sign with this machine's clock put right."""
    _signed_by.append(offset)
    if "botocore.auth" in sys.modules:
        correct_signing()


def correct_signing() -> None:
    """Before anything is signed: botocore, which takes long to load, is corrected once it is needed. It offers no other way."""
    if not _signed_by:
        return
    import botocore.auth

    def corrected(remove_tzinfo: bool = True) -> datetime:
        now = datetime.fromtimestamp(_signed_by[-1].now(), UTC)
        return now.replace(tzinfo=None) if remove_tzinfo else now

    vars(botocore.auth)["get_current_datetime"] = corrected
