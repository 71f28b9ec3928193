"""Eight hours of polls with flaps and gaps: the boards whose cost is counted and measured."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from decide.scene import STEP, Scene, probe, reading, success, trigger

STEPS = 8 * 3600 // 15


def long_night(flaps: int = 0, gaps: int = 0, steps: int = STEPS) -> Scene:
    """A trigger that trips and clears `flaps` times, and a cockpit that slept `gaps` times for four polls."""
    scene = Scene(
        trigger("errors", "m.rate > 0.05"),
        trigger("mostly", "m.rate > 0.05", within=600, at_least=0.8),
        success("fine", "m.ok", hold_for=600),
        probes=(probe("m"),),
    )
    flapping = {2 * flap * steps // (2 * flaps) for flap in range(flaps)}
    sleeping = {(2 * gap + 1) * steps // (2 * gaps) for gap in range(gaps)}
    for step in range(steps):
        scene.now += STEP
        if step in sleeping:
            scene.board.gap(scene.now - 4 * STEP, scene.now)
        scene.board.add("m", reading(scene.now, {"rate": 0.2 if step in flapping else 0.0}))
        if step in flapping or step - 1 in flapping:
            scene.tick()
    return scene.tick()


def calls(work: Callable[[], Any], builtin: str = "") -> int:
    """How many functions are called by it; how often the `builtin` one of that name is."""
    counted = 0

    def count(_: FrameType, event: str, called: object) -> None:
        nonlocal counted
        if builtin:
            counted += event == "c_call" and getattr(called, "__name__", "") == builtin
        else:
            counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted
