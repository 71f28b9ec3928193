"""From validated parts to the frozen Plan: ids, roles and the shape of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from cockpit.formatting import count
from cockpit.plan.compiler.actions import Actions
from cockpit.plan.compiler.context import Context
from cockpit.plan.compiler.criteria import Criteria, either
from cockpit.plan.compiler.migration import Moving
from cockpit.plan.compiler.probe_specs import Watched
from cockpit.plan.compiler.step_order import StepOrder
from cockpit.plan.compiler.window_moments import change_window
from cockpit.plan.document.document import GatePart, HeaderPart, ItemPart, SignOffPart, StepPart
from cockpit.plan.document.entries import STAND_IN, Parts, Placed
from cockpit.plan.model import (
    VERDICT,
    VERDICT_DWELL,
    Ask,
    Gate,
    Item,
    Person,
    Phase,
    Plan,
    Poll,
    Section,
    Step,
    Target,
    Witness,
)
from cockpit.plan.names import unique
from cockpit.plan.position import Position
from cockpit.plan.source.parts_of_plan import BUILT_IN
from cockpit.plan.source.variables import Substitution
from cockpit.plan.source.yaml_tree import Path_, Tree
from cockpit.plan.step_action import Synthetic, SyntheticRequest
from probes.suggestion import suggestion


class Compiler:
    """Builds a Plan from parts; what does not fit together is reported to the tree."""

    def __init__(self, tree: Tree, parts: Parts, substitution: Substitution) -> None:
        self.tree = tree
        self.parts = parts
        self.needs_environment = tuple(sorted(substitution.missing))
        self.secret_vars = substitution.secret_vars()
        self.roles = {role for _, person in parts.people for role in person.roles}
        self.people = {person.id for _, person in parts.people}
        self.watched = Watched(tree, parts, substitution)
        self.reads_environment = tuple(sorted(substitution.read | self.watched.variables))
        self.synthetic = _synthetic(parts.header)
        self.actions = Actions(tree, self.watched, self.synthetic)
        self.criteria = Criteria(tree, self.watched, self._ask)

    def plan(self) -> Plan | None:
        """The plan; None if not even its header is usable (then there are problems)."""
        self._unique_ids()
        checklist = tuple(
            Section(s.section, Phase(s.phase), tuple(self._item(at, item) for at, item in self.parts.items[path]))
            for path, s in self.parts.sections
        )
        gates = tuple(self._gate(path, part) for path, part in self.parts.gates)
        success = tuple(self.criteria.success(path, part) for path, part in self.parts.success)
        triggers = tuple(self.criteria.trigger(path, part) for path, part in self.parts.triggers)
        runbook, rollback_plan = (self._steps(listed) for listed in (self.parts.runbook, self.parts.rollback_plan))
        header = self.parts.header
        migration = Moving(self.tree, self.watched).migration(header)
        guards = migration.guards if migration else ()
        judged = [item.id for section in checklist for item in section.items]
        judged += [criterion.id for criterion in (*success, *triggers, *guards)]
        context = Context(self.tree, self.parts, judged, self.parts.probes)
        risks, variables = context.risks(), context.variables()
        secrets, services = context.secrets(), context.services()
        if header is None:
            return None
        return Plan(
            name=header.name,
            title=header.title or header.name,
            environment=header.environment,
            path=self.tree.file,
            digest=self.tree.source.digest,
            source=header.source,
            target=Target(header.target.account, header.target.region),
            people=tuple(Person(p.id, p.name, tuple(p.roles), p.ssh_key, p.ref) for _, p in self.parts.people),
            contacts={name: contact.at for name, contact in header.contacts.items()},
            contact_refs={name: contact.ref for name, contact in header.contacts.items() if contact.ref},
            probes=self.watched.probes,
            checklist=checklist,
            gates=gates,
            success_criteria=success,
            rollback_triggers=triggers,
            runbook=runbook,
            rollback_plan=rollback_plan,
            migration=migration,
            synthetic=self.synthetic,
            risks=risks,
            environment_variables=variables,
            secrets=secrets,
            services=services,
            timestamps=Witness(stamps.url, stamps.root) if (stamps := header.record.timestamps) else None,
            transparency_log=Witness(log.url, log.key) if (log := header.record.transparency_log) else None,
            verdict_dwell=VERDICT_DWELL if header.verdict_dwell is None else header.verdict_dwell,
            window=change_window(self.tree, header.window),
            rollback_reserve=header.rollback_reserve or timedelta(0),
            needs_environment=self.needs_environment,
            reads_environment=self.reads_environment,
            secret_vars=self.secret_vars,
        )

    def _item(self, path: Path_, part: ItemPart) -> Item:
        either(self.tree, path, part.id, "expect", "tick")
        expect = self.watched.condition((*path, "expect"), part.expect)
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
        )

    def _steps(self, listed: Placed[StepPart]) -> tuple[Step, ...]:
        order = StepOrder(self.tree, listed, self.parts.gates, self.watched)
        return tuple(self._step(path, part, order) for path, part in listed)

    def _step(self, path: Path_, part: StepPart, order: StepOrder) -> Step:
        self._known_roles((*path, "roles"), part.roles)
        if part.owner is not None and part.owner not in self.people:
            hint = suggestion(part.owner, self.people, "there is")
            self.tree.report((*path, "owner"), f"there is no person '{part.owner}'{hint}")
        if path[0] == "rollback_plan" and not part.in_window:
            self.tree.report((*path, "in_window"), "a rollback is never prepared before the window: leave it out")
        return Step(
            id=part.id,
            title=part.title,
            position=self._at(path),
            command=part.command,
            expect=part.expect,
            duration=part.expected or part.duration,
            sign_off=self._ask((*path, "sign_off"), part.sign_off),
            action=self.actions.action((*path, "action"), part.action),
            caution=part.caution,
            ref=part.ref,
            after=order.after(path, part),
            roles=tuple(part.roles),
            owner=part.owner or "",
            gate=order.gate(path, part),
            progress=order.progress(path, part),
            in_window=part.in_window,
        )

    # -- people ------------------------------------------------------------------------------------------------------

    def _ask(self, path: Path_, part: SignOffPart | None) -> Ask | None:
        if part is None:
            return None
        self._known_roles((*path, "roles"), part.roles)
        return Ask(part.ask, tuple(part.roles), part.valid_for, part.claimed)

    def _gate(self, path: Path_, part: GatePart) -> Gate:
        poll = part.poll
        steps = [step.id for _, step in self.parts.runbook]
        if part.before not in (*BUILT_IN, *steps):
            hint = suggestion(part.before, (*BUILT_IN, *steps), "there is")
            self.tree.report((*path, "before"), f"the runbook has no step '{part.before}'{hint}")
        self._known_roles((*path, "poll", "roles"), poll.roles)
        voters = [p for _, p in self.parts.people if set(p.roles) & set(poll.roles)]
        votes = len(voters) if poll.distinct_people else sum(len(set(p.roles) & set(poll.roles)) for p in voters)
        if voters and poll.required > votes:
            who = ", ".join(p.id for p in voters)
            people = "1 person" if votes == 1 else f"{votes} people"
            held = people if poll.distinct_people else f"{count(votes, 'vote')}, one for each role a person holds"
            problem = f"can never be met: these roles have {held} ({who})"
            self.tree.report((*path, "poll", "required"), problem)
        asked = Poll(tuple(poll.roles), poll.required, poll.distinct_people, poll.valid_for, poll.exclude_initiator)
        return Gate(part.id, part.title or part.id, part.before, asked, self._at(path))

    def _known_roles(self, path: Path_, roles: Sequence[str]) -> None:
        if STAND_IN in self.roles:  # somebody's roles cannot be read, and that is reported
            return
        for index, role in enumerate(roles):
            if role not in self.roles and role != STAND_IN:
                hint = suggestion(role, self.roles, "people hold") if self.roles else "; this plan names no people"
                self.tree.report((*path, index), f"nobody holds the role '{role}'{hint}")

    # -- ids ---------------------------------------------------------------------------------------------------------

    def _unique_ids(self) -> None:
        """The record names what was signed by its id alone, so items, criteria, gates and steps share one set of ids."""
        parts = self.parts
        items = [(path, item.id) for placed in parts.items.values() for path, item in placed]
        named = (parts.gates, parts.success, parts.triggers, parts.runbook, parts.rollback_plan)
        migration = parts.header.migration if parts.header else None
        guards = migration.guards if migration else ()
        owners: list[tuple[Path_, str]] = [*items, *((path, part.id) for placed in named for path, part in placed)]
        owners += [(("migration", "guards", index), guard.id) for index, guard in enumerate(guards)]
        unique(self.tree, (((*path, "id"), id_) for path, id_ in owners), {VERDICT: "the verdict's"})
        unique(self.tree, (((*path, "id"), person.id) for path, person in parts.people))

    def _at(self, path: Path_) -> Position:
        return self.tree.place(path).position


def _synthetic(header: HeaderPart | None) -> Synthetic | None:
    part = header.synthetic if header else None
    if part is None:
        return None
    requests = tuple(SyntheticRequest(one.path, one.method, one.body) for one in part.requests)
    return Synthetic(part.url.rstrip("/"), requests, part.per_minute, part.for_)
