"""The evidence for one criterion, item or probe, as text: why, the chart, what was seen, and how to look oneself. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from cockpit.decide import words
from cockpit.decide.situation import Because, CriterionStatus, ItemStatus, ProbeStatus, Situation
from cockpit.engine.watch import Watching
from cockpit.plan.model import Position
from cockpit.tui import palette
from cockpit.tui.rows import probe_state, state_text, window
from cockpit.tui.widgets.chart import chart
from probes.reading import Unknown

Subject = CriterionStatus | ItemStatus | ProbeStatus


def find(situation: Situation, id_: str) -> Subject | None:
    """What an id names."""
    for status in situation.criteria:
        if status.id == id_:
            return status
    for section in situation.sections:
        for item in section.items:
            if item.id == id_:
                return item
    return next((probe for probe in situation.probes if probe.name == id_), None)


def title(subject: Subject) -> str:
    return subject.name if isinstance(subject, ProbeStatus) else subject.title


def evidence(watch: Watching, id_: str, width: int, height: int) -> Text:
    """Everything known about one subject, for a body of `width` by `height` cells."""
    subject = find(watch.situation, id_)
    if subject is None:
        return Text(f"{id_} is not in this plan", style=palette.QUIET)
    page = _Page(watch, max(20, width - 2))
    chart_height = max(5, min(12, height // 3))
    if isinstance(subject, ProbeStatus):
        return page.probe(subject, chart_height)
    return page.judged(subject, chart_height)


@dataclass(slots=True)
class _Page:
    watch: Watching
    width: int

    def judged(self, subject: CriterionStatus | ItemStatus, chart_height: int) -> Text:
        text = self._head(subject)
        because = subject.because
        for block in (
            self._chart(because, chart_height),
            self._sign_off(subject),
            self._observed(because),
            self._how(because, subject.position, subject.caution, subject.ref),
        ):
            if block.plain:
                text.append("\n")
                text.append_text(block)
        if isinstance(subject, CriterionStatus) and subject.runbook:
            text.append_text(_pair("runbook", subject.runbook))
        return text

    def _head(self, subject: CriterionStatus | ItemStatus) -> Text:
        text = Text()
        text.append(f"{subject.title}\n", style=f"bold {palette.STRONG}")
        if isinstance(subject, CriterionStatus):
            text.append_text(state_text(subject.state, subject.badges))
            facts = [f"since {words.clock(subject.since)}", window(subject), subject.kind, subject.severity]
            text.append("  " + " · ".join(filter(None, [*facts, *subject.badges])) + "\n", style=palette.QUIET)
        else:
            text.append_text(state_text(subject.check))
            text.append(
                f"  {'killer item' if subject.killer else ''}{'' if subject.blocking else ' not blocking'}\n",
                style=palette.QUIET,
            )
        text.append(subject.because.line + "\n", style=palette.TEXT)
        if subject.unknown is not None and subject.unknown.hint:
            text.append(f"what to do: {subject.unknown.hint}\n", style=f"bold {palette.UNKNOWN}")
        return text

    def _chart(self, because: Because, height: int) -> Text:
        shown = next(
            (o for o in because.observed if isinstance(o.value, (int, float)) and not isinstance(o.value, bool)), None
        )
        if shown is None:
            return Text("")
        limit = next(
            (t.value for t in because.thresholds if t.path == shown.path and isinstance(t.value, (int, float))), None
        )
        points = self.watch.series(*shown.path.split("."))
        lines = chart(
            points, self.width, height, threshold=limit if not isinstance(limit, bool) else None, unit=shown.unit
        )
        text = Text().append(shown.path, style=f"bold {palette.TEXT}")
        text.append(f"  {shown.meaning}\n", style=palette.QUIET)
        return text + Text("\n").join(lines) + Text("\n")

    @staticmethod
    def _sign_off(subject: CriterionStatus | ItemStatus) -> Text:
        signed = subject.sign_off
        if signed is None:
            return Text("")
        text = _pair("asks", f"{signed.ask} ({' or '.join(signed.roles)})")
        if signed.at is not None:
            drill = ", in a rehearsal" if signed.rehearsal else ""
            text.append_text(
                _pair("signed", f"{signed.by} as {signed.role} at {words.clock(signed.at)}{drill}: {signed.answer}")
            )
        if signed.stale:
            text.append_text(_pair("stale", signed.stale))
        return text

    def _observed(self, because: Because) -> Text:
        text = Text()
        for observed in because.observed:
            text.append(f"{observed.path:32} ", style=palette.QUIET)
            text.append(observed.text, style=f"bold {palette.TEXT if observed.unknown is None else palette.UNKNOWN}")
            limit = next((t.text for t in because.thresholds if t.path == observed.path), "")
            text.append(f"  {limit}\n", style=palette.HOLD)
            if observed.unknown is not None:
                text.append(f"    {observed.unknown.detail}\n", style=palette.QUIET)
        return text

    def _how(self, because: Because, position: Position, caution: str, ref: str) -> Text:
        text = Text()
        for line in because.lines[:8]:
            text.append(f"  {line}\n", style=palette.TEXT)
        age = f"{words.duration(self.watch.situation.now - because.data_at)} old" if because.data_at else ""
        for name, value in (
            ("condition", because.condition),
            ("plan", str(position)),
            ("from", ref),
            ("caution", caution),
            ("data", age),
            ("query", because.query),
            ("request id", because.request_id),
            ("console", because.console_url),
        ):
            if value:
                text.append_text(_pair(name, value))
        return text

    def probe(self, status: ProbeStatus, chart_height: int) -> Text:
        text = Text().append(f"{status.name}  {status.uses}\n", style=f"bold {palette.STRONG}")
        text.append(f"{probe_state(status)}", style="bold")
        text.append(f"  read {status.readings} times, every {words.duration(status.interval)}\n", style=palette.QUIET)
        for name, why in _by_cause(status):
            text.append(f"{name}: {why.reason}: {why.detail}\n", style=palette.UNKNOWN)
            if why.hint:
                text.append(f"what to do: {why.hint}\n", style=f"bold {palette.UNKNOWN}")
        number = next(
            (n for n, v in status.known.items() if isinstance(v, (int, float)) and not isinstance(v, bool)), None
        )
        if number is not None:
            text.append(f"\n{number}\n", style=f"bold {palette.TEXT}")
            text += Text("\n").join(chart(self.watch.series(status.name, number), self.width, chart_height))
        text.append("\n\n")
        reading = self.watch.latest(status.name)
        for name, held in (reading.values if reading else {}).items():
            text.append(f"{name:32} ", style=palette.QUIET)
            text.append(f"{_raw(held)}\n", style=palette.TEXT)
        for line in status.lines:
            text.append(f"  {line}\n", style=palette.TEXT)
        for name, value in (("query", status.query), ("console", status.console_url)):
            if value:
                text.append_text(_pair(name, value))
        return text


def _by_cause(status: ProbeStatus) -> Iterator[tuple[str, Unknown]]:
    grouped: dict[Unknown, list[str]] = {}
    for name, why in status.unknown.items():
        grouped.setdefault(why, []).append(name)
    for why, names in grouped.items():
        yield ", ".join(names), why


def _pair(name: str, value: str) -> Text:
    text = Text().append(f"{name:>11}  ", style=palette.QUIET)
    text.append(f"{value}\n", style=palette.TEXT)
    return text


def _raw(held: object) -> str:
    return held.isoformat() if isinstance(held, datetime) else str(held)
