"""Tailscale on this machine: is it up, and is what must be private really out of reach without it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import StringConstraints

from probes.clients.child_process import ask_program
from probes.clients.http import HttpAnswer, place_of
from probes.clients.web_address import OptionalAddress
from probes.demand import Runs, Sends
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, sorted_out

_NO_DAEMON = re.compile(r"failed to connect to local tailscaled|is (?:it|tailscaled?) running", re.IGNORECASE)
_HINT = "install Tailscale's command line, or give its path as `program`"
_STATUS = ("running", "backend_state", "online", "peers_online", "dns_name")


class TailscaleParams(Params):
    program: Annotated[str, StringConstraints(min_length=1)] = "tailscale"
    """On macOS: /Applications/Tailscale.app/Contents/MacOS/Tailscale."""
    must_not_reach: OptionalAddress = ""
    """An address that must not answer from here: the public one of what should be private."""
    timeout: Duration = timedelta(seconds=5)
    """How long the program, and the request, may take."""


class TailscaleStatus(Probe[TailscaleParams]):
    """Whether this machine is on the tailnet, by `tailscale status --json`.

    Reads BackendState, Self.Online, Self.DNSName and Peer[].Online. A daemon that is not running is an answer; a missing
    program is not. `reached` tries `must_not_reach` with one GET: any answer reaches it; refused or silent counts as not
    reached only while the tailnet is up here, because a machine without any network reaches nothing. Needs no
    permission.
    """

    name = "tailscale.status"
    params_type = TailscaleParams
    demands = (Runs("program"), Sends("must_not_reach", ("must_not_reach",)))
    subjects = ("tailscale", "tailnet")
    cannot_see = "by which route another address was reached, and what other machines can reach"
    late = "seconds: the daemon's own view of its peers"
    fields = (
        Field("running", bool, "BackendState is Running", example=True),
        Field("backend_state", str, "Running, Stopped, NeedsLogin, Starting, NoState ...", "Running"),
        Field("online", bool, "the coordination server sees this machine", example=True),
        Field("peers_online", int, "other machines of the tailnet that are online", 7, "count", low=0),
        Field("dns_name", str, "this machine's name on the tailnet", "laptop.tail1234.ts.net"),
        Field("reached", bool, "must_not_reach answers from here", example=False),
    )
    interval = timedelta(seconds=60)

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        query = f"{asked.program} status --json"
        if asked.must_not_reach:
            query += f"; GET {place_of(asked.must_not_reach)}"
        (fields, lines), reached = await asyncio.gather(self._status(), self._reached())
        if reached is False and fields["running"] is not True:
            offline = "not reached, but the tailnet is not up here either"
            reached = Unknown(Reason.NO_DATA, offline, "start Tailscale, then read again")
        values, unknown = sorted_out(fields | {"reached": reached})
        return self.reading(now, values, unknown=unknown, evidence=Evidence(query, lines=lines))

    async def _status(self) -> tuple[dict[str, FieldValue], tuple[str, ...]]:
        asked = self.params
        try:
            answer = await ask_program(
                [asked.program, "status", "--json"], timeout_s=asked.timeout.total_seconds(), hint=_HINT
            )
        except Unseen as unseen:
            return dict.fromkeys(_STATUS, unseen.unknown), ()
        lines = tuple(one_line(line[:1000], 200) for line in answer.err.splitlines()[:4] if line.strip())
        held = _json(answer.out)
        if isinstance(held, dict) and isinstance(held.get("BackendState"), str):
            health = held.get("Health")
            lines += tuple(one_line(str(each), 200) for each in health[:4]) if isinstance(health, list) else ()
            return _values(held), lines
        if answer.code and _NO_DAEMON.search(answer.err):
            down = Unknown(Reason.NO_DATA, "Tailscale's daemon is not running", "start Tailscale")
            return dict.fromkeys(_STATUS, down) | {"running": False}, lines
        detail = one_line(f"{asked.program} ended with {answer.code}: {answer.err[:500] or 'no JSON'}", 200)
        broken = Unknown(Reason.ERROR, detail, f"run it by hand: {asked.program} status --json")
        return dict.fromkeys(_STATUS, broken), lines

    async def _reached(self) -> bool | Unknown:
        asked = self.params
        if not asked.must_not_reach:
            return Unknown(Reason.NO_DATA, "the plan gives no must_not_reach", "set it to the public address")
        try:
            answer: HttpAnswer = await self.clients.http(
                "GET", asked.must_not_reach, timeout_s=asked.timeout.total_seconds()
            )
        except Unseen as unseen:
            unknown = unseen.unknown
            silent = unknown.reason is Reason.TIMEOUT or "connection refused" in unknown.detail
            return False if silent else unknown
        return answer.status > 0


def _values(held: Mapping[str, Any]) -> dict[str, FieldValue]:
    running = held["BackendState"] == "Running"
    me = held.get("Self")
    me = me if isinstance(me, dict) else {}
    online, name, peers = me.get("Online"), me.get("DNSName"), held.get("Peer")
    absent = Unknown(Reason.NO_DATA, f"Tailscale is {held['BackendState']}", "bring it up with: tailscale up")
    unsaid = Unknown(Reason.NO_DATA, "Tailscale did not say") if running else absent
    counted = sum(peer.get("Online") is True for peer in peers.values()) if isinstance(peers, dict) else 0
    return {
        "running": running,
        "backend_state": held["BackendState"],
        "online": online if running and isinstance(online, bool) else unsaid,
        "peers_online": counted if running and "Peer" in held else unsaid,
        "dns_name": one_line(name, 200).rstrip(".") if isinstance(name, str) and name else unsaid,
    }


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
