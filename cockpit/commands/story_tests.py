"""`cockpit test`: stories of a plan, each gone through on a clock of its own, and whether they came to what they expect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import SubElement

import click

from cockpit.commands.options import FORMAT, VARIABLES, Form
from cockpit.commands.plan_loading import given_values
from cockpit.commands.progress_line import Progress
from cockpit.commands.story_outcome import Outcome, outcome_of
from cockpit.commands.story_worker import go_through, workers_for
from cockpit.console import output, output_file, output_json
from cockpit.exit_codes import BAD_PLAN, NOT_AS_EXPECTED, USAGE
from cockpit.report.escaping import safe, safe_lines
from cockpit.report.junit_document import junit_document, junit_root
from cockpit.stories.story_file import FOLDER
from cockpit.stories.story_html import StoryBand, story_page
from cockpit.stories.story_search import TooWide, stories_of
from probes.clients.threads import run_loop

JSON_VERSION = 1
"""Of what `--format json` prints. Members may be added to it; none changes its meaning or goes."""


@click.command("test")
@click.argument("plan", type=click.Path(exists=True))
@VARIABLES
@FORMAT
@click.option("--junit", default="", metavar="FILE", type=click.Path(dir_okay=False), help="Write the results for CI.")
@click.option(
    "--html", default="", metavar="FILE", type=click.Path(dir_okay=False), help="Write a page with every verdict."
)
def main(plan: str, variables: tuple[str, ...], form: Form, junit: str, html: str) -> int:
    """Go through the stories of a plan, or of a folder, and compare what it decides with what they expect.

    PLAN is a plan (its stories lie beside it in stories/), one story, or a folder: each .yaml file in it and in the folders
    below that begins a line with `story:`. Not looked at are hidden folders, those of tools (node_modules), and links to
    folders; a folder that holds more than 20,000 files is refused.
    """
    try:
        paths = list(stories_of(Path(plan)))
    except TooWide as error:
        output(str(error), err=True)
        return USAGE
    if not paths:
        output(f"{plan}: no story: write {FOLDER}/NAME.yaml beside the plan, see `cockpit schema story`", err=True)
        return USAGE
    given = given_values(variables)
    outcomes = _run(paths, given)
    if junit:
        output_file(junit, junit_text(outcomes))
    if html:
        output_file(
            html,
            story_page(
                [
                    StoryBand(each.name, each.title, each.lasted_s, each.verdicts, (*each.problems, *each.failures))
                    for each in outcomes
                ]
            ),
        )
    if form == "json":
        output_json(_json(outcomes), version=JSON_VERSION)
    else:
        output(*_lines(outcomes))
    if any(each.problems for each in outcomes):
        return BAD_PLAN
    return NOT_AS_EXPECTED if any(each.failures for each in outcomes) else 0


def _run(paths: Sequence[Path], given: dict[str, str]) -> list[Outcome]:
    """The outcomes of all; many stories are gone through in several processes at once."""
    progress = Progress("stories", len(paths))
    names = [str(path) for path in paths]
    workers = workers_for(len(names))
    if workers > 1:
        found = run_loop(
            go_through(names, given, workers, lambda done, path: progress.at(done, f"{Path(path).stem} is done"))
        )
    else:
        found = []
        for number, path in enumerate(paths):
            progress.at(number, path.stem)
            found.append(outcome_of(str(path), given))
    progress.done()
    return found


def _lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for each in outcomes:
        mark = "?" if each.problems else "✗" if each.failures else "✓"
        yield f"{mark} {each.name:24} {each.title}".rstrip()
        yield from (f"    {line}" for line in (*each.problems, *each.failures))
    against = list(dict.fromkeys(line for each in outcomes for line in each.contradictions))
    if against:
        yield from ("", "The plan contradicts itself", *(f"  {line}" for line in against))
    failed = sum(bool(each.failures or each.problems) for each in outcomes)
    yield f"{len(outcomes) - failed} of {len(outcomes)} as expected"


def _json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "stories": [
            {
                "file": each.path,
                "name": each.name,
                "title": each.title,
                "as_expected": not each.failures and not each.problems,
                "verdict": each.verdict,
                "lasted_s": each.lasted_s,
                "failures": list(each.failures),
                "contradictions": list(each.contradictions),
                "problems": list(each.problems),
                "verdicts": [{"at_s": at, "verdict": word, "because": why} for at, word, why in each.verdicts],
            }
            for each in outcomes
        ],
    }


def junit_text(outcomes: Sequence[Outcome]) -> str:
    """One test case a story: what it did not come to is a failure, a file that cannot be used an error."""
    counts = {
        "tests": str(len(outcomes)),
        "failures": str(sum(bool(each.failures) for each in outcomes)),
        "errors": str(sum(bool(each.problems) for each in outcomes)),
        "skipped": "0",
    }
    root = junit_root("stories", counts)
    suite = SubElement(root, "testsuite", counts | {"name": "stories"})
    for each in outcomes:
        case = SubElement(
            suite,
            "testcase",
            {"classname": safe(each.path), "name": safe(each.title or each.name), "time": f"{each.lasted_s:.3f}"},
        )
        for kind, lines in (("failure", each.failures), ("error", each.problems)):
            if lines:
                SubElement(case, kind, message=safe(lines[0])).text = safe_lines(lines)
    return junit_document(root)
