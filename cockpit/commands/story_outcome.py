"""How one story ended, as text: what `cockpit test` shows, and its worker processes hand over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cockpit.plan.load import PlanError
from cockpit.plan.model import VERDICT
from cockpit.stories.story_file import load_story
from cockpit.stories.story_run import play_through
from probes.frozen import frozen


@frozen
class Outcome:
    """How one story ended, as text."""

    path: str
    name: str
    title: str
    verdict: str
    lasted_s: float
    failures: tuple[str, ...]
    contradictions: tuple[str, ...]
    problems: tuple[str, ...] = ()
    """Lines about a story or plan that cannot be used."""
    verdicts: tuple[tuple[float, str, str], ...] = ()
    """Each change of the verdict: seconds from the beginning, the word, and why."""

    @classmethod
    def of_json(cls, read: dict[str, Any], path: str) -> Outcome:
        """As `asdict` of one was read back; `path` is how the caller names the file."""
        lists = ("failures", "contradictions", "problems")
        held = read | {name: tuple(read[name]) for name in lists}
        return cls(**held | {"path": path, "verdicts": tuple((at, word, why) for at, word, why in read["verdicts"])})


def outcome_of(path: str, given: dict[str, str]) -> Outcome:
    """Go through one story."""
    try:
        story = load_story(path, given)
    except PlanError as error:
        return Outcome(path, Path(path).stem, "", "", 0.0, (), (), tuple(error.lines))
    ended = play_through(story)
    return Outcome(
        path,
        story.name,
        story.title,
        str(ended.situation.verdict.word),
        story.lasts.total_seconds(),
        tuple(map(str, ended.failures)),
        tuple(map(str, ended.contradictions)),
        verdicts=tuple(
            ((change.at - ended.started_at).total_seconds(), str(change.after), change.because)
            for change in ended.changes
            if change.subject == VERDICT
        ),
    )
