"""From validated parts to the frozen Plan: references, conditions, roles, ids and defaults."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from cockpit.decide.condition import Condition, ConditionError, compile_condition
from cockpit.plan.document import CriterionPart, ItemPart, ProbePart, SignOffPart, StepPart, SuccessPart, TriggerPart
from cockpit.plan.model import (
    Ask,
    Criterion,
    Gate,
    Item,
    Kind,
    OnUnknown,
    Person,
    Phase,
    Plan,
    Poll,
    Position,
    ProbeSpec,
    Section,
    Step,
    Target,
)
from cockpit.plan.nodes import Path_, Tree
from cockpit.plan.parts import Parts
from cockpit.plan.problems import Problem, dotted
from cockpit.plan.wording import known_keys, message
from probes.registry import UnknownProbe, find

DEFAULT_TIMEOUT = timedelta(seconds=10)
DEFAULT_DWELL = timedelta(seconds=60)


class Compiler:
    """Builds a Plan from parts; what does not fit together is reported to the tree."""

    def __init__(self, tree: Tree, parts: Parts, digest: str, needs_environment: tuple[str, ...]) -> None:
        self.tree = tree
        self.parts = parts
        self.digest = digest
        self.needs_environment = needs_environment
        self.roles = {role for _, person in parts.people for role in person.roles}
        self.probes: dict[str, ProbeSpec] = {}
        self.broken: set[str] = set(_names(tree)) - set(parts.probes)
        """Probes that are named but not usable: conditions on them are not blamed for it."""
        self._ids: dict[str, Path_] = {}

    def plan(self) -> Plan | None:
        """The plan; None if not even its header is valid (then there are problems)."""
        for name, part in self.parts.probes.items():
            self._probe(name, part, ("probes", name))
        people = tuple(Person(p.id, p.name, tuple(p.roles), p.ssh_key) for _, p in self.parts.people)
        self._unique((path, p.id) for path, p in self.parts.people)
        checklist = tuple(
            Section(s.section, Phase(s.phase), tuple(self._item(path_, item) for path_, item in self.parts.items[path]))
            for path, s in self.parts.sections
        )
        gates = tuple(self._gate(path, part) for path, part in self.parts.gates)
        success = tuple(self._success(path, part) for path, part in self.parts.success)
        triggers = tuple(self._trigger(path, part) for path, part in self.parts.triggers)
        runbook = tuple(self._step(path, part) for path, part in self.parts.runbook)
        rollback_plan = tuple(self._step(path, part) for path, part in self.parts.rollback_plan)
        header = self.parts.header
        if header is None:
            return None
        return Plan(
            name=header.name,
            title=header.title or header.name,
            environment=header.environment,
            path=self.tree.file,
            digest=self.digest,
            source=header.source,
            target=Target(header.target.account, header.target.region),
            people=people,
            contacts=header.contacts,
            probes=self.probes,
            checklist=checklist,
            gates=gates,
            success_criteria=success,
            rollback_triggers=triggers,
            runbook=runbook,
            rollback_plan=rollback_plan,
            migration=header.migration,
            verdict_dwell=DEFAULT_DWELL if header.verdict_dwell is None else header.verdict_dwell,
            needs_environment=self.needs_environment,
        )

    # -- probes ------------------------------------------------------------------------------------------------------

    def _probe(self, name: str, part: ProbePart, path: Path_) -> None:
        try:
            kind = find(part.uses)
        except UnknownProbe as error:
            self.tree.report((*path, "uses"), str(error))
            self.broken.add(name)
            return
        defaults = self.parts.header.defaults if self.parts.header else None
        try:
            params = kind.params_type.model_validate(part.with_)
        except ValidationError as error:
            known = known_keys(kind.params_type)
            for found in error.errors(include_url=False):
                self._parameter(found, (*path, "with"), part.uses, known)
            params = None
        own_period = getattr(params, "period", None)
        self.probes[name] = ProbeSpec(
            name=name,
            uses=part.uses,
            params=part.with_,
            interval=part.interval or (defaults.interval if defaults else None) or kind.interval,
            timeout=part.timeout or (defaults.timeout if defaults else None) or DEFAULT_TIMEOUT,
            position=self._at(path),
            period=own_period if isinstance(own_period, timedelta) else kind.period,
            title=part.title,
            fields=kind.fields,
        )

    def _parameter(self, found: Any, path: Path_, uses: str, known: Sequence[str]) -> None:
        here = (*path, *found["loc"])
        key = found["loc"][-1] if found["loc"] else ""
        if found["type"] == "extra_forbidden":
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; it has {', '.join(known) or 'none'}"
            self.tree.report(here, f"{uses} has no parameter '{key}'{hint}", on_key=True)
        elif found["type"] == "missing":
            self.tree.report(path if path in self.tree.places else path[:-1], f"{uses} needs '{key}'", on_key=True)
        else:
            self.tree.report(here, f"{uses}: {message(found)}")

    # -- what is judged ----------------------------------------------------------------------------------------------

    def _item(self, path: Path_, part: ItemPart) -> Item:
        self._unique([(path, part.id)])
        if part.expect is None and part.sign_off is None:
            self.tree.report(path, f"'{part.id}' has neither expect nor sign_off: nothing could ever tick it")
        expect = self._condition((*path, "expect"), part.expect)
        return Item(
            id=part.id,
            title=part.title,
            position=self._at(path),
            expect=expect,
            sign_off=self._ask((*path, "sign_off"), part.sign_off),
            blocking=part.blocking,
            killer=part.killer,
            caution=part.caution,
            ref=part.ref,
            stale_after=self._stale_after(expect),
        )

    def _success(self, path: Path_, part: SuccessPart) -> Criterion:
        return self._criterion(path, part, Kind.SUCCESS, "success_condition", part.success_condition)

    def _trigger(self, path: Path_, part: TriggerPart) -> Criterion:
        hold_for = part.for_ or timedelta(0)
        if part.on_unknown is OnUnknown.ROLLBACK and part.unknown_limit is None:
            self.tree.report(
                (*path, "on_unknown"), "on_unknown: rollback needs unknown_limit: for how long may it be unknown?"
            )
        clear = self._condition((*path, "clear_condition"), part.clear_condition)
        return self._criterion(
            path,
            part,
            Kind.TRIGGER,
            "failure_condition",
            part.failure_condition,
            clear_for=2 * hold_for if part.clear_for is None else part.clear_for,
            clear_condition=clear,
            on_unknown=part.on_unknown,
            unknown_limit=part.unknown_limit,
        )

    def _criterion(
        self, path: Path_, part: CriterionPart, kind: Kind, key: str, source: str | None, **more: Any
    ) -> Criterion:
        self._unique([(path, part.id)])
        if source is None and part.sign_off is None:
            self.tree.report(path, f"'{part.id}' has neither {key} nor sign_off: nothing could ever judge it")
        condition = self._condition((*path, key), source)
        hold_for = part.for_ or timedelta(0)
        interval = (
            max((self._pace(name) for name in condition.probes), default=timedelta(seconds=30))
            if condition
            else timedelta(0)
        )
        return Criterion(
            id=part.id,
            title=part.title,
            kind=kind,
            condition=condition,
            position=self._at(path),
            sign_off=self._ask((*path, "sign_off"), part.sign_off),
            hold_for=hold_for,
            min_samples=part.min_samples or (3 if hold_for else 1),
            gap_tolerance=2 * interval if part.gap_tolerance is None else part.gap_tolerance,
            stale_after=part.stale_after or self._stale_after(condition),
            initial_delay=part.initial_delay or timedelta(0),
            error_limit=part.error_limit or 4,
            severity=part.severity,
            mode=part.mode,
            runbook=part.runbook,
            ref=part.ref,
            caution=part.caution,
            **more,
        )

    def _pace(self, probe: str) -> timedelta:
        """How far apart a probe's samples are."""
        spec = self.probes.get(probe)
        return max(spec.interval, spec.period) if spec else timedelta(0)

    def _stale_after(self, condition: Condition | None) -> timedelta:
        known = [self.probes[name].stale_after for name in condition.probes if name in self.probes] if condition else []
        return max(known, default=timedelta(seconds=90))

    def _condition(self, path: Path_, source: str | None) -> Condition | None:
        if source is None:
            return None
        try:
            condition = compile_condition(source.strip())
        except ConditionError as error:
            self._condition_problem(path, source.strip(), error)
            return None
        fields = {name: spec.fields for name, spec in self.probes.items()}
        if not set(condition.probes) & self.broken:
            for problem in condition.check(fields):
                self._condition_problem(path, source.strip(), problem)
        return condition if all(name in self.probes for name in condition.probes) else None

    def _condition_problem(self, path: Path_, source: str, error: ConditionError) -> None:
        place = self.tree.within(path, source, error.offset, error.length)
        line = self.tree.line(place.position.line)
        self.tree.problems.append(Problem(place.position, dotted(path), error.message, line, place.length))

    # -- people ------------------------------------------------------------------------------------------------------

    def _ask(self, path: Path_, part: SignOffPart | None) -> Ask | None:
        if part is None:
            return None
        self._known_roles((*path, "roles"), part.roles)
        return Ask(part.ask, tuple(part.roles), part.valid_for, part.claimed)

    def _gate(self, path: Path_, part: Any) -> Gate:
        self._unique([(path, part.id)])
        self._known_roles((*path, "poll", "roles"), part.poll.roles)
        voters = [p.id for _, p in self.parts.people if set(p.roles) & set(part.poll.roles)]
        possible = len(voters) if part.poll.distinct_people else len(part.poll.roles) * max(1, len(voters))
        if voters and part.poll.required > possible:
            self.tree.report(
                (*path, "poll", "required"), f"can never be met: only {possible} can vote ({', '.join(voters)})"
            )
        poll = Poll(tuple(part.poll.roles), part.poll.required, part.poll.distinct_people, part.poll.valid_for)
        return Gate(part.id, part.title or part.id, part.before, poll, self._at(path))

    def _known_roles(self, path: Path_, roles: Sequence[str]) -> None:
        for index, role in enumerate(roles):
            if role not in self.roles:
                near = get_close_matches(role, sorted(self.roles), n=1)
                hint = (
                    f"; did you mean '{near[0]}'?"
                    if near
                    else f"; people hold {', '.join(sorted(self.roles)) or 'no roles'}"
                )
                self.tree.report((*path, index), f"nobody holds the role '{role}'{hint}")

    # -- steps -------------------------------------------------------------------------------------------------------

    def _step(self, path: Path_, part: StepPart) -> Step:
        self._unique([(path, part.id)])
        return Step(
            id=part.id,
            title=part.title,
            position=self._at(path),
            command=part.command,
            expect=part.expect,
            duration=part.duration,
            sign_off=self._ask((*path, "sign_off"), part.sign_off),
            action=part.action,
            caution=part.caution,
            ref=part.ref,
        )

    def _unique(self, pairs: Any) -> None:
        for path, id_ in pairs:
            if id_ in self._ids:
                first = self.tree.place(self._ids[id_]).position.line
                self.tree.report((*path, "id"), f"the id '{id_}' is already used in line {first}")
            else:
                self._ids[id_] = path

    def _at(self, path: Path_) -> Position:
        return self.tree.place(path).position


def _names(tree: Tree) -> list[str]:
    held = tree.value.get("probes") if isinstance(tree.value, dict) else None
    return [str(name) for name in held] if isinstance(held, dict) else []
