"""An Account as an in-toto Statement v1: what was decided, tied to the digests of what it rests on.

The statement is not signed; an attestor signs it. Its subjects: the plan, the last line of every chain (`tail -n1 FILE |
sha256sum`), and the file of readings once nobody writes to it any more. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

import json
from typing import Any

from cockpit.report.formats.situation_json import to_plain
from cockpit.report.model import Account, Asked
from probes.display_text import json_escaped

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:cutover-cockpit:record:v1"


def in_toto(account: Account) -> str:
    statement = {
        "_type": STATEMENT,
        "subject": _subjects(account),
        "predicateType": PREDICATE,
        "predicate": to_plain(_predicate(account)),
    }
    return json_escaped(json.dumps(statement, indent=2, ensure_ascii=False)) + "\n"


def _subjects(account: Account) -> list[dict[str, Any]]:
    named = [("plan.yaml", account.plan.digest)]
    named += [(f"journal/{writer}.jsonl#last-line", head) for writer, head in account.proof.heads.items()]
    named.append(("readings.sqlite", account.readings.file))
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in named if digest]


def _predicate(account: Account) -> dict[str, Any]:
    return {
        "record": account.record,
        "rehearsal": account.rehearsal,
        "plan": {"name": account.plan.name, "environment": account.plan.environment, "digests": account.plan.digests},
        "began": account.began,
        "ended": account.ended,
        "closed": account.closed,
        "verdict": account.verdict or None,
        "judged": account.judged,
        "verdicts": [{"word": s.word or None, "since": s.since, "until": s.until} for s in account.spans],
        "decisions": account.decisions,
        "acknowledgements": account.acknowledgements,
        "waivers": account.waivers,
        "gates": [{"id": g.id, "passed": g.passed, "votes": g.votes, "uses": g.uses} for g in account.gates],
        "signOffs": [
            {"subject": subject, "ask": asked.ask, "counts": asked.counts, "given": asked.given}
            for subject, asked in _sign_offs(account)
        ],
        "criteria": [{"id": c.id, "kind": c.kind, "state": c.state, "since": c.since} for c in account.criteria],
        "items": [{"id": i.id, "state": i.state, "since": i.since} for i in account.items],
        "open": account.open,
        "proof": {
            "result": account.proof.result,
            "standings": account.proof.standings,
            "broken": account.proof.broken,
            "unproven": account.proof.unproven,
        },
        "readings": {"count": account.readings.count, "sha256": account.readings.digest},
    }


def _sign_offs(account: Account) -> list[tuple[str, Asked]]:
    listed = [(each.id, each.sign_off) for each in account.criteria]
    listed += [(each.id, each.sign_off) for each in account.items]
    listed += [(each.id, each.sign_off) for each in (*account.runbook, *account.rollback_plan)]
    return [(subject, asked) for subject, asked in listed if asked is not None]
