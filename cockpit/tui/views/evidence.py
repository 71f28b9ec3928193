"""The evidence for one criterion, item, gate, probe or change of the verdict, as text. Pure.

Reason, chart, readings, and how to check by hand: what decides comes first, so that a short terminal shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.text import Text

from cockpit import formatting
from cockpit.decide.because import Explanation, Observed
from cockpit.decide.events import Change
from cockpit.decide.situation import CriterionStatus, GateStatus, ItemStatus, ProbeStatus
from cockpit.decide.states import Check, State
from cockpit.engine.ports import Watching
from cockpit.plan.model import VERDICT
from cockpit.plan.position import Position
from cockpit.tui import theme
from cockpit.tui.text import hanging, plain, wrapped
from cockpit.tui.views.evidence_bundle import titles
from cockpit.tui.views.lists import criterion_state, gate_state, recorded_text, state_text, window
from cockpit.tui.views.lookup import change_of, find
from cockpit.tui.views.operand_charts import is_number, leading, marks, operand_chart
from cockpit.tui.widgets.chart import chart
from probes.reading import Unknown

INDENT = 10
LINES = 8


def evidence(watch: Watching, id_: str, width: int, height: int, *, zoom: int = 0) -> Text:
    """Everything known about one subject, for a body of `width` by `height` cells; `zoom` as of `operand_chart`."""
    page = _Page(watch, max(20, width), zoom)
    chart_height = max(4, min(12, height // 3))
    change = change_of(watch, id_)
    if change is not None:
        return page.change(change)
    subject = find(watch.situation, id_)
    if subject is None:
        return Text(f"{id_} is not in this plan", style=theme.QUIET)
    if isinstance(subject, ProbeStatus):
        return page.probe(subject, chart_height)
    if isinstance(subject, GateStatus):
        return page.gate(subject)
    return page.judged(subject, chart_height)


@dataclass(slots=True)
class _Page:
    watch: Watching
    width: int
    zoom: int = 0

    # -- criterion and item ------------------------------------------------------------------------------------------

    def judged(self, subject: CriterionStatus | ItemStatus, chart_height: int) -> Text:
        because = subject.because
        blocks = (
            self._head(subject),
            self._charts(subject, chart_height),
            self._sign_off(subject),
            self._observed(because),
            self._how(because, subject.position, subject.ref),
        )
        text = Text("\n").join(block for block in blocks if block.plain)
        if isinstance(subject, CriterionStatus) and subject.runbook:
            text += self._pair("runbook", subject.runbook)
        return text

    def _head(self, subject: CriterionStatus | ItemStatus) -> Text:
        text = self._lines(subject.title, f"bold {theme.STRONG}")
        if isinstance(subject, CriterionStatus):
            state = criterion_state(subject, self.watch.situation.now, self.watch.situation.verdict.phase)
            facts = [window(subject), *subject.badges, f"since {formatting.clock(subject.since)}"]
            facts += [str(subject.kind), str(subject.severity)]
        else:
            state = state_text(subject.check)
            facts = ["critical" if subject.killer else "", "" if subject.blocking else "not blocking"]
            facts += [f"since {formatting.clock(subject.since)}"]
        text += self._facts(state, facts)
        hint = subject.unknown.hint if subject.unknown is not None else ""
        line = subject.because.line.removesuffix(f" ({hint})") if hint else subject.because.line
        text += self._lines(line, theme.TEXT)
        detail = subject.detail if isinstance(subject, ItemStatus) else ""
        for more, style in ((detail, theme.HOLD), (subject.caution, theme.HOLD)):
            if more and more not in line:
                text += self._lines(more, style)
        if hint:
            text += self._lines(f"what to do: {hint}", f"bold {theme.UNKNOWN}")
        return text

    def _charts(self, subject: CriterionStatus | ItemStatus, height: int) -> Text:
        """One for each operand that is against; where none is, of the first number."""
        text, shown = Text(), leading(subject.because)
        height = max(3, height // max(1, len(shown)))
        for each in shown:
            title = Text(no_wrap=True).append(each.path, style=f"bold {theme.TEXT}")
            title.append(f"  {each.meaning}", style=theme.QUIET)
            title.truncate(self.width, overflow="ellipsis")
            watch, marked = self.watch, marks(self.watch.record)
            lines = operand_chart(subject, each, watch.series, self.width, height, marked=marked, zoom=self.zoom)
            text.append_text(Text("\n").join([title, *lines])).append("\n")
        return text

    def _sign_off(self, subject: CriterionStatus | ItemStatus) -> Text:
        signed = subject.sign_off
        if signed is None:
            return Text("")
        text = self._pair("asks", f"{signed.ask} ({formatting.roles(signed.roles)})")
        if signed.at is not None:
            drill = ", in a rehearsal" if signed.rehearsal else ""
            by = f"{signed.by} as {formatting.role(signed.role)} at {formatting.clock(signed.at)}{drill}: {signed.answer}"
            text += self._pair("signed", by)
        if signed.stale:
            text += self._pair("stale", signed.stale)
        return text

    def _observed(self, because: Explanation) -> Text:
        text = Text()
        longest = max((len(observed.path) for observed in because.observed), default=0)
        for observed in because.observed:
            text += self._value(observed, observed.limit, min(longest, self.width // 2))
            if observed.unknown is not None and observed.unknown.detail not in because.line:
                text += self._lines(observed.unknown.detail, theme.QUIET, indent=4)
        return text

    def _value(self, observed: Observed, limit: str, longest: int) -> Text:
        text = Text(no_wrap=True).append(f"{observed.path:{longest}}  ", style=theme.QUIET)
        colour = theme.TEXT if observed.unknown is None else theme.UNKNOWN
        text.append(plain(observed.text), style=f"bold {colour}")
        text.append(f"  ({limit})" if limit else "", style=theme.HOLD)
        text.truncate(self.width, overflow="ellipsis")
        return text.append("\n")

    def _how(self, because: Explanation, position: Position, ref: str) -> Text:
        age = f"{formatting.duration(self.watch.situation.now - because.data_at)} old" if because.data_at else ""
        samples = f", {formatting.count(because.samples, 'sample')}" if because.samples else ""
        text = self._saw(because.lines)
        for name, value in (
            ("condition", because.condition),
            ("plan", str(position)),
            ("from", ref),
            ("data", age + samples),
            ("query", " ".join(because.query.splitlines())),
            ("request id", because.request_id),
            ("console", because.console_url),
        ):
            if value:
                text += self._pair(name, value)
        return text

    # -- gate and verdict --------------------------------------------------------------------------------------------

    def gate(self, gate: GateStatus) -> Text:
        text = self._lines(gate.title, f"bold {theme.STRONG}")
        text += self._facts(gate_state(gate), [f"before {gate.before}"])
        for name, parts in (("missing", gate.missing), ("votes", gate.votes), ("left out", gate.not_counted)):
            for number, part in enumerate(parts):
                text += self._pair(name if number == 0 else "", part)
        return text

    def change(self, change: Change) -> Text:
        """Why the word became another: the reason kept, and what changed at the same time."""
        titled = titles(self.watch.plan)
        items = {item.id for _, item in self.watch.plan.items()}

        def word(text: str, subject: str) -> Text:
            return recorded_text(text, of=Check if subject in items else State)

        what = "Verdict" if change.subject == VERDICT else titled.get(change.subject, change.subject)
        turn = " → ".join(word(each, change.subject).plain[2:] for each in (change.before, change.after))
        text = self._lines(f"{what}: {turn}", f"bold {theme.STRONG}")
        text += self._facts(word(change.after, change.subject), [f"at {formatting.clock(change.at)} UTC"])
        text += self._lines(change.because or "no reason was recorded", theme.TEXT)
        together = [c for c in self.watch.changes() if c.at == change.at and c is not change]
        if together:
            text.append("\nAT THE SAME TIME\n", style=f"bold {theme.TEXT}")
        for other in together:
            text += self._facts(word(other.after, other.subject), [titled.get(other.subject, other.subject)])
            text += self._lines(other.because, theme.QUIET, indent=4)
        return text

    # -- probe -------------------------------------------------------------------------------------------------------

    def probe(self, status: ProbeStatus, chart_height: int) -> Text:
        spec = self.watch.plan.probes[status.name]
        units = {field.name: field.unit for field in spec.fields}
        text = self._lines(f"{status.name}  {status.uses}", f"bold {theme.STRONG}")
        often = f"read {status.readings} times, every {formatting.duration(status.interval)}"
        took = f"took {formatting.value(status.latency_s, 's')}" if status.latency_s is not None else ""
        text += self._facts(state_text(status.visibility), [often, took])
        for name, why in _by_cause(status):
            text += self._lines(f"{name}: {why.line}", theme.UNKNOWN)
            if why.hint:
                text += self._lines(f"what to do: {why.hint}", f"bold {theme.UNKNOWN}")
        number = next((name for name, value in status.known.items() if is_number(value)), None)
        if number is not None:
            text.append(f"\n{number}\n", style=f"bold {theme.TEXT}")
            series = self.watch.series(status.name, number)
            text += Text("\n").join(chart(series, self.width, chart_height, unit=units.get(number, "")))
            text.append("\n")
        text.append("\n")
        reading = self.watch.latest(status.name)
        values = reading.values if reading else {}
        longest = max(map(len, values), default=0)
        for name, held in values.items():
            styles = (theme.QUIET, theme.TEXT)
            text += hanging(
                name, formatting.value(held, units.get(name, "")), self.width, indent=longest, styles=styles
            )
        text += self._saw(status.lines)
        for name, value in (
            ("plan", str(spec.position)),
            ("query", " ".join(status.query.splitlines())),
            ("console", status.console_url),
        ):
            if value:
                text += self._pair(name, value)
        return text

    # -- parts -------------------------------------------------------------------------------------------------------

    def _saw(self, lines: tuple[str, ...]) -> Text:
        text = Text()
        for number, line in enumerate(lines[:LINES]):
            text += self._pair("saw" if number == 0 else "", line)
        return text

    def _facts(self, state: Text, facts: list[str]) -> Text:
        """The state, then as many facts as fit beside it."""
        text = Text().append_text(state)
        for number, fact in enumerate(filter(None, facts)):
            part = ("  " if number == 0 else " · ") + plain(fact)
            if number and text.cell_len + len(part) > self.width:
                break
            text.append(part, style=theme.QUIET)
        text.truncate(self.width, overflow="ellipsis")
        return text.append("\n")

    def _lines(self, value: str, style: str, indent: int = 0) -> Text:
        lines = wrapped(value, self.width - indent) if value else []
        return Text().append("".join(f"{' ' * indent}{line}\n" for line in lines), style=style)

    def _pair(self, name: str, value: str) -> Text:
        return hanging(name, value, self.width, indent=INDENT, styles=(theme.QUIET, theme.TEXT))


def _by_cause(status: ProbeStatus) -> Iterator[tuple[str, Unknown]]:
    grouped: dict[Unknown, list[str]] = {}
    for name, why in status.unknown.items():
        grouped.setdefault(why, []).append(name)
    for why, names in grouped.items():
        yield ", ".join(names), why
