"""No file, however nasty, takes more than its share of calls or 200 MB, hangs, or ends in anything but a Plan or a PlanError."""

from __future__ import annotations

import contextlib
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from cProfile import Profile
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.plans.written_plan import HEAD, own_probes
from support.waiting import LAST_RESORT_S

from cockpit.plan.load import PlanError, load_plan, load_text
from cockpit.plan.model import Plan

__all__ = ["own_probes"]
T = TypeVar("T")

CHECKLISTS = Path(__file__).resolve().parents[2] / "checklists"
SHIPPED = [path.read_text(encoding="utf-8") for path in sorted(CHECKLISTS.glob("*.yaml"))]


def outcome(text: str) -> Plan | PlanError:
    """What loading gives; whatever it is, it must be fit to be shown."""
    try:
        return load_text(text, "p.yaml", environ={}, require_environment=False)
    except PlanError as error:
        refused = error
    assert refused.problems
    for found in refused.problems:
        assert found.position.line >= 1
        assert found.position.column >= 1
        assert str(found)
    return refused


MOST_CALLS = 25_000_000
"""What reading a megabyte may cost: twice the worst text here. Work that grows with its square costs a hundred times that."""


def counted(work: Callable[[], T]) -> tuple[T, int]:
    """What `work` gives, and how many calls and returns of functions it took: the same number on every machine."""
    profile = Profile()
    profile.enable()
    try:
        done = work()
    finally:
        profile.disable()
    return done, 2 * sum(entry.callcount for entry in profile.getstats())


_MEASURED = """
import re, resource, sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TypeVar
from cockpit.plan.load import PlanError, load_plan


def peak_mb():
    # ru_maxrss is inherited from the process that started this one; the kernel's high-water mark is not.
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text()).group(1)) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024


resource.setrlimit(resource.RLIMIT_CPU, (300, 300))
before = peak_mb()
try:
    load_plan(sys.argv[1], environ={})
    print("a plan")
except PlanError as error:
    print(str(error)[:300].splitlines()[0])
print(peak_mb() - before, peak_mb())
"""


def measured(path: Path) -> str:
    """What is said about a file by a process of its own, which must stay within the bounds."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(path)], capture_output=True, text=True, timeout=LAST_RESORT_S, check=True
    )
    assert "Traceback" not in done.stderr
    said, figures = done.stdout.rstrip().rsplit("\n", 1)
    grown_mb, whole_mb = (float(figure) for figure in figures.split())
    assert grown_mb < 150, f"took {grown_mb:.0f} MB"
    assert whole_mb < 200, f"the process took {whole_mb:.0f} MB"
    return said


def entries(count: int, entry: str) -> str:
    return "".join(entry.replace("#", str(n)) for n in range(count))


REAL = "plan: v1\nname: p\nprobes:\n  live: {uses: http.health, with: {url: https://x}}\n"
NASTY = {
    "an alias bomb": "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 20)),
    "deep lists": "[" * 400_000,
    "deep mappings": "{a: " * 200_000,
    "deep blocks": "".join(" " * n + "a:\n" for n in range(1_300)),
    "deep dashes": "- " * 400_000,
    "question marks": "? " * 400_000,
    "one long line": "a" * 900_000,
    "one long text": "title: '" + "a " * 450_000 + "'\n",
    "an unclosed text": REAL + 'title: "' + "a\n " * 250_000,
    "long keys": "".join("k" * 900 + f"{n}: 1\n" for n in range(1_000)),
    "many keys": entries(60_000, "k#: 1\n"),
    "unknown keys": REAL + entries(9_000, "key#: 1\n"),
    "equal keys": entries(60_000, "k: 1\n"),
    "comments": REAL + "#\n" * 400_000,
    "blank lines": REAL + "\n" * 900_000,
    "documents": "--- a\n" * 150_000,
    "tags": "- !!x y\n" * 100_000,
    "vars that double": REAL
    + "vars:\n"
    + entries(5_000, '  v#: "' + "${v}" * 30 + '"\n')
    + "  v: "
    + "x" * 9_000
    + "\n",
    "long conditions": REAL
    + "success_criteria:\n"
    + entries(480, "  - {id: c#, title: C, success_condition: '" + "live.status > # && " * 45 + "live.ok'}\n"),
    "wrong conditions": REAL
    + "success_criteria:\n"
    + entries(480, "  - {id: c#, title: C, success_condition: '" + "lve.oky# && " * 70 + "live.ok'}\n"),
    "brackets in conditions": REAL
    + "success_criteria:\n"
    + entries(
        480, "  - {id: c#, title: C, success_condition: '" + "(" * 80 + "live.ok || live.status > #" + ")" * 80 + "'}\n"
    ),
    "minus in conditions": REAL
    + "success_criteria:\n"
    + entries(480, "  - {id: c#, title: C, success_condition: '" + "-" * 900 + "live.status > #'}\n"),
    "many items": REAL
    + "checklist:\n"
    + entries(400, "  - section: S#\n    items:\n" + "      - {id: i#, title: I, expect: live.ok}\n" * 6),
    "many probes": "plan: v1\nname: p\nprobes:\n" + entries(480, "  p#: {uses: http.helth, with: {url: https://x}}\n"),
    "many parameters": "plan: v1\nname: p\nprobes:\n  live:\n    uses: http.health\n    with:\n"
    + entries(9_000, "      k#: 1\n"),
    "many roles": REAL + "people: [{id: a, name: A, roles: [" + entries(9_000, "r#, ") + "x]}]\n",
    "odd white space": REAL + "title: a" + "\u3000" * 200_000,
    "the plan in one megabyte of items": REAL
    + "runbook:\n"
    + entries(490, "  - {id: s#, title: T, command: '" + "x" * 1_900 + "'}\n"),
}


DEAREST = {"brackets in conditions", "many parameters", "minus in conditions", "many keys", "wrong conditions"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] * (name in DEAREST)) for name in NASTY])
def test_nasty_text_stays_within_bounds(name: str) -> None:
    found, calls = counted(lambda: outcome(NASTY[name]))
    assert calls < MOST_CALLS
    if isinstance(found, PlanError):
        assert len(found.problems) <= 201
        assert len(str(found)) < 400_000


@pytest.mark.parametrize(
    "name",
    [
        "an alias bomb",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in ("vars that double", "long conditions", "blank lines")
        ),
    ],
)
def test_memory_stays_within_bounds(name: str, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(NASTY[name], encoding="utf-8")
    assert measured(tmp_path / "p.yaml")


def test_a_hundred_megabytes_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        for _ in range(100):
            file.write(b"key: value\n" * 95_326)
    assert "is larger than 1 MB: that is not a plan" in measured(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "is a binary file"),
        (b"plan: v1\nname: caf\xe9\n", "p.yaml:2:1: is not UTF-8 text: byte 0xE9"),
        ("plan: v1\n".encode("utf-16"), "is UTF-16 text: save it as UTF-8"),
    ],
)
def test_what_is_no_text_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(content)
    with pytest.raises(PlanError, match=re.escape(says)):
        load_plan(tmp_path / "p.yaml")


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"\xef\xbb\xbf" + HEAD.encode())
    assert load_plan(tmp_path / "p.yaml").name == "p"


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"cannot be read: No such file or directory"):
        load_plan(tmp_path / "nothing.yaml")
    with pytest.raises(PlanError, match="is not a file"):
        load_plan(tmp_path)
    with pytest.raises(PlanError, match="is not a file"):
        load_plan("a\0b")


def test_a_pipe_cannot_make_the_loader_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PlanError, match="is not an ordinary file"):
        load_plan(tmp_path / "pipe")


# -- anything at all -------------------------------------------------------------------------------------------------

FUZZ = settings(suppress_health_check=list(HealthCheck))
WORDS = [
    *(
        "plan: v1\n",
        "name: p\n",
        "probes:\n",
        "  live: ",
        "{uses: http.health, with: {url: x}}\n",
        "success_criteria:\n",
    ),
    *(
        "  - ",
        "id: a\n",
        "    title: T\n",
        "    for: 5m\n",
        "    success_condition: live.ok\n",
        "${",
        "}",
        "[",
        "]",
        "{",
        ",",
    ),
    *(
        ": ",
        "- ",
        "? ",
        "|\n",
        ">-\n",
        "&a ",
        "*a ",
        "!!x ",
        "<<: ",
        "'",
        '"',
        "\\",
        "#",
        "\n",
        "\t",
        "---\n",
        "%",
        "é",
        "0123",
        "~",
    ),
]
YAMLISH = st.lists(
    st.sampled_from(WORDS),
    max_size=40,
).map("".join)


@FUZZ
@given(st.one_of(st.text(max_size=400), YAMLISH))
def test_any_text_is_a_plan_or_a_problem(text: str) -> None:
    outcome(text)


@FUZZ
@given(content=st.binary(max_size=400))
def test_any_bytes_are_a_plan_or_a_problem(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(content)
    with contextlib.suppress(PlanError):
        load_plan(path, environ={})


@FUZZ
@given(st.integers(0, 2**32), st.sampled_from(SHIPPED))
def test_a_plan_damaged_anywhere_is_a_plan_or_a_problem(seed: int, text: str) -> None:
    chance = random.Random(seed)
    lines = text.splitlines(keepends=True)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(lines))
        line = lines[at]
        cut = chance.randrange(len(line) + 1)
        lines[at] = chance.choice(
            [
                "",
                line * 2,
                line[:cut]
                + chance.choice(["'", '"', ":", " ", "{", "}", "[", "]", "${", "&", "*", "!", "é", "0", "\n", "-"])
                + line[cut:],
                line[:cut] + line[cut + 1 :],
                lines[chance.randrange(len(lines))],
                line.swapcase(),
                "  " + line,
                line.replace(":", "", 1),
            ]
        )
    outcome("".join(lines))
