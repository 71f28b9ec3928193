"""Checklists and runbooks as teams write them: what each line becomes; nothing is asserted, nothing lost unsaid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from drafts.test_from_markdown import imported
from hypothesis import given
from hypothesis import strategies as st

from cockpit.drafts.from_markdown import Sketch
from cockpit.drafts.line_account import Carried
from cockpit.drafts.markdown_lines import raw_lines
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


def assert_accounted_for(text: str) -> None:
    """Each line that is not empty is carried over or left out, and what is carried over stands in the plan."""
    found = outline(text)
    lines = {number: line for number, line in enumerate(raw_lines(text), 1) if line.strip()}
    left = [number for one in found.left_out for number in one.numbers if number in lines]
    assert set(found.carried) | set(left) == set(lines)
    assert len(left) == len(set(left)), "no line is listed twice"
    assert not set(found.carried) & set(left)
    written = Sketch(text, "x.md").text().replace("\\n", " ")
    plan = set(
        re.findall(r"[^\W_]+", "\n".join(line for line in written.split("\n") if not line.lstrip().startswith("#")))
    )
    for number, became in found.carried.items():
        if became in (Carried.ENTRY, Carried.NOTE, Carried.COMMAND):
            said = set(re.findall(r"[^\W\d_]{4,}", re.sub(r"\]\(.*?\)", "]", lines[number])))
            assert {each for each in said - plan if each.lower() not in SAID_OTHERWISE} == set(), lines[number]
    for one in found.left_out:
        assert f"# x.md:{one.lines}: " in written


SAID_OTHERWISE = {"optional", "step", "bash", "shell", "done", "erledigt"}
"""`blocking: false`; that it is a step; a fence's language; a tick."""


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_line_of_a_document_is_carried_over_or_listed_as_left_out(path: Path) -> None:
    assert_accounted_for(path.read_text(encoding="utf-8"))


MARKDOWN = st.sampled_from(
    [
        *("# The move", "## Before the deployment", "## Deployment steps", "## Success criteria", "## Rollback plan"),
        *(
            "## When to roll back",
            "## Lessons learned",
            "### Data tier",
            "**Background**",
            "Post-mortem",
            "=====",
            "-----",
        ),
        *(
            "- [ ] queues drained",
            "  - [x] orders queue",
            "- [ ]",
            "* bullet alone",
            "  - nested words",
            "1. copy files",
        ),
        *(
            "2) switch `aws ecs update-service` afterwards",
            "**Step 1: Freeze (5 min)**",
            "Step 2: thaw",
            "~~- [ ] gone~~",
        ),
        *(
            "Some prose about systems.",
            "  indented words",
            "> quoted words",
            "If it fails, go back at once.",
            "---",
            "***",
        ),
        *(
            "```bash",
            "```",
            "~~~",
            "```markdown",
            "npx migrate resolve",
            "- ```sh",
            "      deep command here",
            "Then check:",
        ),
        *(
            "| Metric | Threshold |",
            "|---|---|",
            "| Errors | >5% |",
            "| [ ] | Load tested |",
            "a | b",
            "",
            "",
            "<!-- note -->",
        ),
        *(
            "\u2610 drawn box",
            "- ~~struck out~~",
            "\tTabbed words",
            "***bold italic***",
            "[link](https://example.org/x)",
        ),
    ]
)


@given(st.lists(MARKDOWN, max_size=25))
def test_every_line_of_any_document_is_carried_over_or_listed_as_left_out(lines: list[str]) -> None:
    assert_accounted_for("\n".join(lines))


def test_what_is_left_out_is_listed_in_stretches_with_their_first_words() -> None:
    text = "# Move\n\nWe run three services.\nThey are old.\n\n## Who\nAnn and Bob.\n\n## Before\n- [ ] a\n\n```\nls -l\n```\n"
    assert [(one.lines, one.text, one.why) for one in outline(text).left_out] == [
        ("3-4", "We run three services.", "2 lines of prose: nothing a plan holds"),
        ("6-7", "Who", "2 lines of heading and prose: nothing a plan holds"),
        ("12-14", "ls -l", "3 lines of code: nothing a plan holds"),
    ]


def test_a_step_of_a_table_has_its_owner_and_time_beside_its_title() -> None:
    (freeze, scale, _) = imported((FOLDER / "steps-with-owners.md").read_text(encoding="utf-8")).runbook
    assert (freeze.title, freeze.duration) == ("Freeze deploys", timedelta(minutes=5))
    assert "Owner: Alice." in freeze.caution
    assert (scale.title, scale.command) == ("Scale up workers", "kubectl scale deploy/w --replicas=8")
    assert "ticked already" in scale.caution


def test_owners_and_times_are_known_in_german_and_a_title_in_brackets_stays_whole() -> None:
    first, *_ = imported((FOLDER / "umstellung.md").read_text(encoding="utf-8")).runbook
    assert (first.title, first.duration) == ("Wartungsseite einschalten (5 Min., Owner: Jana)", timedelta(minutes=5))
