"""An Account as one HTML file: no script, nothing fetched from anywhere, for a screen, a phone and paper.

The text of a record is untrusted: all of it goes through `esc`, and nothing becomes a link.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files

from cockpit import formatting
from cockpit.decide.states import GateState, StepState, meaning_of
from cockpit.report import labels
from cockpit.report.formats.html_criteria import criteria
from cockpit.report.formats.html_elements import MOST_ROWS, dots, esc, rows, section, signed, state, time_of
from cockpit.report.formats.svg_charts import Window, band, step_bar, step_tone, tone
from cockpit.report.model import Account, Asked, DecisionAccount, Span, StepAccount

_NOTHING = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
_STEPS = tuple(timedelta(minutes=n) for n in (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 10080))


def html(account: Account) -> str:
    """The whole file."""
    body = "\n".join(
        part
        for part in (
            _head(account), _verdict(account), _open(account), _decisions(account), _gates(account),
            _not_counted(account), _waivers(account),
            criteria(account), _checklist(account), _steps(account), _night(account), _happened(account),
            _people(account), _proof(account),
        )
        if part
    )  # fmt: skip
    title = f"{labels.title(account)}: {labels.verdict(account)}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{esc(title)}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


@lru_cache(maxsize=1)
def _style() -> str:
    return files("cockpit.report").joinpath("report.css").read_text("utf-8")


def _head(account: Account) -> str:
    plan = account.plan
    tags = ['<span class="tag loud">REHEARSAL</span>'] if account.rehearsal else []
    tags += [f'<span class="tag">{esc(plan.environment)}</span>'] if plan.environment else []
    last = next((span for span in reversed(account.spans) if span.word), None)
    since = f"since {esc(labels.stamp(last.since, account))} UTC" if last else "no verdict was recorded"
    because = f"<p>{esc(last.because)}</p>" if last and last.because else ""
    blind = "<p>No probe returned a value to evaluate.</p>" if not account.judged else ""
    word = labels.verdict(account)
    symbol = meaning_of(word).symbol if account.verdict else ""
    return (
        f'<header>\n<div class="top"><span>Cutover report</span>{"".join(tags)}</div>\n'
        f"<h1>{esc(labels.title(account))}</h1>\n"
        f'<div class="verdict t-{tone(account.verdict)}"><strong>{esc(symbol)} {esc(word)}</strong>'
        f'<span class="quiet">{since}</span>{because}{blind}</div>\n{_facts(account)}\n</header>'
    )


def _facts(account: Account) -> str:
    when = ""
    if account.began and account.ended:
        same = account.began.date() == account.ended.date()
        when = f"{account.began:%Y-%m-%d %H:%M} to {account.ended:{'%H:%M' if same else '%Y-%m-%d %H:%M'}} UTC"
    plan = f"{account.plan.name} {account.plan.digest[:12]}".strip()
    named = [each.name or each.id for each in account.people]
    facts = (
        ("When", when),
        ("Lasted", formatting.duration(account.lasted) if account.began else ""),
        ("Who took part", ", ".join(named[:8]) + (f" and {len(named) - 8} more" if len(named) > 8 else "")),
        ("Plan", plan),
        ("Record", account.record),
        ("Verification", account.proof.result),
    )
    rows = "".join(f"<div><dt>{name}</dt><dd>{esc(value)}</dd></div>" for name, value in facts if value)
    return f'<dl class="facts">{rows}</dl>'


def _verdict(account: Account) -> str:
    if not account.spans or account.began is None or account.ended is None:
        return ""
    window = Window(account.began, account.ended)
    picture = band(account.spans, account.gaps, [each.since for each in account.phases[1:]], window)
    shown = dict.fromkeys([*(tone(span.word) for span in account.spans), *(["none"] if account.gaps else [])])
    names = {"go": "GO", "hold": "HOLD", "bad": "ROLLBACK or FIX FORWARD", "none": labels.NOT_WATCHING}
    key = "".join(f'<span><i class="k-{each}"></i>{names[each]}</span>' for each in shown if each in names)
    phases = [
        f"{_at(each.since, account)} phase {esc(each.phase)} began"
        + (f" by {esc(each.by)}" if each.by else "")
        + (f": {esc(each.why)}" if each.why else "")
        for each in account.phases
    ]
    gaps = [
        f"{_at(each.since, account)} {labels.NOT_WATCHING} for {formatting.duration(each.until - each.since)}"
        for each in account.gaps
    ]
    listed = rows([_span(span, account) for span in account.spans], "times")
    return section(
        "The verdict over time",
        f'<div class="over">{picture}{_ticks(window)}</div><div class="key">{key}</div>{listed}{dots([*phases, *gaps])}',
    )


def _span(span: Span, account: Account) -> str:
    word = span.word or labels.NOT_WATCHING
    return (
        f'<div class="num">{_at(span.since, account)}<div class="quiet">for {formatting.duration(span.lasted)}</div></div>'
        f"<div>{state(word, tone(span.word))}</div><div>{esc(span.because)}</div>"
    )


def _ticks(window: Window) -> str:
    """The first and the last moment, and round ones between them."""
    whole = window.ended - window.began
    step = next((each for each in _STEPS if whole / each <= 6), _STEPS[-1])
    midnight = window.began.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + step * ((window.began - midnight) // step + 1)
    marks: list[datetime] = []
    while at < window.ended and len(marks) < 8:
        if 0.1 < window.share(at) < 0.9:
            marks.append(at)
        at += step
    content = "".join(
        f'<span class="num" style="left:{100 * window.share(at):.1f}%">{at:%H:%M}</span>'
        for at in (window.began, *marks, window.ended)
    )
    return f'<div class="ticks">{content}</div>'


def _open(account: Account) -> str:
    content = dots([esc(each) for each in account.open]) if account.open else "<p>None.</p>"
    return section("Open questions", content)


def _decisions(account: Account) -> str:
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
        f'<div class="num">{_at(each.at, account)}</div><div><h3>{subject}{esc(each.choice)}</h3>'
        f'<div class="statement"><q>{esc(each.why)}</q> {signed(each.by, "", each.key)}</div>{advised}</div>'
    )


def _gates(account: Account) -> str:
    listed = []
    for gate in account.gates:
        votes = "".join(
            f'<div class="statement">{_at(v.at, account)} <strong>{esc(v.choice)}</strong>{": " if v.why else ""}{esc(v.why)} '
            f"{signed(v.by, v.role, v.key, rehearsal=v.rehearsal)}</div>"
            for v in gate.votes[-MOST_ROWS:]
        )
        uses = "".join(
            f'<div class="statement">{_at(use.at, account)} used to {esc(use.act)}: {esc("; ".join(use.votes))} '
            f"{signed(use.by, '', use.key)}</div>"
            for use in gate.uses
        )
        before = f'<div class="quiet">before {esc(gate.before)}</div>' if gate.before else ""
        missing = f'<div class="quiet">missing: {esc("; ".join(gate.missing))}</div>' if gate.missing else ""
        word = GateState.PASSED if gate.passed else GateState.OPEN
        listed.append(f"{state(word, tone(word))}<div><h3>{esc(gate.title)}</h3>{before}{votes}{uses}{missing}</div>")
    return section("Gates", rows(listed)) if listed else ""


def _not_counted(account: Account) -> str:
    listed = [
        f'<div class="num">{_at(each.at, account)}</div><div><h3>{esc(each.kind)} {esc(each.subject)}</h3>'
        f'<div class="quiet">{esc(f"{each.by} ({each.role}): " if each.by else "")}{esc(each.why)}</div></div>'
        for each in account.not_counted[-MOST_ROWS:]
    ]
    allowed = (
        f"Statements without a key counted in production: {account.claimed_because}" if account.claimed_because else ""
    )
    return (section("Allowed", f"<p>{esc(allowed)}</p>") if allowed else "") + (
        section("Did not count", rows(listed)) if listed else ""
    )


def _waivers(account: Account) -> str:
    listed = []
    for each in account.waivers:
        back = f", withdrawn {_at(each.taken_back, account)}" if each.taken_back else ""
        listed.append(
            f'<div class="num">{_at(each.at, account)}<div class="quiet">until {_at(each.until, account)}{back}</div></div>'
            f'<div><h3>{esc(each.title)}</h3><div class="statement"><q>{esc(each.why)}</q> '
            f"{signed(each.by, '', each.key)}</div></div>"
        )
    return section("Waivers", rows(listed)) if listed else ""


def _checklist(account: Account) -> str:
    made = ""
    for name in dict.fromkeys(item.section for item in account.items):
        listed = []
        for item in (each for each in account.items if each.section == name):
            word = labels.state(item)
            killer = ' <span class="tag">critical</span>' if item.killer else ""
            reason = labels.reason(item)
            because = f'<div class="quiet">{esc(reason)}</div>' if reason and not reason.startswith("signed by") else ""
            answers = _answers(item.sign_off, account)
            listed.append(f"{state(word, tone(word))}<div><h3>{esc(item.title)}{killer}</h3>{because}{answers}</div>")
        made += section(f"Checklist: {name}" if name else "Checklist", rows(listed))
    return made


def _answers(asked: Asked | None, account: Account) -> str:
    """What was asked, and the newest answers, the last one last."""
    if asked is None:
        return ""
    ask = f'<div class="quiet">{esc(asked.ask)}</div>' if asked.ask else ""
    statements = ""
    for each in asked.given[-5:]:
        words_of = "withdrawn" if each.retracted else f"<q>{esc(each.answer)}</q>"
        stale = f' <span class="stale">no longer counts: {esc(each.stale)}</span>' if each.stale else ""
        evidence = f'<div class="quiet">on screen: {esc(each.evidence)}</div>' if each.evidence else ""
        who = signed(each.by, each.role, each.key, rehearsal=each.rehearsal)
        statements += f'<div class="statement">{words_of} {who} {_at(each.at, account)}{stale}{evidence}</div>'
    none = f'<div class="statement stale">never signed; needs {esc(" or ".join(asked.roles))}</div>'
    return ask + (statements or none)


def _steps(account: Account) -> str:
    made = ""
    for title, listed in (("Runbook", account.runbook), ("Rollback plan", account.rollback_plan)):
        if listed:
            made += section(title, rows([_step(each, account) for each in listed]))
    return made


def _step(step: StepAccount, account: Account) -> str:
    by = f", by {esc(step.by)}" if step.by else ""
    began = f", began {_at(step.began, account)}" if step.began else ""
    seen = f'<div class="statement"><q>{esc(step.seen)}</q></div>' if step.seen else ""
    progress = StepState(step.progress)
    return (
        f'{state(progress, step_tone(progress), progress.meaning.symbol)}<div><h3>{esc(step.title)}</h3><div class="quiet">'
        f"{esc(labels.planned_and_took(step))}{began}{by}</div>{seen}{_answers(step.sign_off, account)}</div>"
    )


def _night(account: Account) -> str:
    """Every step on one time axis: planned against actual."""
    timed = [step for step in (*account.runbook, *account.rollback_plan) if step.began or step.planned_end]
    if account.night is None and not any(step.took for step in timed):
        return ""
    night = account.night
    ends = [at for step in timed for at in (step.planned_start, step.planned_end, step.began, step.ended) if at]
    ends += [night.begins, night.ends] if night else []
    window = Window(min(ends), max(ends))
    marks = [night.ends, *([night.last_safe_moment] if night.last_safe_moment else [])] if night else []
    listed = [_times(step, window, marks) for step in timed]
    key = (
        '<div class="key"><span><i class="k-none"></i>planned</span><span><i class="k-go"></i>done</span>'
        "<span>lines: the last safe moment to go back, the window's end</span></div>"
    )
    lines = dots([esc(line) for line in labels.night(account)])
    return section("Planned against actual", f"{lines}{key}{rows(listed)}{_ticks(window)}")


def _times(step: StepAccount, window: Window, marks: Sequence[datetime]) -> str:
    progress = StepState(step.progress)
    planned, actual = labels.between(step.planned_start, step.planned_end), labels.between(step.began, step.ended)
    notes = [labels.planned_and_took(step), labels.lateness(step), labels.next_time(step)]
    spans = ((step.planned_start, step.planned_end), (step.began, step.ended or window.ended))
    picture = step_bar(*spans, step_tone(progress), window, marks)
    return (
        f'<div class="num">{esc(actual or "not done")}'
        f'<div class="quiet">{esc(f"planned {planned}" if planned else "")}</div></div>'
        f'<div><h3>{esc(step.title)}</h3>{picture}<div class="quiet">{esc(", ".join(each for each in notes if each))}</div></div>'
    )


def _happened(account: Account) -> str:
    listed = [
        f'<div class="num">{_at(each.at, account)}</div><div><h3>{esc(each.subject)}</h3>{esc(each.text)}'
        + (f' <span class="quiet">{esc(each.by)}</span>' if each.by else "")
        + "</div>"
        for each in account.happened
    ]
    return section("Actions", rows(listed)) if listed else ""


def _people(account: Account) -> str:
    listed = []
    for each in account.people:
        keys = ", ".join(each.keys) or "no key: entries under this name are not cryptographically signed"
        aws = f'<div class="hash quiet">{esc(", ".join(each.aws))}</div>' if each.aws else ""
        listed.append(
            f"<div>{formatting.count(each.entries, 'entry') if each.entries == 1 else f'{each.entries} entries'}</div>"
            f"<div><h3>{esc(each.name or each.id)}</h3>"
            f'<div class="quiet">{esc(", ".join(each.roles))}</div><div class="hash quiet">{esc(keys)}</div>{aws}</div>'
        )
    for session in account.sessions:
        end = "closed" if session.closed else "not closed"
        listed.append(
            f'<div class="num">{_at(session.began, account)}</div><div><h3>cockpit {esc(session.writer)}</h3>'
            f'<div class="quiet">until {_at(session.ended, account)}, {end}</div></div>'
        )
    return section("Who took part", rows(listed)) if listed else ""


def _proof(account: Account) -> str:
    proof = account.proof
    proofs = [esc(f"{subject}: {standing}") for subject, standing in proof.standings.items()]
    for name, lines in (("Broken", proof.broken), ("Not proven", proof.unproven), ("Also", proof.remarks)):
        proofs += [f"{name}: {esc(line)}" for line in lines]
    proofs += [f'head of {esc(writer)} <span class="hash">{esc(head)}</span>' for writer, head in proof.heads.items()]
    proofs += _digests(account)
    return section("Verification", f"<p>{esc(labels.proof(account))}</p>{dots(proofs)}")


def _digests(account: Account) -> Iterator[str]:
    for digest in account.plan.digests:
        yield f'plan <span class="hash">{esc(digest)}</span>'
    if account.readings.digest:
        yield f'{account.readings.count:,} readings <span class="hash">{esc(account.readings.digest)}</span>'


def _at(at: datetime | None, account: Account) -> str:
    return time_of(at, labels.stamp(at, account))
