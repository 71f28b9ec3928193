"""Which files `cockpit test FOLDER` goes through, and where it stops looking."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from click.testing import CliRunner

from cockpit.cli.main import main
from cockpit.exit_codes import USAGE
from cockpit.stories import story_search
from cockpit.stories.story_search import TooWide, stories_of

STORY = "story: v1\nplan: plan.yaml\n"


def put(path: Path, text: str = STORY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_folder_is_searched_with_the_folders_below_it_by_name(tmp_path: Path) -> None:
    wanted = [put(tmp_path / name) for name in ("a.yaml", "b/c.yaml", "b/d/e.yaml", "f.yaml")]
    put(tmp_path / "plan.yaml", "plan: v1\n")
    put(tmp_path / "g.txt")
    assert list(stories_of(tmp_path)) == wanted


def test_what_is_hidden_belongs_to_a_tool_or_is_reached_by_a_link_alone_is_not_looked_at(tmp_path: Path) -> None:
    wanted = put(tmp_path / "here" / "a.yaml")
    for folder in (".git", ".venv", "node_modules", "__pycache__"):
        put(tmp_path / "here" / folder / "b.yaml")
    put(tmp_path / "there" / "c.yaml")
    (tmp_path / "here" / "link").symlink_to(tmp_path / "there")
    (tmp_path / "here" / "itself").symlink_to(tmp_path / "here")
    assert list(stories_of(tmp_path / "here")) == [wanted]


def test_a_hidden_folder_that_is_named_is_searched(tmp_path: Path) -> None:
    wanted = put(tmp_path / ".stories" / "a.yaml")
    assert list(stories_of(tmp_path / ".stories")) == [wanted]


def test_a_folder_that_cannot_be_read_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = put(tmp_path / "a.yaml")
    put(tmp_path / "shut" / "b.yaml")

    def scandir(path: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        if path.name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return os.scandir(path)

    monkeypatch.setattr("cockpit.stories.story_search.scandir", scandir)
    assert list(stories_of(tmp_path)) == [wanted]


def test_more_than_a_folder_of_stories_holds_is_not_searched_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        put(tmp_path / f"{number}.txt")
    monkeypatch.setattr(story_search, "MOST_LOOKED_AT", 7)
    assert list(stories_of(tmp_path)) == []
    put(tmp_path / "below" / "8.txt")
    with pytest.raises(TooWide):
        list(stories_of(tmp_path))
    done = CliRunner().invoke(main, ["test", str(tmp_path)])
    assert done.exit_code == USAGE
    assert done.stderr.startswith(f"{tmp_path}: more than 7 files and folders")
    assert "name the folder" in done.stderr


def test_the_whole_machine_is_not_searched() -> None:
    done = CliRunner().invoke(main, ["test", "/"])
    assert (done.exit_code, done.stdout) == (USAGE, "")


def test_the_rule_is_said_in_the_help() -> None:
    said = " ".join(CliRunner().invoke(main, ["test", "--help"]).stdout.split())
    assert f"{story_search.MOST_LOOKED_AT:,} files" in said
