"""What stands below the list of the Cutover screen where there is room: path to GO, blind spots, the runbook. Pure."""

from __future__ import annotations

from rich.text import Text

from cockpit import formatting
from cockpit.decide.situation import Situation
from cockpit.tui import theme
from cockpit.tui.text import hanging, plain
from cockpit.tui.views import steps

PATH_SHOWN = 16
CAUSES_SHOWN = 6


def path(situation: Situation, width: int) -> Text:
    """What is missing for GO, with when or who."""
    text = Text().append("PATH TO GO\n", style=f"bold {theme.TEXT}")
    for step in situation.path_to_go[:PATH_SHOWN]:
        when = formatting.clock(step.eta) if step.eta else step.who or "open"
        colour = theme.HOLD if step.eta or step.who else theme.QUIET
        text += hanging(when, step.what, width, indent=9, styles=(colour, theme.TEXT))
    if len(situation.path_to_go) > PATH_SHOWN:
        text.append(f"           and {len(situation.path_to_go) - PATH_SHOWN} more\n", style=theme.QUIET)
    if not situation.path_to_go:
        text.append("nothing is missing\n", style=theme.GO)
    return text


def blind_spots(situation: Situation) -> Text:
    """How much of what decides can be seen, and what hides the rest."""
    text = Text().append("BLIND SPOTS\n", style=f"bold {theme.TEXT}")
    sight = situation.sight
    text.append(f"{sight.visible} of {sight.enforced} enforced criteria can be seen", style=theme.TEXT)
    if sight.oldest is not None:
        text.append(f"; oldest data {formatting.duration(sight.oldest)}", style=theme.QUIET)
    for cause in situation.root_causes[:CAUSES_SHOWN]:
        text.append(
            f"\n? {cause.reason.label}, {formatting.count(len(cause.subjects), 'check')} cannot be evaluated: ",
            style=f"bold {theme.UNKNOWN}",
        )
        text.append(plain(cause.hint or cause.detail), style=theme.TEXT)
    return text


def runbook(situation: Situation, width: int) -> Text:
    """The step under way and the next one; empty where there is neither."""
    facts = list(steps.progress(situation))
    text = Text()
    if facts:
        text.append("RUNBOOK\n", style=f"bold {theme.TEXT}")
    for name, fact in facts:
        text.append_text(hanging(name, fact, width, indent=4, styles=(theme.QUIET, theme.TEXT)))
    return text
