"""`cockpit doctor`: every probe once: what cannot be seen and why, and what a GO would miss."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import click

from cockpit.commands.iam import resources
from cockpit.commands.live_session import WrongAccount, open_watch, show_notice
from cockpit.commands.options import FORMAT, PLAN, Form, LiveOptions, live_options
from cockpit.commands.plan_loading import load
from cockpit.conditions.condition import Condition
from cockpit.console import output, output_json
from cockpit.engine.headless import every_probe_answered, watch_until
from cockpit.engine.poller import LiveSource
from cockpit.exit_codes import COULD_NOT_JUDGE
from cockpit.formatting import count
from cockpit.log_file import log_to_file
from cockpit.plan.model import Plan, ProbeSpec
from cockpit.plan.summary import next_window
from probes.aws.insights_fields import never_logged
from probes.aws.logs_query import LogsQueryParams
from probes.clients.clients import AwsOptions, Clients
from probes.clients.threads import run_loop
from probes.clients.writing_role import WritingRole, writing_role
from probes.frozen import frozen
from probes.reading import Reading, Reason, Unknown, Unseen
from probes.registry import find

JSON_VERSION = 1
"""Of what `--format json` prints. Members may be added to it; none changes its meaning or goes."""
BLIND = 1
_ACTION = re.compile(r"\b[a-z][a-z0-9-]*:[A-Z][A-Za-z]+\b")
_QUIET = frozenset({Reason.LOW_VOLUME, Reason.WARMING})
"""The probe works, there is only no data yet."""


@frozen
class UnseenFields:
    """Fields of one probe that cannot be seen, for one reason."""

    fields: tuple[str, ...]
    reason: str
    detail: str
    hint: str
    missing: tuple[str, ...] = ()
    """IAM actions that are missing, each with what it is missing on: "ecs:DescribeServices on arn:..."."""
    quiet: bool = False


@frozen
class ProbeDiagnosis:
    """One probe, and what it could not see of what the plan asks it for."""

    probe: str
    uses: str
    blind: tuple[UnseenFields, ...]

    @property
    def seeing(self) -> bool:
        return all(one.quiet for one in self.blind)


@frozen
class Unevaluated:
    """A criterion or item, and the fields of it that cannot be seen."""

    kind: str
    id: str
    title: str
    fields: tuple[str, ...]


@click.command("doctor")
@PLAN
@live_options
@FORMAT
def main(live: LiveOptions, plan: str, form: Form) -> int:
    """Read every probe once: what cannot be seen, and why.

    Also what a GO would miss. Exit codes: 0 all seen, 1 some blind, 3 wrong account or no credentials.
    """
    log_to_file()
    loaded = load(plan, live.variables)
    try:
        readings, roles, absent = run_loop(_read_once(loaded, live))
    except WrongAccount as error:
        output(str(error), err=True)
        return COULD_NOT_JUDGE
    diagnoses = [diagnose(loaded, spec, readings.get(name), live.aws(loaded)) for name, spec in loaded.probes.items()]
    unevaluated = list(blind_to(loaded, diagnoses))
    if form == "json":
        output_json(_plain(diagnoses, unevaluated, roles, absent), version=JSON_VERSION)
    else:
        output(*_lines(diagnoses, unevaluated, roles, absent), *next_window(loaded, datetime.now(UTC)))
    return 0 if all(diagnosis.seeing for diagnosis in diagnoses) else BLIND


async def _read_once(
    plan: Plan, live: LiveOptions
) -> tuple[dict[str, Reading], dict[str, WritingRole], dict[str, tuple[str, ...]]]:
    """The reading of every probe; by database (the probes that read it), a role that could write; and by probe, the fields of
    its log query that no event of the last day has."""
    async with open_watch(plan, live) as watch:
        await watch_until(watch, every_probe_answered)
        show_notice(watch)
        readings = {name: reading for name in plan.probes if (reading := watch.latest(name)) is not None}
        assert isinstance(watch.source, LiveSource)
        absent = await _absent_fields(plan, watch.source, watch.clock.now())
        return readings, await _writing_roles(plan, watch.source), absent


async def _absent_fields(plan: Plan, source: LiveSource, now: datetime) -> dict[str, tuple[str, ...]]:
    found = {}
    for spec in plan.probes.values():
        if spec.uses != "logs.query" or spec.name in source.held_back:
            continue
        asked = LogsQueryParams.model_validate(spec.params)
        with contextlib.suppress(Unseen):  # the probe itself says why its log cannot be read
            if fields := await never_logged(source.clients, asked.groups, asked.query, now):
                found[spec.name] = fields
    return found


async def _writing_roles(plan: Plan, source: LiveSource) -> dict[str, WritingRole]:
    databases: dict[str, list[str]] = {}
    for spec in plan.probes.values():
        if spec.name not in source.held_back and (dsn := str(spec.params.get("dsn") or "")):
            databases.setdefault(dsn, []).append(spec.name)
    found = {}
    for dsn, names in databases.items():
        with contextlib.suppress(Unseen):  # its probes say why it cannot be reached
            if (role := await writing_role(source.clients, dsn)) is not None:
                found[", ".join(names)] = role
    return found


def diagnose(plan: Plan, spec: ProbeSpec, reading: Reading | None, options: AwsOptions) -> ProbeDiagnosis:
    """What one probe could not see of the fields the plan reads; of all fields if it reads none."""
    if reading is None:
        return ProbeDiagnosis(
            spec.name, spec.uses, (UnseenFields((), str(Reason.TIMEOUT), "it did not answer", "", ()),)
        )
    used = {name for condition in plan.conditions() for probe, name in condition.paths if probe == spec.name}
    hidden = {name: why for name, why in reading.unknown.items() if name in used or not used}
    if not used and len(hidden) < len(spec.fields):
        hidden = {}  # no condition reads it, and it sees something
    narrowed = resources(spec, Clients(options))
    by_reason = sorted(hidden.items(), key=lambda pair: (pair[1].reason, pair[1].detail, pair[0]))
    blind = []
    for why, group in groupby(by_reason, key=lambda pair: pair[1]):
        missing = tuple(_missing(why, spec, narrowed))
        names = tuple(name for name, _ in group)
        blind.append(UnseenFields(names, str(why.reason), why.detail, why.hint, missing, why.reason in _QUIET))
    return ProbeDiagnosis(spec.name, spec.uses, tuple(blind))


def _missing(why: Unknown, spec: ProbeSpec, narrowed: object) -> Iterator[str]:
    if why.reason is not Reason.ACCESS_DENIED:
        return
    known = find(spec.uses).iam
    named = [one for one in dict.fromkeys(_ACTION.findall(f"{why.hint} {why.detail}")) if one in known]
    for action in named:
        where = narrowed.get(action) if isinstance(narrowed, dict) else None
        yield f"{action} on {', '.join(where) if where else '*'}"


def blind_to(plan: Plan, diagnoses: Sequence[ProbeDiagnosis]) -> Iterator[Unevaluated]:
    """Criteria, triggers and items that read what cannot be seen: a GO would miss them."""
    hidden = {
        f"{diagnosis.probe}.{name}"
        for diagnosis in diagnoses
        for one in diagnosis.blind
        if not one.quiet
        for name in one.fields
    }
    hidden |= {diagnosis.probe for diagnosis in diagnoses for one in diagnosis.blind if not one.fields}
    judged: list[tuple[str, str, str, Condition | None]] = []
    judged += [(f"{one.kind}", one.id, one.title, one.condition) for one in plan.criteria()]
    judged += [("line", item.id, item.title, item.expect) for _, item in plan.items()]
    for kind, id_, title, condition in judged:
        paths = condition.paths if condition else ()
        fields = tuple(f"{probe}.{name}" for probe, name in paths if f"{probe}.{name}" in hidden or probe in hidden)
        if fields:
            yield Unevaluated(kind, id_, title, fields)


def _plain(
    diagnoses: Sequence[ProbeDiagnosis],
    unevaluated: Sequence[Unevaluated],
    roles: Mapping[str, WritingRole],
    absent: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    probes = [{**asdict(diagnosis), "seeing": diagnosis.seeing} for diagnosis in diagnoses]
    could_write = {names: asdict(role) for names, role in roles.items()}
    blind_to = [asdict(one) for one in unevaluated]
    return {
        "probes": probes,
        "blind_to": blind_to,
        "could_write": could_write,
        "fields_never_logged": dict(absent),
    }


def _lines(
    diagnoses: Sequence[ProbeDiagnosis],
    unevaluated: Sequence[Unevaluated],
    roles: Mapping[str, WritingRole],
    absent: Mapping[str, tuple[str, ...]],
) -> Iterator[str]:
    for diagnosis in diagnoses:
        yield f"{'sees ' if diagnosis.seeing else 'BLIND'}  {diagnosis.probe} ({diagnosis.uses})"
        for one in diagnosis.blind:
            what = ", ".join(one.fields) or "everything"
            yield f"       {what}: {one.reason}: {one.detail}".rstrip(": ")
            if one.missing:
                yield from (f"       missing: {action}" for action in one.missing)
            elif one.hint:
                yield f"       next:    {one.hint}"
    for names, role in roles.items():
        yield ""
        yield f"{names}: {role}. The cockpit writes none; a role that cannot is safer: pg_monitor and pg_read_all_data"
    for probe, fields in absent.items():
        yield ""
        yield f"{probe}: no event of the last day has {', '.join(fields)}. A misspelt field matches nothing, for good"
        yield "       next:    compare its spelling with an event; where only a failure logs it, there has been none"
    blind = sum(not diagnosis.seeing for diagnosis in diagnoses)
    yield ""
    if unevaluated:
        yield "Until this is fixed, a GO does not cover:"
        yield from (f"  {one.kind:8} {one.id}: {one.title} ({', '.join(one.fields)})" for one in unevaluated)
    yield f"{count(len(diagnoses), 'probe')}: " + (
        f"{blind} blind" if blind else "all probes see what the plan asks for"
    )
