"""Success criteria and rollback triggers, with the defaults that decision.md gives their windows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from cockpit import formatting
from cockpit.conditions.condition import Condition
from cockpit.plan.compiler.probe_specs import Watched
from cockpit.plan.document.document import CriterionPart, SignOffPart, SuccessPart, TriggerPart
from cockpit.plan.document.entries import STAND_IN
from cockpit.plan.model import ERROR_LIMIT, MIN_SAMPLES, Ask, Criterion, Kind, OnUnknown
from cockpit.plan.source.yaml_tree import Path_, Tree
from probes.suggestion import closest


class Criteria:
    """Builds criteria; what cannot be judged is reported to the tree."""

    def __init__(self, tree: Tree, watched: Watched, ask: Callable[[Path_, SignOffPart | None], Ask | None]) -> None:
        self.tree = tree
        self.watched = watched
        self._ask = ask

    def success(self, path: Path_, part: SuccessPart) -> Criterion:
        either(self.tree, path, part.id, "success_condition", "judge")
        condition = self.watched.condition((*path, "success_condition"), part.success_condition)
        return self._criterion(path, part, Kind.SUCCESS, condition)

    def trigger(self, path: Path_, part: TriggerPart) -> Criterion:
        either(self.tree, path, part.id, "failure_condition", "judge")
        condition = self.watched.condition((*path, "failure_condition"), part.failure_condition)
        clear = self.watched.condition((*path, "clear_condition"), part.clear_condition)
        if part.on_unknown is OnUnknown.ROLLBACK and part.unknown_limit is None:
            self.tree.report((*path, "on_unknown"), "rollback needs unknown_limit: for how long may it be unknown?")
        self._m_of_n(path)
        return self._criterion(
            path,
            part,
            Kind.TRIGGER,
            condition,
            within=part.within,
            at_least=part.at_least or 1.0,
            clear_for=(part.within or 2 * (part.for_ or timedelta(0))) if part.clear_for is None else part.clear_for,
            clear_condition=clear,
            on_unknown=part.on_unknown,
            unknown_limit=part.unknown_limit,
        )

    def _m_of_n(self, path: Path_) -> None:
        """`within` and `at_least` belong together, and stand in the place of `for`."""
        windowed, shared, whole = ((*path, key) in self.tree.keys for key in ("within", "at_least", "for"))
        if shared and not windowed:
            self.tree.report((*path, "at_least"), "at_least needs within: that share of which time?")
        if windowed and not shared:
            self.tree.report((*path, "within"), "within needs at_least: which share of it must be true, such as 80%?")
        if windowed and whole:
            self.tree.report(
                (*path, "for"), "write for (without a break) or within and at_least (a share of the time), not both"
            )

    def _until(self, path: Path_, part: CriterionPart, condition: Condition | None) -> None:
        """A time in which nothing is seen would be over without having shown anything."""
        if part.until is None:
            return
        if condition is None and part.sign_off is not None:
            self.tree.report((*path, "until"), "until needs a condition: what a person signs has no time of its own")
        if part.initial_delay is not None and part.initial_delay >= part.until:
            self.tree.report(
                (*path, "until"),
                f"it is judged from {formatting.duration(part.initial_delay)} (initial_delay) on: write a longer until",
            )

    def _criterion(
        self,
        path: Path_,
        part: CriterionPart,
        kind: Kind,
        condition: Condition | None,
        **more: Any,
    ) -> Criterion:
        self._until(path, part, condition)
        hold_for = part.for_ or timedelta(0)
        windowed = hold_for or getattr(part, "within", None)
        return Criterion(
            id=part.id,
            title=part.title,
            kind=kind,
            condition=condition,
            position=self.tree.place(path).position,
            sign_off=self._ask((*path, "sign_off"), part.sign_off),
            hold_for=hold_for,
            min_samples=part.min_samples or (MIN_SAMPLES if windowed else 1),
            gap_tolerance=part.gap_tolerance,
            stale_after=part.stale_after,
            initial_delay=part.initial_delay or timedelta(0),
            until=part.until,
            error_limit=part.error_limit or ERROR_LIMIT,
            severity=part.severity,
            mode=part.mode,
            runbook=part.runbook,
            ref=part.ref,
            caution=part.caution,
            **more,
        )


def either(tree: Tree, path: Path_, id_: str, condition: str, verb: str) -> None:
    """Whatever is to be judged needs something that judges it: a condition, a person, or both."""
    judges = (condition, "sign_off", *_WRONG_WAY)
    if any((*path, judge) in tree.keys for judge in judges):
        return
    # A misspelt key is reported as such.
    if not any(key[:-1] == path and closest(str(key[-1]), judges) for key in tree.keys):
        name = "it" if id_ == STAND_IN else f"'{id_}'"
        tree.report(path, f"{name} has neither {condition} nor sign_off: nothing could ever {verb} it")


_WRONG_WAY = ("success_condition", "failure_condition")
"""The other kind's condition is already reported as such."""
