"""Deciding at the end of eight hours, with flaps and gaps, beside the same night without. Budget: 20 ms of processor time.

PYTHONPATH=tests python tests/bench/long_night_bench.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from decide.long_night import long_night
from decide.scene import STEP, Scene, reading

from cockpit.decide.decide import decide

ROUNDS = 15


def median_ms(work: Callable[[], Any]) -> float:
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        spent.append((time.process_time() - began) * 1000)
    return statistics.median(spent)


def after_a_reading(scene: Scene) -> float:
    def work() -> None:
        scene.now += STEP
        scene.board.add("m", reading(scene.now))
        decide(scene.plan, scene.board, scene.record, scene.now)

    return median_ms(work)


def after_a_gap(scene: Scene) -> float:
    def work() -> None:
        scene.now += 4 * STEP
        scene.board.gap(scene.now - 4 * STEP, scene.now)
        decide(scene.plan, scene.board, scene.record, scene.now)

    return median_ms(work)


def main() -> None:
    calm = long_night()
    reading_ms, gap_ms = after_a_reading(calm), after_a_gap(calm)
    print(f"{'':<14} {'a reading':>12} {'ratio':>7} {'a gap':>12} {'ratio':>7}")
    print(f"{'calm':<14} {reading_ms:>9.2f} ms {1:>7.1f} {gap_ms:>9.2f} ms {1:>7.1f}")
    nights = {f"{flaps} flaps": long_night(flaps=flaps) for flaps in (100, 400, 800)}
    for name, night in (nights | {"30 gaps": long_night(gaps=30)}).items():
        one, other = after_a_reading(night), after_a_gap(night)
        print(f"{name:<14} {one:>9.2f} ms {one / reading_ms:>7.1f} {other:>9.2f} ms {other / gap_ms:>7.1f}")


if __name__ == "__main__":
    main()
