"""A rule, and what it finds. Every rule says what it looks for, why that bites, and what to do instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cockpit.plan.lint.subject import Subject
from cockpit.plan.source.problems import Problem
from cockpit.plan.source.yaml_tree import Path_, Place
from probes.frozen import frozen


@frozen
class Found:
    """One place where a rule bites: the value at `path`, or a piece of it at `at`."""

    path: Path_
    message: str
    at: Place | None = None


Check = Callable[[Subject], Iterable[Found]]


@frozen
class Rule:
    """`id` is what people write to accept a finding; `report` is the contradiction of the readiness report it closes."""

    id: str
    title: str
    why: str
    instead: str
    check: Check
    report: str = ""
    must: bool = False
    """Whether no reason accepts it: the cockpit does not start with such a plan unless an option allows it."""


@frozen
class Finding:
    """What a rule found. `accepted` is the reason the plan gives for accepting it, or empty."""

    rule: Rule
    problem: Problem
    accepted: str = ""


def rule(
    id_: str, title: str, *, why: str, instead: str, report: str = "", must: bool = False
) -> Callable[[Check], Rule]:
    """Makes a Rule of a function that looks at a plan.

    ```
    @rule("no-way-back", "Triggers without a rollback plan", why="...", instead="...")
    def no_way_back(subject: Subject) -> Iterator[Found]: ...
    ```
    """

    def made(check: Check) -> Rule:
        return Rule(id_, title, why, instead, check, report, must)

    return made
