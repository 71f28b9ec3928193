"""Findings a plan lives with: `# lint: ignore RULE reason`, on the line of the finding or above the entry it is in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cockpit.plan.lint.rule import Finding
from cockpit.plan.source.source_file import Source
from cockpit.plan.source.yaml_tree import Path_, Tree
from probes.frozen import frozen

_COMMENT = re.compile(r"#\s*lint:\s*ignore\b[ \t]*(?P<rule>[\w-]*)[ \t,:]*(?P<reason>[^\r\n]*)")
_INNERMOST = {"checklist": 4, "probes": 2, "contacts": 2, "vars": 2, "target": 2}
"""How long the path of an entry is, by its top-level key; 2 otherwise: `("runbook", 3)`."""


@frozen
class Acceptance:
    """A comment: the rule it accepts, why, its file and line, and the first line below that is not a comment."""

    rule: str
    reason: str
    file: str
    line: int
    column: int
    below: int


def acceptances(tree: Tree) -> Iterator[Acceptance]:
    for source in (tree.source, *tree.sources.values()):
        yield from _in(source)


def _in(source: Source) -> Iterator[Acceptance]:
    lines = source.text.splitlines()
    for index, text in enumerate(lines):
        found = _COMMENT.search(text)
        if found is None:
            continue
        below = index + 1
        while below < len(lines) and (not lines[below].strip() or lines[below].lstrip().startswith("#")):
            below += 1
        alone = not text[: found.start()].strip()
        reason = found["reason"].strip().rstrip("}")
        yield Acceptance(
            found["rule"], reason, source.file, index + 1, found.start() + 1, below + 1 if alone else index + 1
        )


def accept(tree: Tree, path: Path_, finding: Finding, known: Sequence[Acceptance]) -> Finding:
    """The finding, with the plan's reason for it where it gives one."""
    entry = path[: _INNERMOST.get(str(path[0]), 2)] if path else ()
    first = tree.place(entry).position.line
    key = tree.keys.get(entry)
    lines = {finding.problem.position.line, first, key.position.line if key else first}
    for one in known:
        if one.file != finding.problem.position.file:
            continue
        if one.rule == finding.rule.id and one.reason and lines & {one.line, one.below}:
            return replace(finding, accepted=one.reason)
    return finding
