"""Reading a record's folder for its report: the plan copy, the chains, the readings, and the result of verifying them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography import x509

from cockpit.decide.decide import words_of
from cockpit.decide.next_action import worded
from cockpit.decide.situation import Situation
from cockpit.journal.chain import merged
from cockpit.journal.entry import Line, Type
from cockpit.journal.findings import Result
from cockpit.journal.provenance import Kind, kind_of, main_chain, own_sessions, seen_by
from cockpit.journal.record_folder import NoPlanCopy, PlanUnknown, RecordFolder, hidden_vars
from cockpit.journal.ssh.allowed_signers import AllowedSigners
from cockpit.journal.transparency_log import LogKey
from cockpit.journal.verify import verify_record
from cockpit.plan.model import Plan
from cockpit.report.build import Material, account
from cockpit.report.measurements import measured
from cockpit.report.missing_plan import unplanned
from cockpit.report.model import Account, Planned
from cockpit.report.proof import Verification
from cockpit.report.sign_offs import Kept


def account_of(
    folder: RecordFolder,
    anchors: Sequence[str] = (),
    allowed: AllowedSigners | None = None,
    roots: Sequence[x509.Certificate] = (),
    log_keys: Sequence[LogKey] = (),
    *,
    last: Situation | None = None,
) -> Account:
    """The account of a record. `anchors`, `allowed`, `roots` and `log_keys` as for `verify_record`; `last` is the situation
    at its end, where it could be played to it. Raises OSError.
    """
    lines = folder.lines()
    record = folder.id
    plan, planned = _plan(folder, lines)
    kept, kind = _kept(folder, lines)
    if plan is None:
        plan = unplanned([each.entry for each in kept], planned.name, planned.digest)
    guards = plan.guards()
    measures, readings, saw = measured(folder.readings, plan, (*plan.criteria(), *guards))
    return account(
        Material(
            record=record,
            plan=plan,
            planned=planned,
            lines=lines,
            kept=kept,
            proof=_proof(folder.path, verify_record(folder.path, anchors, allowed, roots, log_keys)),
            kind=kind,
            measures=measures,
            readings=readings,
            saw_something=saw,
            next_actions=worded(last) if last is not None else (),
            words_at_the_end=words_of(last) if last is not None else {},
        )
    )


def _kept(folder: RecordFolder, lines: Sequence[tuple[str, Line]]) -> tuple[list[Kept], Kind]:
    """The entries deciding looks at, as the cockpit with the most changes saw them, and what kind of record that one kept.

    Malformed bodies are left out: `verify` names them.
    """
    chains = folder.chains()
    own = own_sessions(main_chain(chains).lines) if chains else frozenset()
    provenance = seen_by(chains, folder.id, own)
    found = [(writer, provenance.entry(writer, line)) for writer, line in merged(chains, provenance.received)]
    return [Kept(writer, entry) for writer, entry in found if entry is not None], kind_of(lines, own)


def _proof(folder: Path, result: Result) -> Verification:
    """What checking found, with places named from the record's folder on."""
    broken = [replace(problem, path=_inside(problem.path, folder)) for problem in result.broken]
    return Verification(
        result.outcome.word,
        {str(subject): row.standing.word for subject, row in result.rows.items()},
        tuple(str(problem) for problem in broken),
        tuple(result.unproven),
        tuple(result.remarks),
        dict(result.heads),
        result.entries,
    )


def _inside(path: Path, folder: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path


# -- the plan --------------------------------------------------------------------------------------------------------


def _plan(folder: RecordFolder, lines: Sequence[tuple[str, Line]]) -> tuple[Plan | None, Planned]:
    """The plan the cutover last ran by, as the cockpit it is looked at from has it, and what is known of it where its copy does
    not load.
    """
    main = main_chain(folder.chains()).writer if lines else ""
    recorded = [
        (writer, line.entry.body)
        for writer, line in lines
        if line.entry.type in (Type.OPEN, Type.PLAN_CHANGED) and line.entry.body.get("plan_digest")
    ]
    digests = tuple(dict.fromkeys(str(body["plan_digest"]) for _, body in recorded))
    named = [body for writer, body in recorded if writer == main] or [body for _, body in recorded]
    name = next((str(body["plan"]) for body in reversed(named) if body.get("plan")), "")
    planned = Planned(name=name, digest=str(named[-1]["plan_digest"]) if named else "", digests=digests)
    opened: Mapping[str, Any] = next((body for body in reversed(named) if isinstance(body.get("vars"), Mapping)), {})
    try:
        plan = folder.load_plan({**opened, "plan_digest": planned.digest})
    except NoPlanCopy:
        return None, replace(planned, problem="the record holds no copy of the plan the journal names")
    except PlanUnknown as problem:
        return None, replace(planned, problem=f"its copy cannot be loaded: {problem}")
    hidden = hidden_vars(opened)
    return plan, Planned(
        plan.name, plan.title, plan.environment, planned.digest, plan.source, digests, hidden_vars=hidden
    )
