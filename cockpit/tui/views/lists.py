"""From a Situation to the rows of each list. Pure: what is shown is decided here, how it is painted elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from rich.text import Text

from cockpit import formatting
from cockpit.decide.because import Observed
from cockpit.decide.events import Change
from cockpit.decide.situation import (
    Badge,
    CriterionStatus,
    GateStatus,
    ItemStatus,
    ProbeStatus,
    SectionStatus,
    Situation,
)
from cockpit.decide.states import Check, Shown, State, Visibility, known_meaning
from cockpit.plan.model import VERDICT, Kind, Phase
from cockpit.tui import theme
from cockpit.tui.widgets.chart import bar, sparkline
from cockpit.tui.widgets.grid import Cells, Column, LateCells, Row
from probes.reading import Reason

SPARK = 16
Series = Callable[[str, str], Sequence[tuple[datetime, float | None]]]

STATE = 20
"""Cells for a state with how far its window is."""

CUTOVER = (
    Column("state", "STATE", STATE),
    Column("title", "CRITERION", rank=0, least=20, ample=40, weight=4, most=64, middle=True),
    Column("value", "VALUE (LIMIT)", rank=1, least=22, ample=32),
    Column("window", "WINDOW", 15, rank=4),
    Column("bar", "", 10, rank=6, ornament=True),
    Column("age", "AGE", 6, rank=3),
    Column("spark", "TREND", SPARK, rank=5, ornament=True),
)
COMPACT = (
    Column("state", "STATE", 12),
    Column("value", "VALUE (LIMIT)", rank=0, least=21),
    Column("title", "CRITERION", rank=1, least=10, middle=True),
)
"""Of a side pane: what decides comes before the title."""
CHECKLIST = (
    Column("state", "STATE", 11),
    Column("title", "ITEM", rank=0, least=32, most=70),
    Column("who", "SIGNED", 24, rank=1),
    Column("because", "BECAUSE", rank=2, least=30),
)
PROBES = (
    Column("state", "STATE", 11),
    Column("name", "PROBE", 16),
    Column("age", "AGE", 6, rank=1),
    Column("saw", "SEES, OR WHY NOT", rank=0, least=37),
    Column("uses", "USES", 22, rank=3),
    Column("every", "EVERY", 9, rank=2),
    Column("took", "TOOK", 7, rank=2),
)
TIMELINE = (
    Column("at", "UTC", 8),
    Column("before", "WAS", 13, rank=2),
    Column("after", "NOW", 14),
    Column("subject", "WHAT", rank=0, least=20, most=64),
    Column("because", "BECAUSE", rank=1, least=24),
)


def state_text(state: Shown, badges: Sequence[Badge] = ()) -> Text:
    """Symbol and word in its colour; WAIVED for what is waived."""
    shown = Check.WAIVED if Badge.WAIVED in badges else state
    return Text(f"{shown.meaning.symbol} {shown.label}", style=f"bold {theme.of_meaning(shown.meaning)}", no_wrap=True)


def criterion_state(status: CriterionStatus, now: datetime, phase: Phase) -> Text:
    """The state with how far its window is; what could not be read the last time is as old as its data, and no longer green."""
    baseline = phase is Phase.PRE_DEPLOY and status.kind is Kind.SUCCESS
    because, progress = status.because, status.because.progress
    if Badge.WAIVED in status.badges:
        return state_text(status.state, status.badges)
    if in_grace(status) and because.data_at is not None:
        ago = formatting.duration(now - because.data_at)
        return Text(f"? {status.state.label} {ago} ago", style=f"dim {theme.UNKNOWN}", no_wrap=True)
    text = state_text(status.state)
    if status.unknown is None and progress is not None and progress.need and status.state.judging.running:
        have, need = _floored(progress.have), formatting.duration(progress.need)
        of = " of " if text.cell_len + len(have) + len(need) + 5 <= STATE else "/"
        text.append(f" {have}{of}{need}")
    if baseline:
        text.stylize(theme.QUIET)
    return text


def in_grace(status: CriterionStatus) -> bool:
    """Whether a good state stands only because its newest reading failed in a way that may pass by itself."""
    return (
        status.unknown is None
        and status.state.meaning.done
        and any(
            each.unknown is not None and each.unknown.bounds is None and each.unknown.reason.traits.transient
            for each in status.because.observed
        )
    )


def _floored(have: timedelta) -> str:
    """Whole minutes, from one on: seconds that pass are no news. What a hair is missing of is whole, as in `formatting`.

    >>> _floored(timedelta(seconds=299)), _floored(timedelta(seconds=45)), _floored(timedelta(seconds=179.9999))
    ('4m', '45s', '3m')
    """
    seconds = int(have.total_seconds() + 0.01)
    return formatting.duration(timedelta(seconds=seconds - seconds % 60 if seconds >= 60 else seconds))


def recorded_text(word: str, style: str = "bold", *, of: type[Shown] = State) -> Text:
    """A word of the record as `state_text` shows it; what is no state (an act, say) as plain text. `of`: whose word it is."""
    meaning = known_meaning(word)
    word = of(word).label if word in set(of) else word
    symbol, colour = (meaning.symbol, theme.of_meaning(meaning)) if meaning else (" ", theme.TEXT)
    return Text(f"{symbol} {word}", style=f"{style} {colour}".strip(), no_wrap=True)


# -- cutover ---------------------------------------------------------------------------------------------------------


def cutover(situation: Situation, series: Series) -> list[Row]:
    """Success criteria, then triggers, each with a heading that counts."""
    now, phase = situation.now, situation.verdict.phase
    rows = []
    for kind, title, healthy in (
        (Kind.SUCCESS, "SUCCESS CRITERIA", "met"),
        (Kind.TRIGGER, "ROLLBACK TRIGGERS", "clear"),
    ):
        own = [status for status in situation.criteria if status.kind is kind]
        done = sum(status.state.meaning.done for status in own)
        baseline = kind is Kind.SUCCESS and phase is Phase.PRE_DEPLOY
        count = "baseline, does not count yet" if baseline else f"{done}/{len(own)} {healthy}"
        rows.append(Row(f"heading:{kind}", heading=_heading(title, count), selectable=False))
        rows += [_criterion(status, now, series, phase) for status in own]
    return rows


def _heading(title: str, count: str) -> Text:
    text = Text(no_wrap=True).append(f"{title} ", style=f"bold {theme.TEXT}")
    text.append(f" {count}", style=theme.QUIET)
    return text


def _criterion(status: CriterionStatus, now: datetime, series: Series, phase: Phase) -> Row:
    because = status.because
    age = formatting.duration(now - because.data_at) if because.data_at else ""
    left = formatting.duration(status.trips_in) if status.trips_in is not None else ""
    # Most of an explanation is the same object until a reading changes it: comparing it is then nearly free.
    made_from = (because, status.state, status.badges, status.ok, age, left, phase)
    cells = LateCells(made_from, partial(_criterion_cells, status, now, series, phase, age))
    search = f"{status.id} {status.title} {status.state} {status.state.label} {because.line}".lower()
    return Row(status.id, cells, search=search, failing=not status.ok)


def _criterion_cells(status: CriterionStatus, now: datetime, series: Series, phase: Phase, age: str) -> Cells:
    because = status.because
    title = Text(status.title, style=theme.TEXT if status.enforced else theme.QUIET)
    for badge in status.badges:
        if badge is not Badge.WAIVED:
            title.append(f" [{badge}]", style=f"bold {theme.HOLD}")
    limits = {t.path: float(t.value) for t in because.thresholds if type(t.value) in (int, float)}
    trends = (sparkline(series(*o.path.split(".")), SPARK, limits.get(o.path)) for o in because.observed)
    trend = next(filter(None, trends), "")
    progress = because.progress
    proving = progress is not None and progress.need and status.state.judging.running
    return (
        ("state", criterion_state(status, now, phase)),
        ("title", title),
        ("window", Text(window(status), style=theme.of_meaning(status.state.meaning))),
        ("value", Text(value(status), style=theme.TEXT if status.unknown is None else theme.UNKNOWN)),
        ("age", Text(age, style=theme.QUIET)),
        ("spark", Text(trend, style=theme.QUIET)),
        (
            "bar",
            Text(bar(progress.ratio, 10) if proving and progress else "", style=theme.of_meaning(status.state.meaning)),
        ),
    )


def window(status: CriterionStatus) -> str:
    """When the window of a state ends, or how long it was, as short as possible."""
    progress = status.because.progress
    if status.trips_in is not None:
        return "at next reading" if not status.trips_in else f"trips in {formatting.duration(status.trips_in)}"
    if status.unknown is not None or progress is None or not progress.need:
        return ""
    if status.met_in is not None:
        return f"met in {formatting.duration(status.met_in)}"
    if status.state is State.RECOVERING:
        return f"clear {formatting.duration(progress.have)}"
    return f"{progress.verb} {formatting.duration(progress.need)}"


def value(status: CriterionStatus) -> str:
    """What decides, with its limit: where something is wrong that alone, and how many others are not."""
    seen = status.because.observed
    if status.unknown is not None:
        hidden = [each for each in seen if each.unknown is not None]
        named = f" ({_name(hidden[0], seen)})" if 0 < len(hidden) < len(seen) else ""
        if status.unknown.reason is Reason.WARMING:
            # It may have readings, none of them of this phase; a title of 22 cells has no room for "since it began".
            return "waiting for 1st reading" if status.because.data_at is None else "waiting for new data"
        if status.unknown.reason is Reason.OBSERVER_GAP:
            return "cockpit not watching"
        return f"{status.unknown.reason}{named}"
    if len(seen) == 1:
        return seen[0].text + (f" ({seen[0].limit})" if seen[0].limit else "")
    against = [each for each in seen if each.against]
    fine = f"  +{len(seen) - len(against)} ok" if 0 < len(against) < len(seen) else ""
    return ", ".join(_worded(each, seen) for each in against or seen) + fine


def _worded(observed: Observed, among: Sequence[Observed]) -> str:
    limit = f" ({observed.limit})" if observed.against and observed.limit else ""
    return observed.named(_name(observed, among)) + limit


def _name(observed: Observed, among: Sequence[Observed]) -> str:
    """The field, or the probe where the field alone would say nothing."""
    probe, _, field = observed.path.partition(".")
    alike = sum(other.path.partition(".")[2] == field for other in among)
    return (probe if alike > 1 or field == "value" else field).replace("_", " ")


# -- checklist -------------------------------------------------------------------------------------------------------


def checklist(situation: Situation, folded: set[str]) -> list[Row]:
    """Sections with their items; a folded section shows only its heading."""
    rows = []
    phase: Phase | None = None
    for section in situation.sections:
        if section.phase is not phase:
            phase = section.phase
            name = "BEFORE DEPLOYMENT" if phase is Phase.PRE_DEPLOY else "AFTER DEPLOYMENT"
            own = [s for s in situation.sections if s.phase is phase]
            count = f"{sum(s.done for s in own)}/{sum(len(s.items) for s in own)} done"
            rows.append(Row(f"phase:{phase}", heading=_heading(name, count), selectable=False))
        closed = section.title in folded
        rows.append(_section(section, closed=closed))
        if not closed:
            rows += [_item(item, section) for item in section.items]
    if situation.gates:
        count = f"{sum(gate.passed for gate in situation.gates)}/{len(situation.gates)} passed"
        rows.append(Row("heading:gates", heading=_heading("GATES", count), selectable=False))
    for gate in situation.gates:
        rows.append(
            Row(
                gate.id,
                (
                    ("state", gate_state(gate)),
                    ("title", Text(f"  {gate.title}, before {gate.before}", style=f"bold {theme.TEXT}")),
                    ("who", Text("; ".join(gate.votes), style=theme.QUIET)),
                    ("because", Text("; ".join((*gate.missing, *gate.not_counted)), style=theme.HOLD)),
                ),
                search=f"gate {gate.title}".lower(),
                failing=not gate.passed,
            )
        )
    return rows


def gate_state(gate: GateStatus) -> Text:
    """A gate that was used says when: its votes are spent, and it asks for none."""
    text = state_text(gate.state)
    if gate.used_at is not None:
        text = Text(f"{gate.state.meaning.symbol} used {gate.used_at:%H:%M}", style=text.style, no_wrap=True)
    return text


def _section(section: SectionStatus, *, closed: bool) -> Row:
    total = len(section.items)
    colour = theme.GO if section.done == total else theme.HOLD
    text = Text(no_wrap=True).append(f"{'▸' if closed else '▾'} {section.title}  ", style=f"bold {theme.TEXT}")
    text.append(bar(section.done / total if total else 0.0, 12), style=colour)
    text.append(f" {section.done}/{total}", style=theme.QUIET)
    return Row(f"section:{section.title}", heading=text, search=section.title.lower(), failing=section.done < total)


def _item(item: ItemStatus, section: SectionStatus) -> Row:
    title = Text(f"{'● ' if item.killer else '  '}{item.title}", style=theme.TEXT if item.blocking else theme.QUIET)
    if not item.blocking:
        title.append(" (not blocking)", style=theme.QUIET)
    cells = (
        ("state", state_text(item.check)),
        ("title", title),
        ("who", Text(_who(item), style=theme.QUIET)),
        ("because", Text(item.detail if item.check is Check.STALE else item.because.line, style=theme.QUIET)),
    )
    search = f"{item.id} {item.title} {item.check} {item.check.label} {item.because.line} {section.title}".lower()
    return Row(item.id, cells, search=search, failing=not item.check.meaning.done)


def _who(item: ItemStatus) -> str:
    signed = item.sign_off
    if signed is None:
        return "probe"
    if signed.at is None:
        return f"by {formatting.roles(signed.roles)}"
    drill = " rehearsed" if signed.rehearsal else ""
    return f"{signed.by} {formatting.clock(signed.at)[:5]}{drill}"


# -- probes ----------------------------------------------------------------------------------------------------------


Units = Mapping[str, str]
"""Field name to unit."""


def probes(situation: Situation, units: Mapping[str, Units], slowed: Mapping[str, float]) -> list[Row]:
    """Every probe: what it sees, or why not and what to do about it. `units` are by probe, then by field.

    `slowed` says how many times its interval a probe waits.
    """
    return [_probe(status, units.get(status.name, {}), slowed.get(status.name, 1.0)) for status in situation.probes]


def _probe(status: ProbeStatus, units: Units, slowed: float) -> Row:
    state = status.visibility
    clear = state is Visibility.SEES
    times = f" x{slowed:.0f}" if slowed > 1 else ""
    cells = (
        ("state", state_text(state)),
        ("name", Text(status.name, style=theme.TEXT)),
        ("age", Text(formatting.duration(status.age) if status.age is not None else "", style=theme.QUIET)),
        ("saw", Text(saw(status, units), style=theme.TEXT if clear else theme.of_meaning(state.meaning))),
        ("uses", Text(status.uses, style=theme.QUIET)),
        ("every", Text(formatting.duration(status.interval) + times, style=theme.HOLD if times else theme.QUIET)),
        (
            "took",
            Text(formatting.value(status.latency_s, "s") if status.latency_s is not None else "", style=theme.QUIET),
        ),
    )
    search = f"{status.name} {status.uses} {state} {status.title}".lower()
    return Row(status.name, cells, search=search, failing=state.meaning.failing)


def saw(status: ProbeStatus, units: Units) -> str:
    """What it sees in a few words; or the reason it does not, with the way out first."""
    if status.known and status.visibility in (Visibility.SEES, Visibility.STALE):
        seen = list(status.known.items())[:5]
        return ", ".join(f"{name.replace('_', ' ')} {formatting.value(v, units.get(name, ''))}" for name, v in seen)
    for name, why in status.unknown.items():
        if not why.reason.traits.is_plain_absence or not status.known:
            field = "" if not status.known else f"{name.replace('_', ' ')}: "
            return f"{field}{why.reason.label}: {why.hint or why.detail}"
    return ""


# -- timeline --------------------------------------------------------------------------------------------------------


def timeline(changes: Sequence[Change], titles: dict[str, str], items: Container[str] = ()) -> list[Row]:
    """Every change, the newest first; verdicts stand out. `items`: ids of checklist items, whose words are their own."""
    rows = []
    for number, change in reversed(list(enumerate(changes))):
        verdict = change.subject == VERDICT
        of = Check if change.subject in items else State
        subject = "VERDICT" if verdict else titles.get(change.subject, change.subject)
        cells = (
            ("at", Text(formatting.clock(change.at), style=theme.QUIET)),
            ("before", _before(change, of)),
            ("after", recorded_text(change.after, "bold" if verdict else "", of=of)),
            ("subject", Text(subject, style=f"bold {theme.STRONG}" if verdict else theme.TEXT)),
            ("because", Text(change.because, style=theme.QUIET)),
        )
        search = f"{subject} {change.before} {change.after} {change.because}".lower()
        rows.append(Row(f"change:{number}", cells, search=search, failing=verdict or _stands_out(change.after)))
    return rows


def _before(change: Change, of: type[Shown]) -> Text:
    shown = recorded_text(change.before, "", of=of).plain[2:]
    return Text(f"{shown:>11} →" if change.before else "", style=theme.QUIET)


def _stands_out(word: str) -> bool:
    meaning = known_meaning(word)
    return meaning is not None and meaning.stands_out
