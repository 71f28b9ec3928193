"""What a rehearsal puts on the operator's machine: the repository's checkout, Tailscale's command line, and settings."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from cockpit.rehearsal.certificates import Authority, Certificate
from cockpit.rehearsal.database.seed import MIGRATIONS
from cockpit.rehearsal.site.vendors import PREFIX, UPSTASH_TOKEN
from probes.frozen import frozen

HOME = "127.0.0.1"
_EXAMPLE = Path(__file__).parent.parent / "prisma" / "env.example"
_HOURS_BEFORE, _HOURS_AFTER = 1, 12
_SINCE = timedelta(days=4)
SLACK_WEBHOOK = "https://hooks.slack.com/services/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"
"""Of a webhook's form, and nobody's: a rehearsal posts nothing."""


@frozen
class OperatorMachine:
    """Files of the operator's machine, below the rehearsal's folder."""

    folder: Path

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def authority(self) -> Path:
        """The certificates this machine trusts for the site."""
        return self.folder / "authority.pem"

    @property
    def tailnet(self) -> Path:
        """What `tailscale status --json` prints."""
        return self.folder / "tailnet.json"

    def prepare(self, authority: Authority) -> None:
        """Check the repository out, trust the authority, and join the tailnet."""
        shutil.copytree(MIGRATIONS, self.repository / "prisma" / "migrations")
        shutil.copyfile(_EXAMPLE, self.repository / ".env.example")
        self.authority.write_bytes(authority.pem)
        self.set_tailnet(online=True)
        program = self.folder / "tailscale"
        program.write_text(f"#!/bin/sh\nexec cat {shlex.quote(str(self.tailnet))}\n")
        program.chmod(0o700)

    def set_tailnet(self, *, online: bool) -> None:
        """Bring this machine onto the tailnet, or take it off."""
        me = {"DNSName": "laptop.tail4711.ts.net.", "Online": online}
        peers = {"nodekey:a": {"DNSName": "router.tail4711.ts.net.", "Online": True}} if online else {}
        status = {"BackendState": "Running" if online else "Stopped", "Self": me, "Peer": peers}
        self.tailnet.write_text(json.dumps(status))

    def keep(self, certificate: Certificate) -> tuple[Path, Path]:
        """Files of the site's certificate and its key, for whoever serves it."""
        files = self.folder / "site.pem", self.folder / "site.key"
        for file, held in zip(files, (certificate.pem, certificate.key), strict=True):
            file.write_bytes(held)
            file.chmod(0o600)
        return files

    def vars(self, url: str, tls_port: int, now: datetime) -> Mapping[str, str]:
        """Overrides for the plan: addresses of this world instead of those outside. The window has begun an hour ago."""
        vendors = url + PREFIX
        begins, ends = now - timedelta(hours=_HOURS_BEFORE), now + timedelta(hours=_HOURS_AFTER)
        return {
            "repository": str(self.repository),
            "tailscale": str(self.folder / "tailscale"),
            "tls_host": HOME,
            "tls_port": str(tls_port),
            "tls_ca": str(self.authority),
            "anthropic_api": f"{vendors}/anthropic",
            "anthropic_status": f"{vendors}/status/anthropic",
            "upstash_status": f"{vendors}/status/upstash",
            "google_status": f"{vendors}/status/google",
            "off_hours_from": f"{begins:%H:%M}",
            "off_hours_to": f"{ends:%H:%M}",
            "cutover_from": f"{begins:%H:%M}",
            "cutover_to": f"{ends:%H:%M}",
            "time_zone": "UTC",
            "write_probe": "true",
            "since": (now - _SINCE).isoformat(),
        }

    def environment(self, url: str) -> Mapping[str, str]:
        """What the operator has exported."""
        return {
            "UPSTASH_REDIS_REST_URL": f"{url}{PREFIX}/upstash",
            "UPSTASH_REDIS_REST_TOKEN": UPSTASH_TOKEN,
            "SLACK_WEBHOOK_URL": SLACK_WEBHOOK,
        }
