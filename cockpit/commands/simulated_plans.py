"""Which plans the simulated environment can be watched with, and what is asked of a rehearsal beside its scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cockpit.commands.plan_loading import load_for_showing
from cockpit.decide.states import Word
from cockpit.plan.load import load_plan
from cockpit.plan.model import ProbeSpec
from cockpit.rehearsal.script.fault_catalogue import known
from cockpit.rehearsal.script.scenario import Ends, Event, Scenario, ScenarioError, names, scenarios
from cockpit.shipped_plans import shipped_path
from cockpit.stories.story_file import FOLDER, is_story
from probes.periods import parse_duration
from probes.suggestion import suggestion

DEFAULT = "smooth"
FAULT_AT = "20m"
"""When a fault happens in a scenario, where `--fault` names no time of its own."""


def shipped(plan: str) -> str:
    """A scenario's plan: a path, or one of those that come with the cockpit."""
    if Path(plan).exists():
        return plan
    return shipped_path(Path(plan).name)


def story_file(name: str, plan: str) -> str:
    """The story of that name, as a path: a file, or one beside the plan; empty where it names a scenario.

    Raises ScenarioError where it is neither.
    """
    if not name:
        return ""
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return name if is_story(path) else ""
    folder = Path(plan).parent / FOLDER if plan else None
    if folder is not None and (folder / f"{name}.yaml").is_file():
        return str(folder / f"{name}.yaml")
    if name not in names() and folder is not None:
        there = sorted(each.stem for each in folder.glob("*.yaml") if is_story(each))
        hint = suggestion(name, [*there, *names()], "there is")
        raise ScenarioError(f"there is no scenario and no story '{name}'{hint}")
    return ""


def not_simulated(plan: str, variables: Mapping[str, str]) -> Sequence[str]:
    """What to know of a plan that cannot be watched in the simulated environment, in lines; empty where it can."""
    there = set(_simulated())
    lacking = [spec for spec in load_for_showing(plan, variables).probes.values() if _looks_at(spec) not in there]
    if not lacking:
        return ()
    shown = ", ".join(f"{spec.name} ({spec.uses})" for spec in lacking[:6])
    more = f" and {len(lacking) - 6} more" if len(lacking) > 6 else ""
    return (
        f"not in the simulated environment: {shown}{more}",
        "so its probes are played: every value is one the plan's own conditions call healthy, until a fault changes it",
    )


def _simulated() -> Iterator[tuple[str, str]]:
    for plan in dict.fromkeys(scenario.plan for scenario in scenarios()):
        yield from map(_looks_at, load_plan(shipped(plan), require_environment=False).probes.values())


def _looks_at(spec: ProbeSpec) -> tuple[str, str]:
    """What a probe looks at: its kind and what it is given."""
    return spec.uses, repr(sorted(spec.params.items(), key=lambda pair: pair[0]))


def with_faults(scenario: Scenario, faults: Sequence[str], ends: str) -> Scenario:
    """A scenario with more faults, and another end where one is asked for. Raises UnknownFault, ValueError."""
    timeline = list(scenario.timeline)
    for text in faults:
        name, at, when = text.partition("@")
        event = Event.model_validate({"at": parse_duration(when if at else FAULT_AT), "break": known(name)})
        timeline.append(event)
    if ends and ends not in map(str, Word):
        raise ScenarioError(f"--ends {ends}: there is {', '.join(map(str, Word))}")
    end = Ends(verdict=Word(ends), by=scenario.ends.by, phase=scenario.ends.phase) if ends else scenario.ends
    ordered = tuple(sorted(timeline, key=lambda event: event.at))
    return scenario.model_copy(update={"timeline": ordered, "ends": end})
