"""What was checked and done, in the HTML report: the checklist, the runbook and the rollback plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cockpit import formatting
from cockpit.decide.states import StepState, meaning_of
from cockpit.report import labels
from cockpit.report.formats.html_elements import at, dots, esc, group, rows, section, signed, state, ticks
from cockpit.report.formats.svg_charts import Window, step_bar, step_tone, tone
from cockpit.report.model import Account, Asked, StepAccount


def checklist(account: Account) -> str:
    listed: list[str] = []
    for name in dict.fromkeys(item.section for item in account.items):
        listed += [group(name)] if name else []
        for item in (each for each in account.items if each.section == name):
            word = labels.state(item)
            killer = ' <span class="tag">critical</span>' if item.killer else ""
            reason = labels.reason(item)
            because = f'<div class="quiet">{esc(reason)}</div>' if reason and not reason.startswith("signed by") else ""
            answers = _answers(item.sign_off, account)
            shown = state(labels.shown(item), tone(word), meaning_of(word).symbol)
            listed.append(f"{shown}<div><h3>{esc(item.title)}{killer}</h3>{because}{answers}</div>")
    return section("Checklist", rows(listed, "pairs")) if listed else ""


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
        statements += f'<div class="statement">{words_of} {who} {at(each.at, account)}{stale}{evidence}</div>'
    none = f'<div class="statement stale">never signed; needs {esc(formatting.roles(asked.roles))}</div>'
    return ask + (statements or none)


def steps(account: Account) -> str:
    """Every step with what came of it, planned against actual on one time axis."""
    timed = [step for step in (*account.runbook, *account.rollback_plan) if step.began or step.planned_end]
    window, marks = None, []
    if account.night is not None or any(step.took for step in timed):
        night = account.night
        ends = [end for step in timed for end in (step.planned_start, step.planned_end, step.began, step.ended) if end]
        ends += [night.begins, night.ends] if night else []
        window = Window(min(ends), max(ends))
        marks = [night.ends, *([night.last_safe_moment] if night.last_safe_moment else [])] if night else []
    shown: list[str] = []
    for title, listed in (("Runbook", account.runbook), ("Rollback plan", account.rollback_plan)):
        if listed:
            shown += [
                group(f"{title}: {labels.done(listed)}"),
                *(_step(each, account, window, marks) for each in listed),
            ]
    times = _night(account, window) if window is not None else ""
    return section("Steps, planned against actual", rows(shown, "pairs") + times) if shown else ""


def _night(account: Account, window: Window) -> str:
    key = (
        '<div class="key"><span><i class="k-none"></i>planned</span><span><i class="k-go"></i>done</span>'
        "<span>lines: the last safe moment to go back, the window's end</span></div>"
    )
    lines = dots([esc(line) for line in labels.night(account)])
    return f"{lines}{key}{ticks(window)}"


def _step(step: StepAccount, account: Account, window: Window | None, marks: Sequence[datetime]) -> str:
    by = f"by {step.by}" if step.by else ""
    planned, actual = labels.between(step.planned_start, step.planned_end), labels.between(step.began, step.ended)
    notes = (
        actual, by, labels.planned_and_took(step), f"at {planned}" if planned else "", labels.lateness(step),
        labels.next_time(step),
    )  # fmt: skip
    seen = f'<div class="statement"><q>{esc(step.seen)}</q></div>' if step.seen else ""
    progress = StepState(step.progress)
    picture = ""
    if window is not None and step.began:
        spans = ((step.planned_start, step.planned_end), (step.began, step.ended or account.ended or window.ended))
        picture = step_bar(*spans, step_tone(progress), window, marks)
    return (
        f"{state(progress.label, step_tone(progress), progress.meaning.symbol)}<div><h3>{esc(step.title)}</h3>"
        f'<div class="quiet">{esc(", ".join(each for each in notes if each))}</div>{picture}{seen}'
        f"{_answers(step.sign_off, account)}</div>"
    )


def happened(account: Account) -> str:
    listed = [
        f'<div class="num">{at(each.at, account)}</div><div><strong>{esc(each.subject)}</strong> {esc(each.text)}'
        + (f' <span class="quiet">{esc(each.by)}</span>' if each.by and each.by not in each.text else "")
        + "</div>"
        for each in account.happened
    ]
    return section("Actions", rows(listed, "pairs")) if listed else ""
