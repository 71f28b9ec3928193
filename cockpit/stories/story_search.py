"""Which story files somebody means who names a plan, a folder or a story."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from os import scandir
from pathlib import Path

from cockpit.stories.story_file import FOLDER, beginning_of, is_story

MOST_LOOKED_AT = 20_000
"""Files and folders: what holds more is a disk, not a folder of stories."""
OF_TOOLS = frozenset({"node_modules", "__pycache__", "site-packages", "lost+found"})


class TooWide(ValueError):  # noqa: N818 - it is what was asked for, not a failure of ours
    """A folder holds more than is searched."""


def stories_of(path: Path) -> Iterator[Path]:
    """The story files meant by a plan, a folder or a story, sorted by name. Raises TooWide."""
    if path.is_dir():
        yield from (each for each in sorted(_below(path)) if is_story(each))
    elif is_story(path):
        yield path
    else:
        beside = sorted((path.parent / FOLDER).glob("*.yaml"))
        yield from (each for each in beside if is_story(each) and _is_of(each, path))


def _below(folder: Path) -> Iterator[Path]:
    """The YAML files in a folder and those below it; not in what is hidden, in what tools keep, or behind a link."""
    left, looked_at = [folder], 0
    while left:
        here = left.pop()
        try:
            with scandir(here) as listed:
                entries = list(islice(listed, MOST_LOOKED_AT + 1 - looked_at))
        except OSError:
            continue
        looked_at += len(entries)
        if looked_at > MOST_LOOKED_AT:
            raise TooWide(
                f"{folder}: more than {MOST_LOOKED_AT:,} files and folders, and not all were looked at: "
                "name the folder the stories are in"
            )
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(".") and entry.name not in OF_TOOLS:
                    left.append(here / entry.name)
            elif entry.name.endswith(".yaml"):
                yield here / entry.name


def _is_of(story: Path, plan: Path) -> bool:
    """Whether a story names this plan. One that cannot be read is taken along, so that its problems are shown."""
    for line in beginning_of(story).splitlines():
        if line.startswith("plan:"):
            named = line.removeprefix("plan:").partition(" #")[0].strip().strip("\"'")
            return (story.parent / named).resolve() == plan.resolve()
    return True
