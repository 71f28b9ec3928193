"""Criteria in the HTML report: each with its state, why, its main value over time, and its changes."""

from __future__ import annotations

from cockpit import formatting
from cockpit.report import labels
from cockpit.report.formats.html_elements import esc, section, state
from cockpit.report.formats.svg_charts import Scale, Window, chart, tone
from cockpit.report.model import Account, CriterionAccount, Measure

MOST_TURNS = 8
"""Newest changes shown of one criterion; the count of earlier ones is shown."""


def criteria(account: Account) -> str:
    made = ""
    for kind, title in labels.KINDS.items():
        listed = [_card(each, account) for each in account.criteria if each.kind == kind]
        if listed:
            made += section(title, f'<div class="cards">{"".join(listed)}</div>')
    return made


def _card(each: CriterionAccount, account: Account) -> str:
    word = labels.state(each)
    reason = f"<p>{esc(labels.reason(each))}</p>" if labels.reason(each) else ""
    answer = f"<p>{esc(labels.answer(each.sign_off))}</p>" if each.sign_off else ""
    head = f'{state(word, tone(word))}<span class="quiet">{_weight(each, account)}</span>'
    return (
        f'<article class="card"><div class="line">{head}</div><h3>{esc(each.title)}</h3>'
        f"{reason}{answer}{_measure(each, account)}{_turns(each, account)}</article>"
    )


def _weight(each: CriterionAccount, account: Account) -> str:
    """Severity, whether enforced, and since when it has been in its state."""
    since = f"since {labels.stamp(each.since, account)}" if each.since else ""
    return esc(" · ".join(part for part in (each.severity, "" if each.enforced else "not enforced", since) if part))


def _measure(each: CriterionAccount, account: Account) -> str:
    measure = each.measure
    condition = f'<p><code class="quiet">{esc(each.condition)}</code></p>' if each.condition else ""
    if measure is None or account.began is None or account.ended is None:
        return condition
    scale = Scale.of(measure)
    if scale is None:
        return f'{condition}<p class="quiet">{esc(measure.path)}: no value was recorded</p>'
    limit = labels.limit(measure, each.kind)
    label = f"{measure.path} over time" + (f", {limit}" if limit else "")
    picture = chart(measure, each.kind, Window(account.began, account.ended), esc(label))
    over = f'<span class="limit-text num">{esc("┄ " + limit)}</span>' if limit else ""
    ends = f"<span>{esc(labels.stamp(account.began, account))}</span><span>{esc(_ends(measure))}</span>"
    return (
        f'{condition}<figure class="measure"><div class="scale"><span>{esc(measure.path)}</span>{over}</div>{picture}'
        f'<div class="scale num">{ends}<span>{esc(labels.stamp(account.ended, account))}</span></div></figure>'
    )


def _ends(measure: Measure) -> str:
    """The lowest and the highest value seen."""
    ends = [end for point in measure.points for end in (point.low, point.high) if end is not None]
    low, high = labels.value(min(ends), measure.unit), labels.value(max(ends), measure.unit)
    return low if low == high else f"{low} to {high}"


def _turns(each: CriterionAccount, account: Account) -> str:
    if not each.turns:
        return ""
    shown = each.turns[-MOST_TURNS:]
    earlier = (
        f"<li>{formatting.count(len(each.turns) - len(shown), 'change')} before</li>"
        if len(shown) < len(each.turns)
        else ""
    )
    turns = "".join(
        f'<li><span class="num">{esc(labels.stamp(turn.at, account))}</span> {esc(turn.before)} → {esc(turn.after)}</li>'
        for turn in shown
    )
    return f"<ol>{earlier}{turns}</ol>"
