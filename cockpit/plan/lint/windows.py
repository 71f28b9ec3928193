"""Windows that are too short for their data, and shares of too few samples."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import timedelta

from cockpit.formatting import duration
from cockpit.plan.freshness import never_fresh
from cockpit.plan.lint.logic import atoms
from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Subject
from cockpit.plan.model import Criterion, Kind, Plan

_PERCENTILE = re.compile(r"\b(?:pct|percentile)\s*\([^,()]+,\s*([0-9.]+)\s*\)", re.IGNORECASE)


def pace(plan: Plan, criterion: Criterion) -> timedelta:
    """How far apart the samples of a criterion are."""
    names = criterion.condition.probes if criterion.condition else ()
    specs = [plan.probes[name] for name in names]
    return max((max(spec.interval, spec.period) for spec in specs), default=timedelta(0))


@rule(
    "for-too-short",
    "`for` shorter than two periods of its metric",
    why="One point of the metric decides: a single bad minute calls for a rollback, a single good one proves success.",
    instead="Let `for` cover two periods or more.",
)
def for_too_short(subject: Subject) -> Iterator[Found]:
    for path, one in subject.criteria():
        specs = [subject.plan.probes[name] for name in one.condition.probes] if one.condition else []
        period = max((spec.period for spec in specs), default=timedelta(0))
        judged_at_once = not one.needs and one.kind is Kind.SUCCESS  # seen once is what it asks for
        if not period or one.needs >= 2 * period or judged_at_once:
            continue
        written = f"`for` is {duration(one.hold_for)}" if one.hold_for else "there is no `for`"
        if one.within is not None:
            written = f"`at_least` of `within` is {duration(one.needs)}"
        where = next(((*path, key) for key in ("for", "within") if (*path, key) in subject.tree.places), path)
        yield Found(where, f"{written}, and its metric has one point every {duration(period)}")


@rule(
    "probe-slower-than-window",
    "A window in which its probe is read once, or not at all",
    why="A trigger trips as late as the second reading comes, a success criterion is met as late; what lies between nobody sees.",
    instead="Read the probe several times within the window: a shorter interval, or a longer `for`.",
)
def probe_slower_than_window(subject: Subject) -> Iterator[Found]:
    for path, one in subject.criteria():
        names = one.condition.probes if one.condition else ()
        slowest = max(names, key=lambda name: subject.plan.probes[name].interval, default="")
        every = subject.plan.probes[slowest].interval if slowest else timedelta(0)
        length = one.within or one.hold_for
        if length and every > length:
            key = "within" if one.within else "for"
            where = (*path, key) if (*path, key) in subject.tree.places else path
            yield Found(where, f"`{key}` is {duration(length)}, and {slowest} is read every {duration(every)}")


@rule(
    "gap-too-small",
    "A window that every sample restarts",
    why="Samples are further apart than gap_tolerance or stale_after allow, so the window never fills.",
    instead="Leave gap_tolerance and stale_after out: their defaults follow the probes.",
)
def gap_too_small(subject: Subject) -> Iterator[Found]:
    for path, one in subject.criteria():
        apart = pace(subject.plan, one)
        if one.needs and one.gap_tolerance is not None and one.gap_tolerance < apart:
            problem = f"gap_tolerance is {duration(one.gap_tolerance)}, samples come every {duration(apart)}"
            yield Found((*path, "gap_tolerance"), problem)
        if one.stale_after is not None and one.stale_after < apart:
            problem = f"stale_after is {duration(one.stale_after)}, samples come every {duration(apart)}"
            yield Found((*path, "stale_after"), problem)


@rule(
    "never-fresh",
    "Data that is stale before the next of it can come",
    why="A metric's period counts once it has closed and settled; with a limit below that the line is UNKNOWN for good.",
    instead="Leave stale_after out: its default follows period and settle.",
)
def older_than_its_limit(subject: Subject) -> Iterator[Found]:
    for judged in subject.judged:
        specs = [subject.plan.probes[name] for name in judged.condition.probes]
        if (why := never_fresh(judged.owner.stale_after, specs)) is not None:
            yield Found((*judged.path[:-1], "stale_after"), why)


@rule(
    "few-samples",
    "A percentile or a share of too few samples",
    why="The 95th percentile of ten requests is the slowest one; 1 failure in 15 requests is already above 5 %.",
    instead="Ask for enough: min_samples, min_matched or min_total of at least 1 / (1 - p), or 1 / threshold.",
)
def few_samples(subject: Subject) -> Iterator[Found]:
    for spec in subject.plan.probes.values():
        path, params = ("probes", spec.name, "with"), spec.params
        if spec.uses == "cloudwatch.percentile" and params.get("min_samples") is not None:
            p, least, key = _number(params["p"], 50), _number(params["min_samples"], 1), "min_samples"
        elif spec.uses == "logs.query" and (found := _PERCENTILE.search(str(params.get("query", "")))):
            p, least, key = float(found[1]), _number(params.get("min_matched"), 0), "min_matched"
        else:
            continue
        needed = math.ceil(round(100 / (100 - p), 6)) if p < 100 else math.inf
        if least < needed:
            yield Found((*path, key), f"{key} is {least:g}, and a p{p:g} begins to mean something at {needed:g}")
    yield from _shares(subject)


def _shares(subject: Subject) -> Iterator[Found]:
    keys = {"cloudwatch.ratio": ("min_total", 1.0, "rate"), "s3.uploads": ("min_uploads", 10.0, "failure_rate")}
    for judged in (one for one in subject.judged if one.kind == str(Kind.TRIGGER)):
        for atom in atoms(judged.condition.source):
            probe, _, name = atom.path.partition(".")
            spec = subject.plan.probes.get(probe)
            key, default, field = keys.get(spec.uses, ("", 0.0, "")) if spec else ("", 0.0, "")
            bound = atom.values[0]
            if spec is None or name != field or atom.operator not in (">", ">=") or not isinstance(bound, float):
                continue
            least = _number(spec.params.get(key), default)
            if bound > 0 and least < 1 / bound - 1e-9:
                place = subject.piece(judged, atom.start, atom.end - atom.start)
                problem = (
                    f"with {key} {least:g} a single failure can be above {bound:g}: ask for {math.ceil(1 / bound)}"
                )
                yield Found(judged.path, problem, place)


def _number(value: object, default: float) -> float:
    """A parameter as a number; the default where it is absent, or comes from a variable that is not set."""
    try:
        return default if value is None else float(str(value))
    except ValueError:
        return default


RULES = (for_too_short, probe_slower_than_window, gap_too_small, older_than_its_limit, few_samples)
