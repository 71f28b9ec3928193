"""Whole screens as agreed. `pytest tests/tui --snapshot-update` after looking at what changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tui.stage import Broken, Stage, plan

from cockpit.tui.app import CockpitApp


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 60)], ids=["80x24", "60x20", "200x60"])
def test_the_burning_screen_looks_as_agreed(snap_compare: object, size: tuple[int, int]) -> None:
    stage = Stage(replace(plan(), environment="staging")).burning()
    assert snap_compare(CockpitApp(stage), terminal_size=size)  # type: ignore[operator]


PLACES = {
    "checklist": (["2"], (80, 24)),
    "timeline": (["6"], (80, 24)),
    "evidence": (["end", "up", "enter"], (80, 24)),
    "evidence-small": (["end", "up", "enter"], (60, 20)),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_looks_as_agreed(snap_compare: object, place: str) -> None:
    keys, size = PLACES[place]
    assert snap_compare(CockpitApp(Stage().burning()), press=keys, terminal_size=size)  # type: ignore[operator]


def test_the_blind_probes_look_as_agreed(snap_compare: object) -> None:
    assert snap_compare(CockpitApp(Stage().blinded()), press=["3"], terminal_size=(140, 45))  # type: ignore[operator]


def test_the_faults_look_as_agreed(snap_compare: object) -> None:
    app = CockpitApp(Stage().calm(), drill=Broken(), environment_label="REHEARSAL")
    assert snap_compare(app, press=["f", "enter"], terminal_size=(80, 24))  # type: ignore[operator]


def test_the_screen_without_colours_looks_as_agreed(snap_compare: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(CockpitApp(Stage().blinded()), terminal_size=(80, 24))  # type: ignore[operator]
