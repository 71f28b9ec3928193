"""Criteria in the HTML report: each with its state, why, its main value over time, and its changes."""

from __future__ import annotations

from typing import TypeGuard

from cockpit import formatting
from cockpit.decide.states import meaning_of
from cockpit.report import labels
from cockpit.report.escaping import short
from cockpit.report.five_sentences import worst_first
from cockpit.report.formats.html_elements import esc, group, rows, section, state, ticks
from cockpit.report.formats.svg_charts import Scale, Window, band, chart, tone
from cockpit.report.model import Account, CriterionAccount, Measure
from cockpit.report.time_axis import has_failed

LABEL_SHARE = 0.16
"""Of a chart's height: how far apart two labels of its axis must be."""
MOST_CONDITION = 160
"""Characters of a condition; the whole of it is in the plan."""
MOST_TURNS = 8
"""Newest changes shown of one criterion; the count of earlier ones is shown."""


def criteria(account: Account) -> str:
    """What failed or tripped, triggers first, each with a chart; the others as a list."""
    failed = [each for each in worst_first(account.criteria) if each.kind != "guard" and has_failed(each)]
    made = ""
    if failed:
        cards = "".join(_card(each, account) for each in failed)
        made = section("What failed or tripped", f'<div class="cards">{cards}</div>{_key(account)}')
    listed: list[str] = []
    for kind, title in labels.KINDS.items():
        others = [_line(each) for each in worst_first(account.criteria) if each.kind == kind and each not in failed]
        listed += [group(title), *others] if others else []
    return made + (section("Other criteria" if failed else "Criteria", rows(listed, "pairs")) if listed else "")


def _key(account: Account) -> str:
    """What lines and colours of the charts mean."""
    began = any(each.phase == "post_deploy" for each in account.phases)
    return (
        '<div class="key"><span><i class="k-calm"></i>value, lowest to highest shaded</span>'
        '<span><i class="k-wrong"></i>past its limit</span><span><i class="k-limit"></i>limit</span>'
        '<span><i class="k-unknown"></i>unknown</span><span>no line: no reading</span>'
        + ("<span>upright: the deployment began</span>" if began else "")
        + "<span>strip below: the verdict</span></div>"
    )


def _line(each: CriterionAccount) -> str:
    """One that was always fine: its state, and why."""
    word = labels.state(each)
    seen = f"{_ends(each.measure)}, {labels.limit(each.measure, each.kind)}" if _is_drawn(each.measure) else ""
    parts = (labels.reason(each), seen, labels.answer(each.sign_off) if each.sign_off else "")
    because = " · ".join(part for part in parts if part)
    return (
        f"{state(labels.shown(each), tone(word), meaning_of(word).symbol)}<div><h3>{esc(each.title)}</h3>"
        f'<div class="quiet">{esc(because)}</div></div>'
    )


def _is_drawn(measure: Measure | None) -> TypeGuard[Measure]:
    return measure is not None and measure.threshold is not None and Scale.of(measure) is not None


def _card(each: CriterionAccount, account: Account) -> str:
    word = labels.state(each)
    reason = f"<p>{esc(labels.reason(each))}</p>" if labels.reason(each) else ""
    answer = f"<p>{esc(labels.answer(each.sign_off))}</p>" if each.sign_off else ""
    shown = state(labels.shown(each), tone(word), meaning_of(word).symbol)
    head = f'{shown}<span class="quiet">{_weight(each, account)}</span>'
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
    condition = (
        f'<p><code class="quiet">{esc(short(each.condition, MOST_CONDITION))}</code></p>' if each.condition else ""
    )
    if measure is None or account.began is None or account.ended is None:
        return condition
    scale = Scale.of(measure)
    if scale is None:
        return f'{condition}<p class="quiet">{esc(measure.path)}: no value was recorded</p>'
    limit = labels.limit(measure, each.kind)
    label = f"{measure.path} over time" + (f", {limit}" if limit else "")
    window = Window(account.began, account.ended)
    marks = [phase.since for phase in account.phases if phase.phase == "post_deploy"]
    picture = chart(measure, each.kind, window, esc(label), marks)
    over = f'<span class="limit-text num">{esc("┄ " + limit)}</span>' if limit else ""
    strip = band(account.spans, account.gaps, [], window)
    return (
        f'{condition}<figure class="measure"><div class="scale"><span>{esc(measure.path)}</span>{over}</div>'
        f'<div class="plot"><div class="axis num">{_axis(measure, scale)}</div><div class="over">{picture}{strip}'
        f"{ticks(window, 3)}</div></div></figure>"
    )


def _axis(measure: Measure, scale: Scale) -> str:
    """The lowest and the highest value, and the limit, each at its height; the limit where two would overlap."""
    ends = [end for point in measure.points for end in (point.low, point.high) if end is not None]
    shown: list[float] = []
    for number in ([] if measure.threshold is None else [measure.threshold]) + [max(ends), min(ends)]:
        if all(abs(scale.top(number) - scale.top(other)) > LABEL_SHARE for other in shown):
            shown.append(number)
    return "".join(
        f'<span style="top:{100 * scale.top(number):.0f}%">{esc(labels.value(number, measure.unit))}</span>'
        for number in shown
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
        f'<li><span class="num">{esc(labels.stamp(turn.at, account))}</span> '
        f"{esc(labels.word(turn.before))} → {esc(labels.word(turn.after))}</li>"
        for turn in shown
    )
    return f"<ol>{earlier}{turns}</ol>"
