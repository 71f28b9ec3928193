"""A record with everything in it, made as a cockpit makes one: a plan's copy, signed chains, readings."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cockpit.decide import events as kinds
from cockpit.journal.entry import Actor
from cockpit.journal.readings import ReadingStore
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.ssh.keys import KeyFile
from cockpit.journal.writer import Draft, Journal
from cockpit.plan.load import load_plan
from cockpit.plan.model import Phase, Plan
from probes.reading import Reading, Reason, Unknown

START = datetime(2026, 1, 2, 22, 0, tzinfo=UTC)
PLAN = """\
plan: v1
name: move
title: The move
environment: production
vars: {{url: "https://app.example.com", password: "${{env:REPORT_PASSWORD}}"}}
people:
  - {{id: ann, name: Ann, roles: [on_call], ssh_key: "{key}"}}
  - {{id: bob, name: Bob, roles: [backup]}}
probes:
  site: {{uses: http.health, with: {{url: "${{url}}/health"}}, interval: 15s}}
  pool: {{uses: postgres.pool, with: {{dsn: "postgresql://app:${{password}}@db/app"}}, interval: 15s}}
checklist:
  - section: Before
    phase: pre_deploy
    items:
      - {{id: item.seen, title: The site answers, expect: site.ok, killer: true}}
      - {{id: item.failed, title: The pool has room, expect: pool.utilization < 0.5}}
      - {{id: item.signed, title: Restored, sign_off: {{ask: How long did it take?, roles: [on_call]}}}}
      - {{id: item.forgotten, title: Paged, sign_off: {{ask: Who answered?, roles: [backup]}}}}
      - {{id: item.never, title: Never looked at, expect: site.status == 200}}
gates:
  - {{id: go, title: Go / no-go, before: deploy, poll: {{roles: [on_call, backup], {poll}}}}}
success_criteria:
  - {{id: site.fast, title: The site is fast, success_condition: site.latency_ms < 1000, for: 5m}}
  - {{id: site.up, title: The site is up, success_condition: site.ok, for: 5m}}
rollback_triggers:
  - {{id: pool.full, title: The pool is full, failure_condition: pool.utilization > 0.9, for: 1m}}
  - {{id: pool.gone, title: The pool is gone, failure_condition: pool.exhausted}}
runbook:
  - {{id: run.deploy, title: Deploy, duration: 10m}}
  - {{id: run.verify, title: Verify, duration: 5m}}
rollback_plan:
  - {{id: back.revision, title: Go back, duration: 5m}}
"""


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def make_key(folder: Path) -> Path:
    path = folder / "id"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


class Maker:
    """One record, written by as many cockpits as a test wants; the clock is moved by hand."""

    def __init__(self, root: Path, poll: str = "required: 2") -> None:
        """`poll`: what the plan's gate asks for."""
        root.mkdir(parents=True, exist_ok=True)
        self.key_path = make_key(root)
        self.public = " ".join(self.key_path.with_name("id.pub").read_text().split()[:2])
        self.now = START
        self.text = PLAN.format(key=self.public, poll=poll).encode()
        self.folder = RecordFolder.create("move", self.text, START, root / "records")
        self.plan: Plan = load_plan(self.folder.plan, environ={}, require_environment=False)

    def open(self, writer: str = "ann-laptop", by: str = "ann", **more: object) -> Journal:
        body: dict[str, object] = {"plan": "move", "plan_digest": self.plan.digest, "vars": {"url": "https://app.test"}}
        body |= {"claimed_because": "Bob's key is in the safe"} | more
        return Journal.open(
            self.folder.journal, writer, self.folder.id, actor=Actor(by), body=body, clock=lambda: self.now
        )

    def say(self, journal: Journal, entries: Sequence[kinds.Entry], *, signed: bool = False) -> None:
        """Each entry at its own time; by its person's name, and with Ann's key if `signed`."""
        for entry in entries:
            self.now = entry.at
            by = getattr(entry, "by", "")
            actor = Actor(by, arn=f"arn:aws:sts::123456789012:assumed-role/ops/{by}") if by else Actor("cockpit")
            signature = None
            if signed:
                signature = journal.signed_text(Draft.of(entry, actor)).signed(KeyFile(self.key_path))
            journal.add(entry, actor, signature)

    def change(self, minutes: float, subject: str, before: str, after: str, because: str = "") -> kinds.Change:
        return kinds.Change(at(minutes), subject, before, after, because)

    def sign_off(self, minutes: float, subject: str, by: str, answer: str) -> kinds.SignOff:
        role = "on_call" if by == "ann" else "backup"
        return kinds.SignOff(at(minutes), subject, by, role, answer, self.plan.digest, evidence="saw it")

    def close(self, journal: Journal, minutes: float) -> str:
        self.now = at(minutes)
        return journal.close()

    def readings(self, minutes: int = 60) -> None:
        """A reading of each probe every 15 seconds: the pool fills up at the end, the site is not seen for a while."""
        journal = self.open("readings-keeper", "cockpit")
        store = ReadingStore(self.folder.readings, journal.writer)
        journal.append(store.opening())
        for n in range(minutes * 4):
            when = START + timedelta(seconds=15 * n)
            blind = minutes / 4 < n / 4 < minutes / 3
            unknown = {"ok": Unknown(Reason.TIMEOUT), "latency_ms": Unknown(Reason.TIMEOUT)}
            seen = {"ok": True, "latency_ms": 200 + n % 7}
            store.put("site", Reading(when, when, {} if blind else seen, unknown if blind else {}))
            full = 0.95 if n / 4 > minutes * 0.9 else 0.1
            store.put("pool", Reading(when, when, {"utilization": full, "exhausted": False}))
        store.close()
        segment = store.segment()
        assert segment is not None
        journal.append(segment.draft())
        journal.close()


def whole(root: Path, minutes: int = 60) -> Maker:
    """A night that ends in a rollback, with one of everything."""
    made = Maker(root)
    ann: dict[str, Any] = {"role": "on_call", "plan_digest": made.plan.digest}
    bob: dict[str, Any] = {"role": "backup", "plan_digest": made.plan.digest}
    made.readings(minutes)
    first = made.open()
    made.say(
        first, [kinds.PhaseBegan(at(0), Phase.PRE_DEPLOY), made.change(1, "item.seen", "UNKNOWN", "PASS", "ok yes")]
    )
    made.say(first, [made.change(1, "item.failed", "UNKNOWN", "FAIL", "utilization 95.0 % (needs < 50.0 %)")])
    made.say(first, [made.sign_off(2, "item.signed", "ann", "eleven minutes, counts match")], signed=True)
    made.say(first, [made.change(2, "item.signed", "PENDING", "PASS", "signed by ann")])
    vote = kinds.Vote(at(3), "go", "ann", "on_call", "go", plan_digest=made.plan.digest)
    made.say(first, [vote], signed=True)
    made.say(first, [kinds.Vote(at(4), "go", "bob", "backup", "go", plan_digest=made.plan.digest)])
    made.say(first, [made.change(4, "go", "open", "passed"), made.change(5, "verdict", "HOLD", "GO", "all holds")])
    made.say(
        first, [kinds.Waiver(at(6), "item.failed", "ann", "known, and small", at(6 + 10 * minutes), **ann)], signed=True
    )
    made.say(first, [made.change(6, "item.failed", "FAIL", "WAIVED", "waived by ann")])
    made.say(
        first,
        [kinds.PhaseBegan(at(7), Phase.POST_DEPLOY, "ann", **ann), kinds.StepBegan(at(7), "run.deploy", "ann", **ann)],
        signed=True,
    )
    made.say(first, [kinds.StepEnded(at(19), "run.deploy", "ann", "done", "revision 7 runs", **ann)], signed=True)
    made.say(first, [made.change(8, "verdict", "GO", "HOLD"), made.change(9, "site.fast", "UNKNOWN", "PROVING")])
    made.say(first, [made.change(14, "site.fast", "PROVING", "MET", "latency 200 ms; proven 5m of 5m")])
    made.say(first, [made.change(15, "pool.full", "UNKNOWN", "CLEAR"), kinds.ObserverGap(at(25), at(20))])
    made.say(
        first,
        [kinds.Happened(at(26), "migration", "copy began", "ann"), kinds.StepBegan(at(27), "run.verify", "bob", **bob)],
    )
    made.say(first, [kinds.PointOfNoReturn(at(28), "3 files that live in S3 alone")])
    made.say(first, [made.change(50, "verdict", "HOLD", "FIX FORWARD", "The pool is full: 95 % (trips > 90 %)")])
    made.say(first, [made.change(50, "pool.full", "CLEAR", "TRIPPED", "pool utilization 95 % (trips > 90 %)")])
    made.say(first, [kinds.Acknowledgement(at(51), "pool.gone", "bob", "was so before", **bob)])
    made.say(
        first, [kinds.Decision(at(52), "fix_forward", "bob", "a rollback loses files", advised="FIX FORWARD", **bob)]
    )
    made.close(first, minutes)
    return made
