"""A plan with something to sign, to vote on and to do; and keys made by the stock tool."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cockpit.plan.load import load_plan
from cockpit.plan.model import Plan

TEXT = """
plan: v1
name: signing
title: Signing
environment: staging
people:
  - {{id: ada, name: Ada, roles: [on_call]{ada}}}
  - {{id: bob, name: Bob, roles: [dba]{bob}}}
probes:
  identity: {{uses: aws.identity}}
  web: {{uses: ecs.service, with: {{cluster: prod, service: web}}}}
checklist:
  - section: Before
    phase: pre_deploy
    items:
      - {{id: vpn, title: VPN tested, sign_off: {{ask: "Which address answered?", roles: [on_call]}}}}
      - {{id: seed, title: Seed loaded, sign_off: {{ask: "Name one category", roles: [dba]}}}}
      - id: restore
        title: Restore rehearsed
        sign_off: {{ask: "How long did it take?", roles: [on_call], claimed: false}}
gates:
  - {{id: deploy, title: Go / no-go, before: deploy, poll: {{roles: [on_call, dba], required: 2}}}}
success_criteria:
  - {{id: right, title: The right account, success_condition: "identity.account == '123456789012'"}}
rollback_triggers:
  - {{id: wrong, title: The wrong account, failure_condition: "identity.account == '000000000000'"}}
runbook:
  - {{id: run.deploy, title: Deploy, command: make deploy, duration: 30m, expect: both tasks healthy}}
rollback_plan:
  - {{id: back.revision, title: Go back, action: ecs.rollback, duration: 10m}}
"""


def signing_plan(folder: Path, ada_key: str = "", bob_key: str = "") -> Plan:
    path = folder / "signing.yaml"
    given = {name: f', ssh_key: "{key}"' if key else "" for name, key in (("ada", ada_key), ("bob", bob_key))}
    path.write_text(TEXT.format(**given))
    return load_plan(path)


def keys_for(folder: Path, name: str) -> tuple[Path, str]:
    """(private key file, public key without its comment)."""
    path = folder / f"id_{name}"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    kind, blob, *_ = path.with_suffix(".pub").read_text().split()
    return path, f"{kind} {blob}"
