"""What CI servers take for JUnit: the elements and attributes that the schema of Jenkins' xunit plugin (junit-10.xsd) allows,
and counts that are true."""

from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

RESULT = ({"type", "message"}, set[str]())
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, {"failure", "error", "skipped", "system-out", "system-err"}),
    "failure": RESULT,
    "error": RESULT,
    "skipped": RESULT,
    "system-out": (set(), set()),
}
"""By element: its attributes, and what may stand in it."""


def fits_the_schema(text: str) -> Element:
    """The root of a JUnit document. Fails where a CI server would refuse it, or would count otherwise than it says."""
    root = fromstring(text)
    assert root.tag == "testsuites"
    for each in root.iter():
        attributes, within = ALLOWED[each.tag]
        assert set(each.keys()) <= attributes, each.tag
        assert {child.tag for child in each} <= within, each.tag
        assert "\\u{" not in (each.text or ""), "what has several lines has them as lines"
    for suite in root:
        for count, found in (
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ):
            assert suite.get(count) == str(len(list(suite.iter(found)))), count
        assert all(case.get("name") and case.get("classname") for case in suite.iter("testcase"))
    return root
