"""Who stated and decided what, in the HTML report: decisions, gates with their votes, waivers, people, and what proves it."""

from __future__ import annotations

from collections.abc import Iterator

from cockpit import formatting
from cockpit.decide.states import GateState
from cockpit.report import labels
from cockpit.report.formats.html_elements import MOST_ROWS, at, dots, esc, rows, section, signed, state
from cockpit.report.formats.svg_charts import tone
from cockpit.report.model import Account, DecisionAccount


def decisions(account: Account) -> str:
    decided = rows([_decision(each, account) for each in account.decisions])
    seen = rows([_decision(each, account) for each in account.acknowledgements])
    return (section("Decisions", decided) if decided else "") + (
        section("Acknowledged: pre-existing", seen) if seen else ""
    )


def _decision(each: DecisionAccount, account: Account) -> str:
    advised = f'<div class="quiet">The cockpit advised {esc(each.advised)}.</div>' if each.advised else ""
    advised += f'<div class="quiet">{esc(each.about)}</div>' if each.about else ""
    subject = f"{esc(each.subject)}: " if each.subject else ""
    return (
        f'<div class="num">{at(each.at, account)}</div><div><h3>{subject}{esc(formatting.decided(each.choice, each.why))}</h3>'
        f'<div class="statement"><q>{esc(each.why)}</q> {signed(each.by, "", each.key)}</div>{advised}</div>'
    )


def gates(account: Account) -> str:
    listed = []
    for gate in account.gates:
        votes = "".join(
            f'<div class="statement">{at(v.at, account)} <strong>{esc(v.choice)}</strong>{": " if v.why else ""}{esc(v.why)} '
            f"{signed(v.by, v.role, v.key, rehearsal=v.rehearsal)}</div>"
            for v in gate.votes[-MOST_ROWS:]
        )
        uses = "".join(
            f'<div class="statement">{at(use.at, account)} used to {esc(use.act)}: {esc("; ".join(use.votes))} '
            f"{signed(use.by, '', use.key)}</div>"
            for use in gate.uses
        )
        before = f'<div class="quiet">before {esc(gate.before)}</div>' if gate.before else ""
        missing = f'<div class="quiet">missing: {esc("; ".join(gate.missing))}</div>' if gate.missing else ""
        word = GateState.PASSED if gate.passed else GateState.OPEN
        listed.append(f"{state(word, tone(word))}<div><h3>{esc(gate.title)}</h3>{before}{votes}{uses}{missing}</div>")
    return section("Gates", rows(listed, "pairs")) if listed else ""


def not_counted(account: Account) -> str:
    listed = [
        f'<div class="num">{at(each.at, account)}</div><div><h3>{esc(each.kind)} {esc(each.subject)}</h3>'
        f'<div class="quiet">{esc(f"{each.by} ({each.role}): " if each.by else "")}{esc(each.why)}</div></div>'
        for each in account.not_counted[-MOST_ROWS:]
    ]
    allowed = (
        f"Statements without a key counted in production: {account.claimed_because}" if account.claimed_because else ""
    )
    return (section("Allowed", f"<p>{esc(allowed)}</p>") if allowed else "") + (
        section("Did not count", rows(listed)) if listed else ""
    )


def waivers(account: Account) -> str:
    listed = []
    for each in account.waivers:
        back = f", withdrawn {at(each.taken_back, account)}" if each.taken_back else ""
        listed.append(
            f'<div class="num">{at(each.at, account)}<div class="quiet">until {at(each.until, account)}{back}</div></div>'
            f'<div><h3>{esc(each.title)}</h3><div class="statement"><q>{esc(each.why)}</q> '
            f"{signed(each.by, '', each.key)}</div></div>"
        )
    return section("Waivers", rows(listed)) if listed else ""


def people(account: Account) -> str:
    listed = []
    for each in account.people:
        keys = ", ".join(each.keys) or "no key: entries under this name are not cryptographically signed"
        aws = f'<div class="hash quiet">{esc(", ".join(each.aws))}</div>' if each.aws else ""
        roles = esc(", ".join(map(formatting.role, each.roles)))
        listed.append(
            f"<div>{formatting.count(each.entries, 'entry') if each.entries == 1 else f'{each.entries} entries'}</div>"
            f"<div><h3>{esc(each.name or each.id)}</h3>"
            f'<div class="quiet">{roles}</div><div class="hash quiet">{esc(keys)}</div>{aws}</div>'
        )
    for session in account.sessions:
        end = "closed" if session.closed else "not closed"
        listed.append(
            f'<div class="num">{at(session.began, account)}</div><div><h3>cockpit {esc(session.writer)}</h3>'
            f'<div class="quiet">until {at(session.ended, account)}, {end}</div></div>'
        )
    return section("Who took part", rows(listed, "pairs")) if listed else ""


def verification(account: Account) -> str:
    """What can be proven of the record, in words, and what is needed to check it again."""
    proof = account.proof
    proofs = [esc(each) for each in labels.provable(account)]
    for name, lines in (("Broken", proof.broken), ("Not proven", proof.unproven), ("Also", proof.remarks)):
        proofs += [f"{name}: {esc(line)}" for line in lines]
    proofs += [f'head of {esc(writer)} <span class="hash">{esc(head)}</span>' for writer, head in proof.heads.items()]
    proofs += _digests(account)
    return section("What can be proven", f"<p>{esc(labels.proof(account))}.</p>{dots(proofs)}")


def _digests(account: Account) -> Iterator[str]:
    for digest in account.plan.digests:
        yield f'plan <span class="hash">{esc(digest)}</span>'
    if account.readings.digest:
        yield f'{account.readings.count:,} readings <span class="hash">{esc(account.readings.digest)}</span>'
