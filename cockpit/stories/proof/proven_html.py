"""What is proven of a plan as one HTML page that needs nothing else: no script, no font, no address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from html import escape

from cockpit.formatting import duration
from cockpit.stories.proof.prove_bands import worded
from cockpit.stories.proof.proven import PlanProven, ProbeProven, TriggerProven

ZERO = timedelta(0)
_WIDTH, _ROW, _LABEL = 900, 26, 240
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#23272f;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #dcdad3}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.25rem .6rem;vertical-align:top;border-bottom:1px solid #eee}
.bad{color:#ad2a24}.open{color:#8a6100}.quiet{color:#6a6a6a}
svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif}
@media (prefers-color-scheme:dark){
body{background:#16181d;color:#e4e4e4}td,th{border-color:#333}h2{border-color:#444}svg text{fill:#e4e4e4}}
"""


def proven_html(proven: PlanProven) -> str:
    """The page: findings, times of every trigger and criterion as bars, probes, bands, values."""
    parts = [
        f"<h1>{_esc(proven.name)}: what this plan can and cannot do</h1>",
        f'<p class="quiet">{_esc(proven.digest)}</p>',
    ]
    findings = [
        f'<span class="bad">✗</span> {_esc(str(each.position))}: {_esc(each.text)}' for each in proven.findings()
    ]
    parts += _section(
        "Findings", _list(findings) or "<p>None: every trigger can trip, every line can pass and fail, GO can come.</p>"
    )
    undecided = [f'<span class="open">?</span> {_esc(line)}' for line in proven.undecided()]
    if undecided:
        parts += _section("Undecided: not proven, and not to be taken for fine", _list(undecided))
    parts += _section("From the fault to the trip", _bars(_trips(proven.triggers)) + _table(_trigger_rows(proven)))
    parts += _section("Met at the earliest", _bars(_earliest(proven)))
    if proven.ended:
        parts += _section("When the time of until is over", _list(map(_esc, proven.ended)))
    if proven.traffic:
        parts += _section("Traffic that GO needs", _list(map(_esc, proven.traffic)))
    parts += _section("One probe that cannot be read", _table(_probe_rows(proven.probes)))
    worth = [_esc(each.text) for each in (*proven.bands, *proven.redundant)]
    if worth:
        parts += _section("Worth knowing", _list(worth))
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><title>{_esc(proven.name)}</title><style>{STYLE}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _esc(text: str) -> str:
    return escape(text, quote=True)


def _section(title: str, body: str) -> list[str]:
    return [f"<h2>{_esc(title)}</h2>", body]


def _list(lines: Iterable[str]) -> str:
    rows = "".join(f"<li>{line}</li>" for line in lines)
    return f"<ul>{rows}</ul>" if rows else ""


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    head, *others = rows
    cells = "".join(f"<th>{_esc(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{_esc(cell)}</td>" for cell in row) + "</tr>" for row in others)
    return f"<table><tr>{cells}</tr>{body}</table>"


Bar = tuple[str, timedelta, timedelta]
"""A label, and from when to when."""


def _trips(triggers: Iterable[TriggerProven]) -> list[Bar]:
    return [(one.id, one.best or ZERO, one.worst or ZERO) for one in triggers if one.trips]


def _earliest(proven: PlanProven) -> list[Bar]:
    bars = [(one.id, ZERO, one.earliest) for one in proven.criteria if one.earliest is not None]
    return [*bars, ("GO", ZERO, proven.go.earliest)] if proven.go.earliest is not None else bars


def _bars(bars: list[Bar]) -> str:
    """Bars on one scale of time, each with its words: from the first moment (light) to the last (dark)."""
    longest = max((until for _, _, until in bars), default=ZERO)
    if not longest:
        return ""
    scale = (_WIDTH - _LABEL - 130) / longest.total_seconds()
    drawn = "".join(_bar(number, bar, scale) for number, bar in enumerate(bars))
    return f'<svg viewBox="0 0 {_WIDTH} {_ROW * len(bars) + 6}" role="img">{drawn}</svg>'


def _bar(number: int, bar: Bar, scale: float) -> str:
    label, since, until = bar
    y, begin, end = number * _ROW + 4, since.total_seconds() * scale, until.total_seconds() * scale
    words = duration(until) if since in (ZERO, until) else f"{duration(since)} to {duration(until)}"
    return (
        f'<text x="0" y="{y + 14}">{_esc(label)}</text>'
        f'<rect x="{_LABEL}" y="{y}" width="{max(end, 1.5):.1f}" height="18" fill="#c3cbec"/>'
        f'<rect x="{_LABEL}" y="{y}" width="{begin:.1f}" height="18" fill="#7d8cc4"/>'
        f'<text x="{_LABEL + end + 8:.1f}" y="{y + 14}">{_esc(words)}</text>'
    )


def _trigger_rows(proven: PlanProven) -> Iterator[tuple[str, ...]]:
    yield ("Trigger", "Readings that trip it", "Verdict", "Hidden where this cannot be read")
    for one in proven.triggers:
        what = f"{worded(one.values)}: {one.readings}" if one.trips else one.undecided or "never"
        yield (one.id, what, one.verdict, ", ".join(one.hiding()))


def _probe_rows(probes: Iterable[ProbeProven]) -> Iterator[tuple[str, ...]]:
    yield ("Probe", "Decides", "Refused", "Throttled")
    for one in probes:
        cells = [f"{found[0]} after {duration(found[1])}" if found else "" for found in (one.refused, one.throttled)]
        yield (one.name, ", ".join(one.decides) or "nothing", *cells)
