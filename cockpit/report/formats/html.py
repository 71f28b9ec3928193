"""An Account as one HTML file: no script, nothing fetched from anywhere, for a screen, a phone and paper.

The text of a record is untrusted: all of it goes through `esc`, and nothing becomes a link.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from cockpit import formatting
from cockpit.decide.states import meaning_of
from cockpit.report import labels
from cockpit.report.formats.html_criteria import criteria
from cockpit.report.formats.html_elements import at, dots, esc, long, rows, section, state, ticks
from cockpit.report.formats.html_statements import decisions, gates, not_counted, people, verification, waivers
from cockpit.report.formats.html_work import checklist, happened, steps
from cockpit.report.formats.svg_charts import Window, band, tone
from cockpit.report.formats.svg_timeline import lane_picture
from cockpit.report.model import Account, Span
from cockpit.report.time_axis import lanes

_NOTHING = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"


def html(account: Account) -> str:
    """The whole file."""
    body = "\n".join(
        part
        for part in (
            _head(account), _summary(account), _timeline(account), criteria(account), _open(account),
            decisions(account), gates(account), not_counted(account), waivers(account), _verdict(account),
            steps(account), happened(account), checklist(account), people(account), verification(account),
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
    because = f"<p>{esc(account.because)}</p>" if account.because else ""
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


def _summary(account: Account) -> str:
    listed = "".join(f"<div><dt>{esc(each.about)}</dt><dd>{long(each.text)}</dd></div>" for each in account.summary)
    return f'<dl class="summary">{listed}</dl>'


def _timeline(account: Account) -> str:
    """The verdict and everything that has a time on one axis."""
    if not account.spans or account.began is None or account.ended is None:
        return ""
    window = Window(account.began, account.ended)
    picture = band(account.spans, account.gaps, [each.since for each in account.phases[1:]], window)
    drawn = [_lane("Verdict", labels.verdict(account), picture)]
    for lane in lanes(account):
        label = esc(f"{lane.title}: {lane.note}" if lane.note else lane.title)
        drawn.append(_lane(lane.title, lane.note, lane_picture(lane, window, label)))
    drawn.append(_lane("", "UTC", ticks(window)))
    shown = dict.fromkeys([*(tone(span.word) for span in account.spans), *(["none"] if account.gaps else [])])
    names = {"go": "GO, a go vote, done", "hold": "HOLD, a fault, breaching", "bad": "ROLLBACK, tripped, failed, no-go"}
    names |= {"unknown": "unknown", "none": labels.NOT_WATCHING}
    shown |= dict.fromkeys(tone(bar.word) for lane in lanes(account) for bar in lane.bars if bar.word)
    key = "".join(f'<span><i class="k-{each}"></i>{esc(names[each])}</span>' for each in shown if each in names)
    return section("The night on one axis", f'<div class="lanes">{"".join(drawn)}</div><div class="key">{key}</div>')


def _lane(title: str, note: str, picture: str) -> str:
    quiet = f' <span class="quiet">{esc(note)}</span>' if note else ""
    return f'<div class="lane-title">{esc(title)}{quiet}</div><div class="over">{picture}</div>'


def _verdict(account: Account) -> str:
    """Every word of the verdict with its reason, the phases, and when nobody was watching."""
    if not account.spans:
        return ""
    phases = [
        f"{at(each.since, account)} phase {esc(formatting.phase(each.phase))} began"
        + (f" by {esc(each.by)}" if each.by else "")
        + (f": {esc(each.why)}" if each.why else "")
        for each in account.phases
    ]
    gaps = [
        f"{at(each.since, account)} {labels.NOT_WATCHING} for {formatting.duration(each.until - each.since)}"
        for each in account.gaps
    ]
    listed = rows([_span(span, account) for span in account.spans], "times")
    return section("The verdict over time", f"{listed}{dots([*phases, *gaps])}")


def _span(span: Span, account: Account) -> str:
    word = span.word or labels.NOT_WATCHING
    return (
        f'<div class="num">{at(span.since, account)} <span class="quiet">for {formatting.duration(span.lasted)}</span></div>'
        f"<div>{state(word, tone(span.word))}</div><div>{esc(span.because)}</div>"
    )


def _open(account: Account) -> str:
    listed = [*(f"next: {esc(each)}" for each in account.next_actions), *(esc(each) for each in account.open)]
    return section("Open questions", dots(listed, "pairs") if listed else "<p>None.</p>")
