"""What every JUnit document here has in common: one root over its suites, as the schema of CI servers allows it."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, indent, tostring

from cockpit.report.escaping import safe


def junit_root(name: str, counts: Mapping[str, str]) -> Element:
    """The element over the suites. What was skipped is counted in each suite: the schema has no such attribute here."""
    return Element(
        "testsuites", {key: value for key, value in counts.items() if key != "skipped"} | {"name": safe(name)}
    )


def junit_document(root: Element) -> str:
    """The document, with its declaration."""
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'
