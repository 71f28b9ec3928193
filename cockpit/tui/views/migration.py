"""The Migration screen as text, from a frozen Progress. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.text import Text

from cockpit import formatting
from cockpit.formatting import size
from cockpit.migration.states import OPEN, ItemState, PhaseName
from cockpit.tui import theme
from cockpit.tui.text import hanging, plain
from cockpit.tui.views.throughput import throughput

if TYPE_CHECKING:
    from cockpit.migration.progress import Progress, TableProgress

_COLOURS = {
    "RUNNING": theme.GO, "DONE": theme.GO, "READY": theme.TEXT, "HALTED": theme.BAD, "ABORTED": theme.BAD,
    "ABORTING": theme.BAD, "NO SUPERVISOR": theme.UNKNOWN, "WAITING FOR GUARDS": theme.QUIET,
}  # fmt: skip
_SYMBOLS = {"RUNNING": "▶", "DONE": "✓", "HALTED": "✗", "ABORTED": "✗", "NO SUPERVISOR": "?", "WAITING FOR GUARDS": "…"}
_BLOCKS = "▁▂▃▄▅▆▇█"
INDENT = 10
WIDE = 110


def migration_text(
    progress: Progress, trouble: str, width: int, *, armed: bool, plot: int = 0, beginning: PhaseName | None = None
) -> Text:
    """Everything about the migration, most important first.

    `plot`: rows of a chart of its throughput, 0 for a line of it; `beginning`: a phase that is about to begin.
    """
    text = Text()
    for line in _lines(progress, trouble, width, armed=armed, plot=plot, beginning=beginning):
        text.append_text(line)
        if not line.plain.endswith("\n"):
            text.append("\n")
    return text


def _lines(
    progress: Progress, trouble: str, width: int, *, armed: bool, plot: int, beginning: PhaseName | None
) -> Iterator[Text]:
    if trouble:
        of = f"; what stands below is of {formatting.clock(progress.at)}" if progress.at is not None else ""
        yield _row("LEDGER", f"cannot be read: {trouble}{of}", width, theme.UNKNOWN)
    yield _headline(progress, width)
    if beginning is not None:
        text = f"{beginning}, in a process of its own: it looks at everything again, then its run is shown here"
        yield _row("BEGINS", text, width)
    if not progress.prepared:
        if beginning is not None:
            return
        yield Text("")
        how = "m starts it: the checks, then the ledger, then the copy" if armed else "arm the cockpit (F9) to start it"
        yield _row("START", f"nothing has been prepared yet; {how}. The copy leaves the bytes in the database.", width)
        return
    if progress.halted:
        text = f"{progress.halted['code']} {progress.halted['detail']}: {progress.halted['hint']}"
        yield _row("HALTED", text, width, theme.BAD)
    if progress.ownerless and beginning is None:
        text = (
            "nobody supervises it, so no file is begun; m goes on with it, d ends it once files in flight have finished"
        )
        if not armed:
            text = f"nobody supervises it, so no file is begun; arm the cockpit (F9), or `cockpit migrate {progress.phase} PLAN`"
        yield _row("LEFT", text, width, theme.UNKNOWN)
    yield from _silent(progress, width)
    yield _bar(progress.done, progress.files, width, progress)
    charts = list(throughput(progress, width, plot)) if plot else []
    yield _rates(progress, width, spark=not charts)
    yield _counts(progress, width)
    for table in progress.tables:
        yield _table(table, width)
    yield Text("")
    yield from charts
    if charts:
        yield Text("")
    yield from _guards(progress, width)
    yield from _workers(progress, width)
    yield from _deaths(progress, width)
    yield from _failures(progress, width)
    yield from _history(progress, width)
    if beginning is None:
        yield from _next(progress, width, armed=armed)
    yield _row("SAFE", _safety(progress), width, theme.QUIET)


def _headline(progress: Progress, width: int) -> Text:
    word = progress.word
    line = Text(no_wrap=True)
    phase = progress.phase.upper() if progress.run else "MIGRATION"
    line.append(f" {phase} ", style=f"bold {theme.STRONG}")
    stands = plain(progress.stands)
    line.append(f"{_SYMBOLS.get(word, '■')} {stands}", style=f"bold {_COLOURS.get(word, theme.HOLD)}")
    until = progress.ended_at or progress.at  # by the database's clock alone, as it began
    if progress.run and progress.started_at is not None and until is not None:
        took = formatting.duration(max(until - progress.started_at, timedelta(seconds=1)))
        text = f"   run {progress.run}, {took}" + (f", by {plain(progress.started_by)}" if progress.started_by else "")
        line.append(text, style=theme.QUIET)
    line.truncate(width, overflow="ellipsis")
    return line


def _bar(done: int, files: int, width: int, progress: Progress) -> Text:
    share = done / files if files else 1.0
    tail = f" {formatting.percent(done, files):>4}  {done:,} of {files:,} files"
    tail += f"  {size(progress.done_bytes)} of {size(progress.bytes)}"
    if progress.eta_s is not None:
        tail += f"  {formatting.between(progress.eta_least_s or progress.eta_s, progress.eta_s)} left"
    room = max(8, width - len(tail) - 2)
    filled = round(room * share)
    line = Text(" ", no_wrap=True)
    line.append("█" * filled, style=theme.GO)
    line.append("░" * (room - filled), style=theme.NO_FILL)
    line.append(tail, style=theme.TEXT)
    return line


def _rates(progress: Progress, width: int, *, spark: bool) -> Text:
    line = Text(" ", no_wrap=True)
    if progress.active:
        line.append(f"{progress.files_per_s:,.0f} files/s  {size(progress.bytes_per_s)}/s", style=f"bold {theme.TEXT}")
        line.append(f"  {progress.in_flight} in flight", style=theme.TEXT)
    if progress.run_files_per_s or not progress.active:  # none has been reported yet: 0 would contradict the bar
        line.append(f"  run average {progress.run_files_per_s:,.0f} files/s", style=theme.QUIET)
    if width >= WIDE and (progress.uploads or progress.adopted):
        line.append(f"  {progress.uploads:,} uploads, {progress.adopted:,} adopted", style=theme.QUIET)
    line.append("  ")
    if spark:
        rates = tuple(each.files_per_s for each in progress.throughput if each.files_per_s is not None)
        line.append(_spark(rates, max(0, width - line.cell_len - 1)), style=theme.GO_FILL)
    return line


def _counts(progress: Progress, width: int) -> Text:
    """What went wrong, in one line that is always there."""
    line = Text(" ", no_wrap=True)
    counts = (
        (progress.count(ItemState.QUARANTINED), "quarantined", theme.BAD),
        (progress.count(ItemState.DIVERGED), "stale", theme.HOLD),
        (progress.errors, "error" if progress.errors == 1 else "errors", theme.HOLD),
        (progress.retries, "retry" if progress.retries == 1 else "retries", theme.TEXT),
    )
    for number, (count, what, colour) in enumerate(counts):
        line.append("  " if number else "")
        line.append(f"{count:,} {what}", style=colour if count else theme.QUIET)
    line.truncate(width, overflow="ellipsis")
    return line


def _spark(values: tuple[float, ...], width: int) -> str:
    shown = values[-width:] if width > 0 else ()
    most = max(shown, default=0.0)
    if most <= 0:
        return ""
    return "".join(_BLOCKS[min(7, int(value / most * 7.99))] for value in shown)


def _table(table: TableProgress, width: int) -> Text:
    share = table.done / table.files if table.files else 1.0
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(table.states.items()))
    line = Text(f" {plain(table.label):<24.24}", style=theme.TEXT, no_wrap=True)
    line.append(f"{formatting.percent(table.done, table.files):>5}  ", style=f"bold {theme.TEXT}")
    line.append("█" * round(12 * share), style=theme.GO)
    line.append("░" * (12 - round(12 * share)), style=theme.NO_FILL)
    line.append(f"  {table.done:,}/{table.files:,}  {states}", style=theme.QUIET)
    line.truncate(width, overflow="ellipsis")
    return line


def _guards(progress: Progress, width: int) -> Iterator[Text]:
    for number, guard in enumerate(progress.guards):
        holds, first = bool(guard.get("holds")), bool(guard.get("first_sight"))
        mark, colour = ("…", theme.QUIET) if first else ("✗", theme.HOLD) if holds else ("✓", theme.GO)
        since = f" since {str(guard['since'])[11:16]}" if holds and guard.get("since") else ""
        held = "" if not holds else ": waits for its first reading" if first else f": HOLDS{since}"
        text = f"{mark} {guard['title']}{held}: {guard['line']}"
        yield hanging("GUARDS" if number == 0 else "", text, width, indent=INDENT, styles=(theme.QUIET, colour))


def _silent(progress: Progress, width: int) -> Iterator[Text]:
    """Above all that goes on without them: which, and since when."""
    for number, worker in enumerate(progress.silent[:2]):
        more = len(progress.silent) - 2 if number else 0
        text = f"{worker.id} {progress.silence(worker).removeprefix('SILENT ')}" + (
            f"; {more} more" if more > 0 else ""
        )
        yield _row("SILENT" if number == 0 else "", text, width, theme.UNKNOWN)


def _workers(progress: Progress, width: int) -> Iterator[Text]:
    shown = progress.reporting[:8]
    for number, worker in enumerate(shown):
        text = f"{worker.id}  {worker.state}, {worker.in_flight} in flight; {worker.why}; {worker.files:,} files, "
        text += f"{worker.retries:,} retries, p95 {worker.p95_ms:.0f} ms, {size(worker.rss_bytes)}"
        yield _row("WORKERS" if number == 0 else "", text, width)
    if len(progress.reporting) > len(shown):
        yield _row("", f"and {len(progress.reporting) - len(shown)} more", width, theme.QUIET)


def _deaths(progress: Progress, width: int) -> Iterator[Text]:
    for number, event in enumerate(reversed(progress.deaths[-2:] if progress.active else ())):
        yield _row("DIED" if number == 0 else "", f"{_ago(progress, event.at)} {event.text}", width, theme.BAD)


def _failures(progress: Progress, width: int) -> Iterator[Text]:
    stuck = progress.count(ItemState.QUARANTINED)
    for number, failure in enumerate(progress.failures[:6]):
        text = f"{failure.state} {failure.tbl} {failure.doc_id}, {formatting.count(failure.failures, 'failure')}: {failure.why}"
        colour = theme.BAD if failure.state is ItemState.QUARANTINED else theme.HOLD
        yield hanging("FAILED" if number == 0 else "", plain(text), width, indent=INDENT, styles=(theme.QUIET, colour))
    if stuck > 6:
        yield _row("", f"{stuck:,} quarantined in all: `cockpit migrate status` lists them; t tries them again", width)


def _ago(progress: Progress, at: datetime) -> str:
    """By the database's clock, which in a rehearsal is another than that of the other lines."""
    return f"{formatting.duration(progress.at - at)} ago" if progress.at is not None else f"{at:%H:%M:%S}"


def _history(progress: Progress, width: int) -> Iterator[Text]:
    for number, event in enumerate(reversed(progress.events[-4:])):
        who = f"{plain(event.who)}: " if event.who else ""
        text = formatting.note(event.text)
        yield _row(
            "RECENT" if number == 0 else "",
            f"{_ago(progress, event.at)} {who}{event.kind}: {text}",
            width,
            theme.QUIET,
        )


def _next(progress: Progress, width: int, *, armed: bool) -> Iterator[Text]:
    """What would come next, and the key for it."""
    if progress.active or not armed:
        return
    if progress.count(*OPEN[PhaseName.COPY]):
        text = f"m copies {progress.count(*OPEN[PhaseName.COPY]):,} files"
    elif progress.count(ItemState.SWITCHED):
        text = (
            f"m verifies {progress.count(ItemState.SWITCHED):,} files: read back by a process that did not write them"
        )
    elif progress.count(ItemState.VERIFIED):
        text = f"u purges {progress.count(ItemState.VERIFIED):,} verified files after the soak time: the point of no return"
    else:
        return
    yield _row("THEN", text, width)


def _safety(progress: Progress) -> str:
    if progress.purged:
        return (
            f"{progress.purged:,} files live in S3 alone: a rollback of the application would lose them. "
            "Restore brings them back."
        )
    if progress.active and progress.phase is PhaseName.PURGE:
        return (
            "Closing this screen does not stop the purge: bytes leave the database, a rollback would lose those files."
        )
    if progress.active:
        return "Closing this screen does not stop the migration. The bytes stay in the database until a purge."
    return "The bytes are still in the database: a rollback of the application loses nothing."


def _row(name: str, text: str, width: int, colour: str = theme.TEXT) -> Text:
    return hanging(name, plain(text), width, indent=INDENT, styles=(theme.QUIET, colour))
