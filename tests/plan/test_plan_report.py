"""The shipped plan against the customer's readiness report, line by line: nothing the report asks for is without an entry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from support.plans.shipped_plan import shipped_plan

from cockpit.plan.model import Plan
from cockpit.plan.surroundings import Level
from probes.registry import find

HERE = Path(__file__).resolve().parent
NAME = "readiness-report.md"
LINES = (HERE / NAME).read_text(encoding="utf-8").splitlines()
_ASSIGNED = re.compile(r"^([A-Z][A-Z0-9_]+)=")
_STEP = re.compile(r"^(\d)\. (?:\S+ )?\*\*(.+?)\*\* \((.+)\)$")
_UNITS = {"hour": timedelta(hours=1), "min": timedelta(minutes=1)}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return shipped_plan()


def below(heading: str) -> Iterator[tuple[int, str]]:
    """Numbered lines from a heading to the next one of its rank or above; headings within a code block do not count."""
    start = LINES.index(heading)
    rank, fenced = len(heading) - len(heading.lstrip("#")), False
    for number, line in enumerate(LINES[start + 1 :], start + 2):
        fenced ^= line.strip().startswith("```")
        depth = len(line) - len(line.lstrip("#"))
        if not fenced and 0 < depth <= rank and line[depth : depth + 1] == " ":
            return
        yield number, line


def refs(entries: Iterable[object]) -> dict[int, object]:
    """Entries by the line of the report they name."""
    return {line: entry for entry in entries if (line := line_of(str(getattr(entry, "ref", ""))))}


def line_of(ref: str) -> int:
    found = re.fullmatch(rf"{re.escape(NAME)}:(\d+)", ref)
    return int(found[1]) if found else 0


def missing(asked: Mapping[int, str], entries: Iterable[object]) -> list[str]:
    """What the report asks for and no entry names; and entries whose title shares no word with their line."""
    held = refs(entries)
    absent = [f"{line}: {text}" for line, text in asked.items() if line not in held]
    titles = {
        line: str(getattr(held[line], "title", None) or getattr(held[line], "name", ""))
        for line in asked
        if line in held
    }
    return absent + [
        f"{line}: {text} is not {titles[line]}"
        for line, text in asked.items()
        if line in titles and not alike(text, titles[line])
    ]


def alike(text: str, title: str) -> bool:
    said, meant = (set(re.findall(r"[a-z0-9]{2,}", each.lower())) for each in (text, title))
    return len(said & meant) * 2 >= min(len(said), len(meant))


def listed(heading: str, mark: str) -> dict[int, str]:
    found = {
        number: line.strip()[len(mark) :].strip() for number, line in below(heading) if line.strip().startswith(mark)
    }
    assert found, heading
    return found


def assigned(heading: str) -> dict[int, str]:
    found = {number: match[1] for number, line in below(heading) if (match := _ASSIGNED.match(line))}
    assert found, heading
    return found


def test_every_checklist_line_has_an_item(plan: Plan) -> None:
    asked = {number: line[6:] for number, line in enumerate(LINES, 1) if line.startswith("- [ ] ")}
    assert len(asked) == 36
    assert missing(asked, (item for _, item in plan.items())) == []


def test_every_success_criterion_and_every_trigger_has_a_condition(plan: Plan) -> None:
    criteria = listed("### Deployment Succeeds If:", "- ✅")
    triggers = listed("### Rollback Triggered If:", "- ❌")
    assert (len(criteria), len(triggers)) == (9, 6)
    assert missing(criteria, plan.success_criteria) == []
    assert missing(triggers, plan.rollback_triggers) == []
    assert all(one.condition is not None for one in plan.criteria())


def test_every_rollback_step_has_an_entry(plan: Plan) -> None:
    start = LINES.index("## Rollback Plan") + 1
    asked = {n: line[3:] for n, line in enumerate(LINES[start : start + 10], start + 1) if re.match(r"\d\. ", line)}
    assert len(asked) == 5
    assert sorted(asked) == sorted(refs(plan.rollback_plan))


def test_every_step_has_an_entry_with_the_reports_duration(plan: Plan) -> None:
    asked = {
        number: match for number, line in below("## AWS DEPLOYMENT STEPS (Tomorrow)") if (match := _STEP.match(line))
    }
    assert len(asked) == 12
    steps = {line_of(step.ref): step for step in plan.runbook}
    assert sorted(steps) == sorted(asked)
    for line, match in asked.items():
        assert steps[line].duration == longest(match[3]), match[0]


def longest(told: str) -> timedelta | None:
    """`2-4 hours, depending on volume` is four hours; what goes on for ever has no duration."""
    found = re.match(r"(?:\d+-)?(\d+) (hour|min)", told)
    return int(found[1]) * _UNITS[found[2]] if found else None


def test_the_commands_of_the_report_are_in_the_steps_or_their_replacement_is_explained(plan: Plan) -> None:
    steps = {line_of(step.ref): step for step in plan.runbook}
    current = 0
    for number, line in below("### Deployment Day (Tomorrow)"):
        current = number if _STEP.match(line) else current
        tool = re.match(
            r"\s+(?:DATABASE_URL=\S+ )?(terraform \w+|aws \w+ [\w-]+|npx prisma \w+ \w+|docker \w+|tsx)\b", line
        )
        if tool and tool[1] not in steps[current].command:
            assert steps[current].caution, (number, line)


def test_every_variable_of_the_reference_has_an_entry(plan: Plan) -> None:
    for heading, needed in (("### Required for Production", True), ("### Optional but Recommended", False)):
        asked = assigned(heading)
        held = {line_of(variable.ref): variable for variable in plan.environment_variables}
        assert {line: name for line, name in asked.items() if line not in held or held[line].name != name} == {}
        assert {held[line].required for line in asked} == {needed}


def test_what_the_report_takes_from_a_secret_comes_from_that_secret(plan: Plan) -> None:
    held = {variable.name: variable for variable in plan.environment_variables}
    for number, name in assigned("### Required for Production").items():
        if from_secret := re.search(r"Secrets Manager: ([\w/-]+)", LINES[number - 1]):
            assert held[name].secret == from_secret[1]


def test_every_variable_of_the_example_file_has_an_entry(plan: Plan) -> None:
    asked = assigned("### 3. Environment Variables Documentation 📝")
    assert len(asked) == 33
    assert set(asked.values()) - {variable.name for variable in plan.environment_variables} == set()


def test_every_secret_has_an_entry(plan: Plan) -> None:
    asked = {n: m[1] for n, line in enumerate(LINES, 1) if (m := re.match(r"\s+--name ([\w/-]+)", line))}
    assert len(asked) == 4
    assert {line_of(secret.ref): secret.name for secret in plan.secrets}.items() >= asked.items()


def test_every_risk_has_an_entry_with_what_is_done_and_what_then(plan: Plan) -> None:
    asked: dict[int, str] = {}
    told: dict[int, set[str]] = {}
    current = 0
    for number, line in below("## RISK ASSESSMENT"):
        if match := re.match(r"\d\. \*\*(.+)\*\*", line):
            current, asked[number] = number, match[1]
            told[number] = set()
        elif match := re.match(r"\s+- (Risk|Mitigation|Fallback|Impact):", line):
            told[current].add(match[1].lower())
    assert len(asked) == 7
    assert missing(asked, plan.risks) == []
    risks = {line_of(risk.ref): risk for risk in plan.risks}
    for at, parts in told.items():
        assert all(getattr(risks[at], part) for part in parts), (at, parts)
        assert risks[at].watch, at
    levels = [risk.level for risk in plan.risks if risk.level is not Level.ACCEPTED]
    assert levels == [Level.HIGH] * 3 + [Level.MEDIUM] * 2 + [Level.LOW] * 2


def test_every_deferred_item_is_an_accepted_risk(plan: Plan) -> None:
    asked = {number for number, line in below("## DEFERRED (Can Wait)") if line.startswith("### ")}
    assert asked == {line_of(risk.ref) for risk in plan.risks if risk.level is Level.ACCEPTED}


def test_every_contact_and_service_has_an_entry(plan: Plan) -> None:
    asked = {number for number, line in below("## CONTACT INFORMATION") if line.startswith("**")}
    assert len(asked) == 12
    held = {line_of(person.ref) for person in plan.people} | {line_of(service.ref) for service in plan.services}
    held |= {line_of(ref) for ref in plan.contact_refs.values()}
    assert asked - held == set()


def test_the_probe_of_the_task_definition_asks_for_what_the_plan_lists(plan: Plan) -> None:
    """The list people read and the list the probe compares are one."""
    asked = find("ecs.task_definition").params_type.model_validate(plan.probes["task"].params).model_dump()
    variables = plan.environment_variables
    assert set(asked["secrets"]) == {v.name for v in variables if v.secret}
    assert set(asked["required"]) == {v.name for v in variables if v.required and not v.secret}
    assert set(asked["never_plain"]) == {v.name for v in variables if "in the clear" in v.caution}
    grouped: dict[str, set[str]] = {}
    for variable in variables:
        if variable.group and not variable.required:
            grouped.setdefault(variable.group, set()).add(variable.name)
    del grouped["static keys"]
    assert {name: set(names) for name, names in asked["groups"].items()} == grouped
    assert asked["expected"].items() <= {v.name: v.value for v in variables if v.value}.items()
    assert set(plan.probes["secrets"].params["names"]) == {secret.name for secret in plan.secrets}
