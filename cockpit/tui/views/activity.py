"""What happened lately, what is new since somebody looked, and what the others at this cutover did last. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime

from rich.text import Text

from cockpit import formatting
from cockpit.decide.events import Change, Entry, Record, Statement
from cockpit.decide.situation import Situation
from cockpit.decide.states import Check, State
from cockpit.plan.model import VERDICT
from cockpit.tui import theme
from cockpit.tui.text import plain
from cockpit.tui.views import timeline
from cockpit.tui.views.lists import recorded_text

NEWEST = 60
"""Entries of a record that are looked at."""
OTHERS = 3
"""People who are named."""
WORD = 16
"""Cells for the word of an entry."""


def new_since(record: Record, since: datetime | None) -> list[Entry]:
    """What is later than a moment, the newest first; nothing where there is none."""
    return [entry for entry in reversed(record.entries) if since is not None and entry.at > since]


def last_acts(record: Record, who: str | None) -> list[tuple[str, Change]]:
    """What each of the others stated last, the latest first; what machines note in their own names is no person's act."""
    found: dict[str, Change] = {}
    for entry in reversed(record.entries[-10 * NEWEST :]):
        if isinstance(entry, Statement) and entry.by and entry.by != who and entry.by not in found:
            found[entry.by] = timeline.as_change(entry)
    return list(found.items())[:OTHERS]


def operators(situation: Situation, acts: list[tuple[str, Change]], titles: Mapping[str, str], width: int) -> Text:
    """Others and their last act, how long ago; nothing where nobody else has stated anything."""
    text = Text(no_wrap=True)
    lines = [Text("OPERATORS", style=f"bold {theme.TEXT}")] if acts else []
    for by, change in acts:
        ago = formatting.duration(situation.now - change.at)
        what = plain(titles.get(change.subject, change.subject))
        lines.append(Text(f"{plain(by)}: {change.after.lower()} {what}, {ago} ago", style=theme.TEXT))
    return _listed(text, lines, width)


def activity(
    situation: Situation,
    record: Record,
    titles: Mapping[str, str],
    *,
    since: datetime | None,
    width: int,
    height: int,
) -> Text:
    """The newest entries, with a line below what is new since `since`. Nothing in it changes with the time alone."""
    most = max(0, height)
    newest = record.entries[: -min(NEWEST, most) - 1 : -1]  # the others are below the edge
    changes, items = timeline.changes(newest, situation), _items(situation)
    new = len(new_since(record, since))
    lines = [Text(f"ACTIVITY{f'  {new} new since you looked' if new else ''}", style=f"bold {theme.TEXT}")]
    for number, change in enumerate(changes):
        if number == new and new:
            lines.append(Text("── you looked ──", style=theme.QUIET))
        lines.append(entry_line(change, titles, items, new=number < new))
    return _listed(Text(no_wrap=True), lines[:most], width)


def _listed(text: Text, lines: list[Text], width: int) -> Text:
    for line in lines:
        line.truncate(width, overflow="ellipsis")
        text.append_text(line).append("\n")
    return text


def _items(situation: Situation) -> frozenset[str]:
    return frozenset(item.id for section in situation.sections for item in section.items)


def entry_line(change: Change, titles: Mapping[str, str], items: Container[str], *, new: bool) -> Text:
    """One entry: `*` where it is new, when, what it became, and what it is about; `items`: ids of those of the checklist."""
    word = recorded_text(change.after, of=Check if change.subject in items else State)
    word.truncate(WORD, overflow="ellipsis", pad=True)
    line = Text("* " if new else "  ", style=f"bold {theme.STRONG}")
    line.append(f"{formatting.clock(change.at)} ", style=theme.QUIET).append_text(word)
    line.append(f" {plain(titles.get(change.subject, change.subject))}", style=theme.TEXT)
    return line.append(f"  {plain(change.because, longest=200)}" if change.because else "", style=theme.QUIET)


def away_body(
    record: Record,
    titles: Mapping[str, str],
    situation: Situation,
    since: datetime,
    width: int,
    most: int,
    *,
    who: str | None = None,
) -> tuple[int, Text]:
    """How much happened while nobody pressed a key, and lines of it.

    What people other than `who` did last has a line of its own: a verdict that turns often would leave no room for it.
    """
    new = new_since(record, since)
    acts = [
        f"{plain(by)} {formatting.clock(change.at)} {change.after.lower()} {plain(titles.get(change.subject, change.subject))}"
        for by, change in last_acts(record, who)
        if change.at > since
    ]
    lines = [Text(f"  {' · '.join(acts)}", style=theme.TEXT)] if acts else []
    # The verdict's own changes are never left out for others.
    ranked = sorted(range(len(new)), key=lambda place: getattr(new[place], "subject", "") != VERDICT)
    shown = timeline.changes([new[place] for place in sorted(ranked[:most])], situation)
    items = _items(situation)
    lines += [entry_line(change, titles, items, new=True) for change in shown]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return len(new), Text("\n").join(lines)


def away_card(count: int, body: Text, situation: Situation, since: datetime, width: int, most: int) -> Text:
    """The card: how long and how much, then the lines of `away_body`; empty where nothing happened."""
    if not count:
        return Text("")
    away = formatting.duration(situation.now - since)
    head = f"WHILE YOU WERE AWAY ({away}, since {formatting.clock(since)}): {formatting.count(count, 'change')}"
    line = Text(head + (", all on screen 6" if count > most else ""), style=f"bold {theme.STRONG}")
    line.truncate(width, overflow="ellipsis")
    return Text("\n").join((line, body))
