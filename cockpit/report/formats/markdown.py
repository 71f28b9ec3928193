"""An Account as Markdown for a ticket: the outcome first, the long lists last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from cockpit import formatting
from cockpit.decide.states import meaning_of
from cockpit.report import labels
from cockpit.report.escaping import short
from cockpit.report.five_sentences import worst_first
from cockpit.report.labels import by_key, stamp
from cockpit.report.model import Account, CriterionAccount, ItemAccount, StepAccount
from cockpit.report.time_axis import moments

_MARKS = re.compile(r"([\\`*\[\]|~])")
MOST_ROWS = 200
"""Rows of one table, so that the report still fits into a ticket."""


def markdown(account: Account) -> str:
    parts = (
        _head(account), _summary(account), _moments(account), _open(account), _verdict(account), _decisions(account),
        _gates(account),
        _not_counted(account), _waivers(account),
        _criteria(account), _checklist(account), _steps(account), _night(account), _happened(account),
        _people(account), _proof(account),
    )  # fmt: skip
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(account: Account) -> Iterator[str]:
    plan = account.plan
    yield f"# {text(labels.title(account))}: {labels.verdict(account)}"
    yield ""
    if account.rehearsal:
        yield "> **REHEARSAL.** In a simulated environment: no production system was touched."
        yield ""
    when = (
        f"{account.began:%Y-%m-%d %H:%M:%S} to {account.ended:%Y-%m-%d %H:%M:%S} UTC"
        if account.began and account.ended
        else ""
    )
    lasted = f" ({formatting.duration(account.lasted)})" if account.began else ""
    yield from _table(
        ("", ""),
        (
            (
                "Verdict",
                f"**{labels.verdict(account)}**"
                + ("" if account.judged else " (no probe returned a value to evaluate)"),
            ),
            ("When", when + lasted),
            ("Plan", text(f"{plan.name} {plan.environment} {plan.digest[:12]}".strip())),
            ("Record", f"{text(account.record)}, {formatting.count(len(account.sessions), 'session')}"),
            ("Verification", text(labels.proof(account))),
        ),
    )


def _summary(account: Account) -> Iterator[str]:
    yield ""
    yield from (f"* **{each.about}**: {text(each.text)}" for each in account.summary)


def _moments(account: Account) -> Iterator[str]:
    """What happened when, in one list."""
    found = moments(account)
    if found:
        yield "\n## The night on one axis (UTC)\n"
    yield from _table(("at", "what"), ((stamp(each.at, account), text(each.what)) for each in found))


def _open(account: Account) -> Iterator[str]:
    yield "\n## Open questions\n"
    yield from (f"* next: {text(each)}" for each in account.next_actions)
    yield from (f"* {text(each)}" for each in account.open)
    if not account.open:
        yield "None."


def _verdict(account: Account) -> Iterator[str]:
    yield "\n## The verdict over time (UTC)\n"
    rows = [
        (
            stamp(span.since, account),
            formatting.duration(span.lasted),
            span.word or labels.NOT_WATCHING,
            text(span.because),
        )
        for span in account.spans
    ]
    yield from _table(("since", "for", "verdict", "because"), rows)
    for each in account.phases:
        by = f" by {text(each.by)}" if each.by else ""
        why = f": {text(each.why)}" if each.why else ""
        yield f"\nPhase **{formatting.phase(each.phase)}** began {stamp(each.since, account)}{by}{why}"


def _decisions(account: Account) -> Iterator[str]:
    if account.decisions:
        yield "\n## Decisions\n"
    for each in account.decisions:
        advised = f" (advised: {text(each.advised)})" if each.advised else ""
        who = f"{text(each.by)} ({by_key(each.key)})"
        about = f" ({text(each.about)})" if each.about else ""
        what = f"**{text(formatting.decided(each.choice, each.why))}** by {who}{advised}"
        yield f"* {stamp(each.at, account)} {what}: {text(each.why)}{about}"
    if account.acknowledgements:
        yield "\n## Acknowledged: pre-existing\n"
    for each in account.acknowledgements:
        about = f", {text(each.about)}," if each.about else ""
        who = f"{text(each.by)} ({by_key(each.key)})"
        yield f"* {stamp(each.at, account)} {text(each.subject)}{about} by {who}: {text(each.why)}"


def _gates(account: Account) -> Iterator[str]:
    if account.gates:
        yield "\n## Gates\n"
    for gate in account.gates:
        first = f", first passed {stamp(gate.first_passed, account)}" if gate.first_passed else ""
        guards = f" (before {text(gate.before)})" if gate.before else ""
        yield f"* **{text(gate.title)}**{guards}: {'passed' if gate.passed else 'NOT PASSED'}{first}"
        for use in gate.uses:
            votes = text("; ".join(use.votes))
            yield f"  * {stamp(use.at, account)} used by {text(use.by)} ({by_key(use.key)}) to {text(use.act)}: {votes}"
        for vote in gate.votes:
            why = f": {text(vote.why)}" if vote.why else ""
            how = by_key(vote.key, rehearsal=vote.rehearsal)
            who = text(formatting.person(vote.by, vote.role))
            yield f"  * {stamp(vote.at, account)} {who} votes **{text(vote.choice)}** ({how}){why}"


def _not_counted(account: Account) -> Iterator[str]:
    if account.claimed_because:
        yield f"\nStatements without a key counted in production: {text(account.claimed_because)}"
    if account.not_counted:
        yield "\n## Did not count\n"
    for each in account.not_counted:
        who = f" by {text(formatting.person(each.by, each.role))}" if each.by else ""
        yield f"* {stamp(each.at, account)} {text(each.kind)} {text(each.subject)}{who}: {text(each.why)}"


def _waivers(account: Account) -> Iterator[str]:
    if account.waivers:
        yield "\n## Waivers\n"
    for each in account.waivers:
        back = f", withdrawn {stamp(each.taken_back, account)}" if each.taken_back else ""
        yield (
            f"* {text(each.title)}: {stamp(each.at, account)} until {stamp(each.until, account)}{back}, "
            f"by {text(each.by)} ({by_key(each.key)}): {text(each.why)}"
        )


def _criteria(account: Account) -> Iterator[str]:
    for kind, title in sorted(labels.KINDS.items(), key=lambda each: each[0] != "trigger"):
        listed = [each for each in account.criteria if each.kind == kind]
        if listed:
            yield f"\n## {title}\n"
            listed = worst_first(listed)
            yield from _table(
                ("", "criterion", "since", "changes", "because"), (_row(each, account) for each in listed)
            )


def _checklist(account: Account) -> Iterator[str]:
    for section in dict.fromkeys(item.section for item in account.items):
        yield f"\n## Checklist: {text(section)}\n" if section else "\n## Checklist\n"
        rows = (
            (*_row(item, account)[:3], text(labels.answer(item.sign_off) or labels.reason(item)))
            for item in account.items
            if item.section == section
        )
        yield from _table(("", "item", "since", "answer or evidence"), rows)


def _row(status: CriterionAccount | ItemAccount, account: Account) -> tuple[str, ...]:
    state = labels.state(status)
    word = f"{meaning_of(state).symbol} {labels.shown(status)}"
    answer = labels.answer(status.sign_off)
    because = " · ".join(each for each in (labels.reason(status), answer) if each)
    return word, text(status.title), stamp(status.since, account), str(len(status.turns)), text(because)


def _steps(account: Account) -> Iterator[str]:
    for title, listed in (("Runbook", account.runbook), ("Rollback plan", account.rollback_plan)):
        if listed:
            yield f"\n## {title}: {labels.done(listed)}\n"
            yield from _table(("", "step", "time", "by", "seen"), (_step(each) for each in listed))


def _step(step: StepAccount) -> tuple[str, ...]:
    seen = " · ".join(each for each in (step.seen, labels.answer(step.sign_off)) if each)
    return step.progress, text(step.title), labels.planned_and_took(step), text(step.by), text(seen)


def _night(account: Account) -> Iterator[str]:
    """Planned against actual."""
    timed = [step for step in (*account.runbook, *account.rollback_plan) if step.began or step.planned_end]
    if account.night is None and not any(step.took for step in timed):
        return
    yield "\n## Planned against actual (UTC)\n"
    yield from (f"* {text(line)}" for line in labels.night(account))
    if account.night is not None:
        yield ""
    head = ("step", "planned", "actual", "duration", "against the plan", "next time")
    yield from _table(head, (_times(step) for step in timed))


def _times(step: StepAccount) -> tuple[str, ...]:
    planned, actual = labels.between(step.planned_start, step.planned_end), labels.between(step.began, step.ended)
    return (
        text(step.title),
        planned,
        actual,
        labels.planned_and_took(step),
        labels.lateness(step),
        labels.next_time(step),
    )


def _happened(account: Account) -> Iterator[str]:
    if account.happened:
        yield "\n## Actions\n"
        rows = [(stamp(e.at, account), text(e.subject), text(e.text), text(e.by)) for e in account.happened]
        yield from _table(("at", "", "", "by"), rows)


def _people(account: Account) -> Iterator[str]:
    yield "\n## Who took part\n"
    for each in account.people:
        keys = ", ".join(each.keys) or "no key: entries under this name are not cryptographically signed"
        roles = f" ({text(', '.join(map(formatting.role, each.roles)))})" if each.roles else ""
        yield f"* {text(each.name or each.id)}{roles}: {each.entries} entries; {text(keys)}"


def _proof(account: Account) -> Iterator[str]:
    proof = account.proof
    yield f"\n## What can be proven\n\n{text(labels.proof(account))}\n"
    yield from (f"* {text(each)}" for each in labels.provable(account))
    for name, lines in (("Broken", proof.broken), ("Not proven", proof.unproven), ("Also", proof.remarks)):
        yield from (f"* {name}: {text(line)}" for line in lines)
    yield from (f"* head of {text(writer)}: `{head}`" for writer, head in proof.heads.items())
    yield f"* plan: `{text(account.plan.digest)}`; readings: {account.readings.count:,} `{account.readings.digest}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    listed = list(rows)
    if not listed:
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in listed[:MOST_ROWS]:
        yield f"| {' | '.join(row)} |"
    if len(listed) > MOST_ROWS:
        yield f"\n{len(listed) - MOST_ROWS} more rows are in the record."


def text(foreign: str) -> str:
    r"""Foreign text that cannot be markup.

    >>> text("a | b <script> [x](y)")
    'a \\| b &lt;script> \\[x\\](y)'
    """
    return _MARKS.sub(r"\\\1", short(foreign).replace("&", "&amp;").replace("<", "&lt;"))
