"""The cockpit's verdict beside the rules of others, on the same random nights: false GO, missed and false ROLLBACK, delay.

    PYTHONPATH=tests python tests/bench/verdict_bench.py [NIGHTS [FIRST]]

Clocks that are wrong or jump, sleep, failed polls, blindness, late metrics and dismissed rollbacks are among the nights. The
others judge with a straight clock. What is due, and when it can be known, follows from what is true (`verdict_worlds.py`).
Exits 1 where the cockpit does worse than it must.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from bench.verdict_anchors import Answered, Word, Words, anchors
from bench.verdict_cockpit import SETTLE_S, cockpit
from bench.verdict_worlds import MINUTE_S, STEP_S, Due, World, world

NIGHTS = 200
UNSEEN_S = 5 * MINUTE_S
"""Nothing has been seen for so long that nobody may say GO."""
TIME_TO_TELL_S = 10 * MINUTE_S
"""So long after a trouble its rollback must have been said; what nobody could see until then is not due."""
TIME_TO_SEE_S = 2 * MINUTE_S
"""For so long somebody must have been able to see that a rollback is due."""


@dataclass
class Score:
    """How one rule did over all nights."""

    go_while_bad: int = 0
    go_while_unseen: int = 0
    due: int = 0
    missed: int = 0
    rollbacks: int = 0
    false_rollbacks: int = 0
    delays: list[int] = field(default_factory=list)
    """Seconds from when it could be known to the word."""
    seeds: list[str] = field(default_factory=list)
    """Where it failed."""

    def take(self, night: World, words: Words) -> None:
        moments = list(night.steps)
        go = [at for at in moments if words[at] is Word.GO]
        bad = sum(night.bad_seen(at, SETTLE_S) for at in go)
        unseen = sum(night.unseen_s(at) > UNSEEN_S for at in go)
        self.go_while_bad += bad > 0
        self.go_while_unseen += unseen > 0
        if bad:
            self.seeds.append(f"{night.seed}: GO while bad")
        begun = [
            at
            for at, before in zip(moments, [-1, *moments], strict=False)
            if words[at] is Word.ROLLBACK and (before < 0 or words[before] is not Word.ROLLBACK)
        ]
        self.rollbacks += len(begun)
        false = [at for at in begun if not any(due.known - 2 * MINUTE_S <= at for due in night.due)]
        self.false_rollbacks += len(false)
        self.seeds += [f"{night.seed}: false ROLLBACK at {at}" for at in false]
        for due in night.due:
            self._delay(night, words, due)

    def _delay(self, night: World, words: Words, due: Due) -> None:
        known, ends = due.known, due.ends
        looked = [at for at in night.steps if known <= at <= ends + TIME_TO_TELL_S and night.unseen_s(at) == 0]
        if len(looked) * STEP_S < TIME_TO_SEE_S:
            return
        if isinstance(words, Answered) and words.covers(due.trigger, looked[0]):
            return  # somebody has said that they know, and for how long
        self.due += 1
        said = next((at for at in night.steps if at >= known and words[at] is Word.ROLLBACK), None)
        if said is None or said > max(ends, looked[0]) + TIME_TO_TELL_S:
            self.missed += 1
            self.seeds.append(f"{night.seed}: missed, known at {known}")
            return
        self.delays.append(max(said - looked[0], 0))

    @property
    def p90(self) -> float:
        """Nine delays of ten are no longer, in seconds."""
        return statistics.quantiles(self.delays, n=10, method="inclusive")[-1] if len(self.delays) > 1 else 0

    def line(self, name: str) -> str:
        p50 = statistics.median(self.delays) if self.delays else 0
        return (
            f"{name:<18} {self.go_while_bad:>9} {self.go_while_unseen:>12} {self.missed:>6}/{self.due:<5}"
            f" {self.false_rollbacks:>6}/{self.rollbacks:<5} {p50:>8.0f} s {self.p90:>8.0f} s"
        )


def scores(nights: Sequence[World]) -> dict[str, Score]:
    """By rule."""
    rules: list[tuple[str, Callable[[World], Words]]] = [("cockpit", cockpit), *anchors()]
    made = {name: Score() for name, _ in rules}
    for night in nights:
        for name, rule in rules:
            made[name].take(night, rule(night))
    return made


def wanting(made: dict[str, Score]) -> Iterator[str]:
    """What the cockpit does worse than it must."""
    own, others = made["cockpit"], [score for name, score in made.items() if name != "cockpit"]
    if own.go_while_bad or own.go_while_unseen:
        yield "GO over what is bad or not seen"
    if own.missed:
        yield "a rollback that was due was not called for"
    if own.false_rollbacks and own.false_rollbacks >= min(score.false_rollbacks for score in others):
        yield "no fewer false rollbacks than each of the others"
    if own.p90 > min(score.p90 for score in others) + MINUTE_S:
        yield "later than one interval of the metric after the earliest of the others, nine times of ten"


def main(count: int, first: int = 0) -> int:
    nights = [world(seed) for seed in range(first, first + count)]
    defects = sum(night.clock_defect for night in nights)
    print(f"{count} nights, {defects} with a clock that is wrong or jumps; nights with a false GO, rollbacks, delay")
    print(
        f"{'':<18} {'GO, bad':>9} {'GO, unseen':>12} {'missed':>12} {'false':>12} {'p50':>10} {'p90':>10}", flush=True
    )
    made = scores(nights)
    for name, score in made.items():
        print(score.line(name))
    for seed in made["cockpit"].seeds:
        print(f"  cockpit, night {seed}")
    found = list(wanting(made))
    for line in found:
        print(f"the cockpit: {line}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*(int(each) for each in sys.argv[1:] or [str(NIGHTS)])))
