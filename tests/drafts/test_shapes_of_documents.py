"""Checklists and runbooks as teams write them: what each line becomes; nothing is asserted, nothing lost unsaid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from drafts.test_from_markdown import imported

from cockpit.drafts.from_markdown import Sketch
from cockpit.drafts.markdown_outline import Outline, outline
from cockpit.drafts.section_roles import Role
from cockpit.plan.model import Mode

FOLDER = Path(__file__).with_name("documents")
DOCUMENTS = sorted(FOLDER.glob("*.md"))
_ASKS = re.compile(r"^[ >]*(?:(?:[-*+]|\d+[.)]|[\u2610-\u2612])\s|\*\*(?:step )?\d)(.*)", re.IGNORECASE)


def as_lines(of: Outline) -> Iterator[str]:
    """A section each with what it is for; below it its entries, with their commands and notes; last what is left out."""
    for role in Role:
        for group in of.of(role):
            yield f"{role}: {group.title}" + (", after" if group.after_deployment and role is Role.CHECKLIST else "")
            for line in group.lines:
                command = f"  $ {line.command!r}" if line.command else ""
                notes = "".join(f"  ({note})" for note in line.notes)
                yield f"  {'x ' if line.ticked else ''}{line.title}{command}{notes}"
    yield from (f"left out: {one.text}" for one in of.left_out)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_what_each_line_of_a_document_becomes(path: Path) -> None:
    expected = path.with_suffix(".txt").read_text(encoding="utf-8")
    assert "\n".join(as_lines(outline(path.read_text(encoding="utf-8")))) + "\n" == expected


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_no_entry_is_lost_unsaid_and_none_is_asserted(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    written = set(re.findall(r"\w+", Sketch(text, path.name).text()))
    headings = {group.title for group in outline(text).groups}  # an entry may be one, to those nested in it
    asked = [
        found[1] for line in text.splitlines() if (found := _ASKS.match(line)) and found[1].strip() not in headings
    ]
    optional = {"x", "optional", "Optional"}  # said as `blocking: false`, and as a tick that proves nothing
    assert [each for each in asked if set(re.findall(r"\b[^\W\d]\w+", each)) - written - optional] == []
    if any(group.lines for group in outline(text).groups):
        plan = imported(text)
        assert all(item.expect is None and item.sign_off is not None for _, item in plan.items())
        assert {one.mode for one in plan.rollback_triggers} <= {Mode.SHADOW}


def test_a_step_of_a_table_has_its_owner_and_time_beside_its_title() -> None:
    (freeze, scale, _) = imported((FOLDER / "steps-with-owners.md").read_text(encoding="utf-8")).runbook
    assert (freeze.title, freeze.duration) == ("Freeze deploys", timedelta(minutes=5))
    assert "Owner: Alice." in freeze.caution
    assert (scale.title, scale.command) == ("Scale up workers", "kubectl scale deploy/w --replicas=8")
    assert "ticked already" in scale.caution


def test_owners_and_times_are_known_in_german_and_a_title_in_brackets_stays_whole() -> None:
    first, *_ = imported((FOLDER / "umstellung.md").read_text(encoding="utf-8")).runbook
    assert (first.title, first.duration) == ("Wartungsseite einschalten (5 Min., Owner: Jana)", timedelta(minutes=5))
