"""Where notices go: what Slack and PagerDuty expect. Addresses and keys come from the environment and are never shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from cockpit.decide.events import LAST_SAFE_MOMENT
from cockpit.decide.states import RollbackFit, Word
from cockpit.plan.model import VERDICT
from probes.frozen import frozen
from probes.known_secrets import remember
from probes.redact import one_line

SLACK_ADDRESS, PAGERDUTY_KEY, PAGERDUTY_ADDRESS = (
    "COCKPIT_SLACK_WEBHOOK",
    "COCKPIT_PAGERDUTY_KEY",
    "COCKPIT_PAGERDUTY_URL",
)
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
REHEARSAL = "REHEARSAL, nothing of this is real"
_CALLING = tuple(word for word in Word if word.calls_for_decision)
_OVER = (Word.GO, Word.ROLLED_BACK)
_NEARER: Mapping[str, str] = {
    RollbackFit.SOON: "warning",
    RollbackFit.LAST: "critical",
    RollbackFit.TOO_LATE: "critical",
}
"""How the last safe moment comes nearer, and how urgent that is to PagerDuty."""


class CannotNotify(Exception):  # noqa: N818 - what keeps it from beginning
    """A channel cannot be used; the message says what it lacks, never what it holds."""


@frozen
class Notice:
    """One notification."""

    at: datetime
    plan: str
    environment: str
    record: str
    subject: str
    """"verdict", "last safe moment", "migration", or the title of a gate."""
    before: str
    after: str
    label: str
    """`after` as it is shown: "GO (2 waivers)"."""
    because: str
    rehearsal: bool = False
    actions: tuple[str, ...] = ()
    """What there is to do now, a line for each person who has something to do."""

    @property
    def nearer(self) -> bool:
        """Whether it is of the last safe moment, which comes nearer."""
        return self.subject == LAST_SAFE_MOMENT and self.after in _NEARER

    @property
    def next(self) -> str:
        """`next: primary (on-call): decide: roll back or fix forward`; empty where nobody has anything to do."""
        return one_line(f"next: {'; '.join(self.actions)}", 500) if self.actions else ""

    @property
    def line(self) -> str:
        """What happened, on one line, without secrets."""
        where = f"{self.plan} ({self.environment})" if self.environment else self.plan
        what = f"{self.before} -> {self.label}" if self.subject == VERDICT else f"{self.subject}: {self.label}"
        drill = f"{REHEARSAL}: " if self.rehearsal else ""
        return one_line(f"{drill}{where} {what}", 300)

    @property
    def reason(self) -> str:
        return one_line(self.because, 500)


class Channel(Protocol):
    """One place notices go to."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    def wants(self, notice: Notice, /) -> bool:
        """Whether this channel sends it."""
        ...

    def body(self, notice: Notice, head: str) -> str:
        """What to post, as JSON. `head` is the journal's, empty where it is not being written."""
        ...


@frozen
class Slack:
    """An incoming webhook."""

    url: str = field(repr=False)
    name: str = "slack"

    def wants(self, notice: Notice) -> bool:
        return notice.subject != LAST_SAFE_MOMENT or notice.nearer

    def body(self, notice: Notice, head: str) -> str:
        lines = [f"*{_plain(notice.line)}*", f"{notice.at:%Y-%m-%d %H:%M:%S} UTC"]
        lines += [_plain(notice.reason)] if notice.because else []
        lines += [_plain(notice.next)] if notice.next else []
        lines.append(
            f"record {_plain(one_line(notice.record))}, head `{head}`" if head else "the record is NOT being written"
        )
        return json.dumps({"text": "\n".join(lines)})


@frozen
class PagerDuty:
    """Events API v2: ROLLBACK and FIX FORWARD page, GO and ROLLED BACK resolve. One incident a record.

    The last safe moment has an incident of its own, so that a ROLLBACK after it pages: it warns 30 minutes before, pages 10
    minutes before, and is resolved where the moment is no longer near: the rollback has begun, or only forward is left.
    """

    url: str
    key: str = field(repr=False)
    name: str = "pagerduty"

    def wants(self, notice: Notice) -> bool:
        if notice.subject == LAST_SAFE_MOMENT:
            return notice.nearer or notice.before in _NEARER
        return notice.subject == VERDICT and notice.after in (*_CALLING, *_OVER)

    def body(self, notice: Notice, head: str) -> str:
        of_moment = notice.subject == LAST_SAFE_MOMENT
        incident = f"{one_line(notice.record, 200)} {LAST_SAFE_MOMENT}" if of_moment else one_line(notice.record, 255)
        event = {"routing_key": self.key, "dedup_key": incident}
        if notice.after in _OVER or (of_moment and not notice.nearer):
            return json.dumps(event | {"event_action": "resolve"})
        payload = {
            "summary": notice.line,
            "source": one_line(notice.record),
            "severity": "info" if notice.rehearsal else _NEARER.get(notice.after, "critical"),
            "timestamp": notice.at.isoformat(),
            "custom_details": {
                "because": notice.reason,
                "next": notice.next,
                "head": head,
                "rehearsal": notice.rehearsal,
            },
        }
        return json.dumps(event | {"event_action": "trigger", "payload": payload})


def channels(names: Sequence[str], environ: Mapping[str, str]) -> tuple[Channel, ...]:
    """The channels asked for, each once. Raises CannotNotify for one that lacks its address or key."""
    found: list[Channel] = []
    for name in dict.fromkeys(names):
        if name == "slack":
            address = _address(SLACK_ADDRESS, environ.get(SLACK_ADDRESS, ""))
            remember(address)
            found.append(Slack(address))
        elif name == "pagerduty":
            if not (key := environ.get(PAGERDUTY_KEY, "").strip()):
                raise CannotNotify(f"--notify pagerduty: {PAGERDUTY_KEY} is not set")
            remember(key)
            address = environ.get(PAGERDUTY_ADDRESS) or PAGERDUTY
            found.append(PagerDuty(_address(PAGERDUTY_ADDRESS, address), key))
        else:
            raise CannotNotify(f"--notify {name}: slack or pagerduty")
    return tuple(found)


def _address(name: str, url: str) -> str:
    url = url.strip()
    if not url:
        raise CannotNotify(f"--notify: {name} is not set")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise CannotNotify(f"--notify: {name} does not hold a web address")
    return url


def _plain(text: str) -> str:
    """Text without mentions or links.

    >>> _plain("<!channel> & *you*")
    '&lt;!channel&gt; &amp; \u2217you\u2217'
    """
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("*", "\u2217").replace("`", "'")
