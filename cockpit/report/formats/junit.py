"""An Account as JUnit XML: one test case for each criterion and each line of the checklist.

What failed is a <failure>. What was unknown or never evaluated is an <error>, never <skipped>, which CI would count as passed.
A waived case passes, with the waiver in its output. Guards are not listed: no verdict depends on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from cockpit.decide.states import Check, Meaning, State, meaning_of
from cockpit.report import labels
from cockpit.report.escaping import safe
from cockpit.report.junit_document import junit_document, junit_root
from cockpit.report.model import Account, CriterionAccount, ItemAccount

Case = CriterionAccount | ItemAccount


def junit(account: Account) -> str:
    """The document, with its declaration."""
    suites: dict[str, list[Case]] = {}
    for each in account.criteria:
        if each.kind != "guard":
            suites.setdefault(labels.KINDS.get(each.kind, "Criteria"), []).append(each)
    for item in account.items:
        suites.setdefault(f"Checklist: {item.section}" if item.section else "Checklist", []).append(item)
    root = junit_root(labels.title(account), _counts([case for cases in suites.values() for case in cases], account))
    for name, cases in suites.items():
        root.append(_suite(name, cases, account))
    return junit_document(root)


def _counts(cases: Sequence[Case], account: Account) -> dict[str, str]:
    outcomes = [outcome(each) for each in cases]
    return {
        "tests": str(len(cases)),
        "failures": str(outcomes.count("failure")),
        "errors": str(outcomes.count("error")),
        "skipped": "0",
        "time": f"{account.lasted.total_seconds():.3f}",
    }


def _suite(name: str, cases: Sequence[Case], account: Account) -> Element:
    suite = Element("testsuite", {"name": safe(name)} | _counts(cases, account))
    if account.began:
        suite.set("timestamp", f"{account.began:%Y-%m-%dT%H:%M:%S}")
    properties = SubElement(suite, "properties")
    values = {
        "record": account.record,
        "rehearsal": str(account.rehearsal).lower(),
        "verdict": labels.verdict(account),
        "plan": account.plan.digest,
        "proof": account.proof.result,
    }
    for each, held in values.items():
        SubElement(properties, "property", name=each, value=safe(held))
    for case in cases:
        suite.append(_case(case, name, account))
    return suite


def outcome(case: Case) -> str:
    """passed, failure or error. A breaching trigger has failed; an item that needs a sign-off is an error."""
    state = labels.state(case)
    unsigned = case.sign_off is not None and bool(case.sign_off.ask) and not case.sign_off.counts
    if state == Check.WAIVED:
        return "passed"
    meaning = _meaning(state, State if isinstance(case, CriterionAccount) else Check)
    if meaning.failing:
        return "failure"
    return "passed" if meaning.done and not unsigned else "error"


def _meaning(state: str, words: type[State] | type[Check]) -> Meaning:
    return next((word.meaning for word in words if word == state), meaning_of(state))


def _case(case: Case, suite: str, account: Account) -> Element:
    seconds = (case.since - account.began).total_seconds() if case.since and account.began else 0.0
    name = {"name": safe(case.title), "classname": safe(f"{account.plan.name or account.record}.{suite}.{case.id}")}
    made = Element("testcase", name | {"time": f"{max(0.0, seconds):.3f}"})
    state, because = labels.state(case), safe(labels.reason(case))
    answer = safe(labels.answer(case.sign_off))
    result = outcome(case)
    if result != "passed":
        binding = case.enforced if isinstance(case, CriterionAccount) else case.blocking
        note = "" if binding else " (no verdict depends on it)"
        why = because or answer or "never evaluated"
        SubElement(made, result, type=state, message=f"{state}{note}: {why}").text = answer or because
    SubElement(made, "system-out").text = "\n".join(
        each
        for each in (
            f"{state}: {because}",
            answer,
            *(
                safe(f"{turn.at.isoformat()} {turn.before} -> {turn.after}: {turn.because}")
                for turn in case.turns[-20:]
            ),
        )
        if each
    )
    return made
