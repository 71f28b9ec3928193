"""What is proven of a plan as JUnit, for CI: what can never come is a failure, what is undecided is skipped."""

from __future__ import annotations

from xml.etree.ElementTree import SubElement

from cockpit.report.escaping import safe, safe_lines
from cockpit.report.junit_document import junit_document, junit_root
from cockpit.stories.proof.proven import PlanProven


def proven_junit(proven: PlanProven) -> str:
    """One test case for each trigger, criterion and line, for GO, and for whatever else there is a finding about."""
    found: dict[str, list[str]] = {}
    for each in proven.findings():
        found.setdefault(each.subject, []).append(f"{each.position}: {each.text}")
    subjects = {one.id: one.undecided for one in proven.triggers}
    subjects |= {one.id: one.undecided for one in proven.criteria}
    subjects |= {one.id: one.undecided for one in proven.lines}
    open_ = {name: why for name, why in subjects.items() if why}
    open_ |= {"verdict": proven.go.undecided} if proven.go.undecided else {}
    names = dict.fromkeys((*subjects, "verdict", *found))
    skipped = [name for name in names if name in open_ and name not in found]
    counts = {"tests": str(len(names)), "failures": str(len(found)), "errors": "0", "skipped": str(len(skipped))}
    root = junit_root("prove", counts)
    suite = SubElement(root, "testsuite", counts | {"name": safe(proven.name)})
    for name in names:
        case = SubElement(suite, "testcase", {"classname": safe(proven.name), "name": safe(name)})
        if name in found:
            SubElement(case, "failure", message=safe(found[name][0])).text = safe_lines(found[name])
        elif name in open_:
            SubElement(case, "skipped", message=safe(open_[name]))
    return junit_document(root)
