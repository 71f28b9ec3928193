"""Stories that were gone through, as one HTML page that needs nothing else: each with its verdict over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from html import escape

from cockpit.decide.states import Word
from cockpit.formatting import duration
from cockpit.stories.proof.proven_html import STYLE
from probes.frozen import frozen

_WIDTH, _HEIGHT = 900.0, 22.0
_FILLS = {"GO": "#8fc3a3", "HOLD": "#e8cf8f", "ROLLBACK": "#d9807a", "FIX FORWARD": "#d9807a", "ROLLED BACK": "#c3cbec"}


@frozen
class StoryBand:
    """One story on the page."""

    name: str
    title: str
    lasted_s: float
    verdicts: Sequence[tuple[float, str, str]]
    """Each change of the verdict: seconds from the beginning, the word, and why."""
    wrong: Sequence[str]
    """What it did not come to, or why it could not be used."""


def story_page(stories: Sequence[StoryBand]) -> str:
    """The page."""
    failed = sum(bool(each.wrong) for each in stories)
    body = "".join(map(_story, stories))
    head = f'<meta charset="utf-8"><title>Stories</title><style>{STYLE}</style>'
    title = f"<h1>{len(stories) - failed} of {len(stories)} stories as expected</h1>"
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n{title}\n{body}\n</body></html>\n'


def _story(one: StoryBand) -> str:
    mark = '<span class="bad">✗</span>' if one.wrong else "✓"
    changes = "".join(
        f"<tr><td>{escape(duration(timedelta(seconds=round(at))))}</td><td>{escape(word)}</td><td>{escape(why)}</td></tr>"
        for at, word, why in one.verdicts
    )
    wrong = "".join(f'<p class="bad">{escape(line)}</p>' for line in one.wrong)
    table = f"<table>{changes}</table>" if changes else ""
    return f"<h2>{mark} {escape(one.title or one.name)}</h2>\n{_band(one)}{wrong}{table}\n"


def _band(one: StoryBand) -> str:
    """The verdict over time, from HOLD on, as every night begins."""
    if not one.lasted_s:
        return ""
    points = [(0.0, str(Word.HOLD)), *((at, word) for at, word, _ in one.verdicts)]
    ends = [at for at, _ in points[1:]] + [one.lasted_s]
    scale = _WIDTH / one.lasted_s
    shapes = "".join(
        f'<rect x="{at * scale:.1f}" y="0" width="{max(end - at, 0.0) * scale:.1f}" height="{_HEIGHT:g}" fill="{_FILLS[word]}">'
        f"<title>{escape(word)}</title></rect>"
        for (at, word), end in zip(points, ends, strict=True)
    )
    return f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img">{shapes}</svg>'
