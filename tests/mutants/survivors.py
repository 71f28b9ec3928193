"""What `make mutants` found: small changes of the pure core that its tests do not see.

A survivor that the type checker refuses is seen by `make check`. Another is excused by an entry of `justified.txt`: the function,
the changed lines, and why no test could tell. Exits 1 when more than one in twenty is left. Of a sample, the share of all changes
is told between two bounds.
"""

from __future__ import annotations

import ast
import difflib
import math
import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path

from mutants.make_changes import MUTANTS
from mutants.refused_types import refused
from mutants.try_changes import FOR_EVER, KILLED, tried

JUSTIFIED = Path(__file__).with_name("justified.txt")
MOST_LEFT = 0.05


def main(wanted: str, sample: int = 0, seed: int = 1) -> int:
    found = tried(wanted, sample, seed)
    survivors = sorted(name for name, outcome in found.items() if outcome not in {KILLED, FOR_EVER})
    excused = entries(JUSTIFIED.read_text(encoding="utf-8"))
    left = []
    given = {name: key(name) for name in survivors}
    no_type = refused(name for name, change in given.items() if change not in excused)
    for name, change in given.items():
        if change not in excused and name not in no_type:
            left.append(name)
            print("\n".join(change), end="\n\n")
    of_these = {name.rpartition("__mutmut_")[0] for name in found}
    for unused in excused.keys() - set(given.values()):
        if unused[0] in of_these and not sample:
            print(f"no longer survives: {' '.join(unused)}")
    share = len(left) / len(found) if found else 1.0
    excuses = len(survivors) - len(left) - len(no_type)
    print(f"{len(found)} changes: {dict(Counter(found.values()))}; {len(no_type)} refused by mypy, {excuses} excused")
    print(f"{len(left)} survive without a reason: {share:.1%} (at most {MOST_LEFT:.0%})")
    if sample:
        low, high = interval(len(left), len(found))
        print(f"of all changes {low:.1%} to {high:.1%} do, at 95 %")
    return int(share > MOST_LEFT)


def interval(part: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's bounds on the share behind a sample."""
    if not total:
        return 0.0, 1.0
    share, of_z = part / total, z * z / total
    middle = share + of_z / 2
    half = z * math.sqrt((share * (1 - share) + of_z / 4) / total)
    return max(0.0, (middle - half) / (1 + of_z)), min(1.0, (middle + half) / (1 + of_z))


def key(name: str) -> tuple[str, ...]:
    """What a change is, whatever its number: the function, and the lines that are taken out and put in."""
    module, _, changed = name.rpartition(".")
    function = re.sub(r"__mutmut_\d+$", "", changed)
    functions = _functions(MUTANTS / f"{module.replace('.', '/')}.py")
    before, after = functions[f"{function}__mutmut_orig"], functions[changed]
    lines = (line for line in difflib.ndiff(before, after) if line[0] in "-+")
    return f"{module}.{function}", *(f"{line[0]} {' '.join(line[1:].split())}" for line in lines)


@cache
def _functions(path: Path) -> dict[str, list[str]]:
    """The lines of every function below its first, by name."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = (each for each in ast.walk(ast.parse("\n".join(lines))) if isinstance(each, ast.FunctionDef))
    return {each.name: lines[each.lineno : each.end_lineno] for each in found}


def entries(text: str) -> dict[tuple[str, ...], str]:
    """The entries of justified.txt: a function, its changed lines, and `why: ...`; blank lines between, `#` is a comment."""
    made = {}
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
        if lines:
            *change, why = lines
            if not why.startswith("why: "):
                raise ValueError(f"{JUSTIFIED.name}: {change[0]} has no last line 'why: ...'")
            made[tuple(change)] = why
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *(int(number) for number in sys.argv[2:])))
